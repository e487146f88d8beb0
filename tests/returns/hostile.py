"""Messages that cost a reader as much as they can, by the place they aim at; each some 130 kB."""

from __future__ import annotations

_SIZE = 130_000
_TOP = b"From: MAILER-DAEMON\r\nSubject: failure notice\r\n"
_REPORT = (
    b"From: MAILER-DAEMON\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
)


def _filled(piece: bytes, top: bytes = _TOP + b"\r\n") -> bytes:
    return top + piece * ((_SIZE - len(top)) // len(piece))


def _numbered(piece: bytes, top: bytes) -> bytes:
    count = (_SIZE - len(top)) // (len(piece) + 4)
    return top + b"".join(piece.replace(b"%", b"%d" % number) for number in range(count))


HOSTILE = {
    "at signs": _filled(b"@"),
    "one address again and again": _filled(b"<a@b.example>:\r\n"),
    "many addresses": _numbered(b"<a%@b.example>: 550 5.1.1 no\r\n", _TOP + b"\r\n"),
    "one long word": _filled(b"a"),
    "codes": _filled(b"550 ", _TOP + b"\r\n<a@b.example>:\r\n"),
    "codes of a reply in many lines": _filled(b"550-5.1.1 ", _TOP + b"\r\n<a@b.example>:\r\n"),
    "beginnings of codes": _filled(b"5.1.", _TOP + b"\r\n<a@b.example>:\r\n"),
    "beginnings of a copy": _filled(b"From: x\n\n"),
    "a copy without an end": _filled(b"from: \n"),
    "fields": _numbered(b"X-%: b\r\n", b""),
    "continued lines": _filled(b" b\r\n", b"Subject: a\r\n"),
    "encoded words": _filled(b"=?utf-8?q?=41?= ", b"Subject: "),
    "beginnings of encoded words": _filled(b"=?", b"Subject: "),
    "parts in parts": _numbered(b"Content-Type: multipart/mixed; boundary=b%\r\n\r\n--b%\r\n", b"From: a@b\r\n"),
    "empty parts": _filled(b"--b\r\n\r\n", _REPORT),
    "parameters": _filled(b";a=b", b"Content-Type: multipart/report"),
    "blanks in a field": _filled(b" ", b"Content-Type: multipart/report;"),
    "a quoted string without an end": _filled(b"\\", b'Content-Type: multipart/report; a="'),
    "blocks": _numbered(
        b"Final-Recipient: rfc822; a%@b.example\r\nAction: failed\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 <a%@b.example>\r\n\r\n",
        _REPORT,
    ),
    "blocks that name many": _filled(
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 5.1.1 "
        + b"".join(b"<q%d@b.example>" % number for number in range(50))
        + b"\r\n\r\n",
        _REPORT,
    ),
    "octal text": _filled(b"\\316", _REPORT + b"Final-Recipient: rfc822; "),
    "angle brackets of a page": _filled(b"<", b"From: MAILER-DAEMON\r\nContent-Type: text/html\r\n\r\n"),
    "beginnings of tags": _filled(b"<p ", b"From: MAILER-DAEMON\r\nContent-Type: text/html\r\n\r\n"),
    "beginnings of styles": _filled(b"<style>", b"From: MAILER-DAEMON\r\nContent-Type: text/html\r\n\r\n"),
    "empty lines": _filled(b"\n"),
    "blanks": _filled(b" "),
    "beginnings of delimiters": _filled(b"\n--b", b"Content-Type: multipart/report; boundary=b\r\n\r\n"),
    "hyphens": _filled(b"-", b'Content-Type: multipart/report; boundary="' + b"-" * 200 + b'"\r\n\r\n'),
    "identifiers": _filled(b"<aaaaaaaa.", b"References: "),
    "a base64 part": _filled(
        b"QUFB\r\n", _TOP + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ),
    "a quoted-printable part": _filled(
        b"=41", _TOP + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    ),
}
