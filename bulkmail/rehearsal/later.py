"""What becomes of a message after it was taken: what some receivers send back of it, and what their readers do.

Data, as the personas are: which share of the recipients does what, and after how long. A local part asks for one of
them by its name, such as `late-bounce@`. The messages are those of common servers and providers, by their layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

INBOUND, PAGE = "127.76.0.1", "127.76.0.2"
"""Where a mailer under rehearsal takes mail in and serves its page, on the port of the mail servers."""


class Reaction(StrEnum):
    """What is done with a message that was taken. Its value is the local part that asks for it."""

    BOUNCE = "late-bounce"  # returned: there is no such mailbox behind the server that took it
    FULL = "late-full"  # returned after days: the mailbox stayed full
    DELAY = "late-delay"  # a warning that it is still being tried
    BLOCK = "late-block"  # returned: a filter behind the server did not like it
    AWAY = "away"  # answered by a program
    COMPLAIN = "complains"  # the reader calls it spam, and the provider says so
    ONE_CLICK = "one-click"  # the mail program's own button (RFC 8058)
    VISIT = "visits"  # the reader opens the page, and presses its button
    BY_MAIL = "unsubscribes-by-mail"
    CLICK = "clicks"  # the reader follows a link that is counted
    SCAN = "scanner"  # a filter opens every link, and means nothing by it


@dataclass(frozen=True, slots=True)
class Habit:
    """So large a ``share`` of all recipients reacts in this way ``wait`` seconds after the message was taken."""

    reaction: Reaction
    share: float
    wait: float


HABITS = (
    Habit(Reaction.BOUNCE, 0.008, 120.0),
    Habit(Reaction.FULL, 0.004, 1800.0),
    Habit(Reaction.DELAY, 0.006, 900.0),
    Habit(Reaction.BLOCK, 0.003, 300.0),
    Habit(Reaction.AWAY, 0.02, 60.0),
    Habit(Reaction.COMPLAIN, 0.002, 1200.0),
    Habit(Reaction.ONE_CLICK, 0.006, 600.0),
    Habit(Reaction.VISIT, 0.004, 900.0),
    Habit(Reaction.BY_MAIL, 0.002, 900.0),
    Habit(Reaction.SCAN, 0.03, 30.0),
    Habit(Reaction.CLICK, 0.08, 300.0),
)
_ASKED = {habit.reaction.value: habit for habit in HABITS}
_FIELD = rb"(?im)^%b:[ \t]*((?:[^\r\n]|\r\n[ \t])*)"
_LINK = re.compile(rb"<https?://[^/<>\s]+(/u/[^<>\s]+)>")
_COUNTED = re.compile(rb"https?://[^/<>\s\"]+(/c/[a-z2-7]+/[A-Za-z0-9_-]+/[0-9a-f]+\?[^<>\s\"')]+)")
_MAILTO = re.compile(rb"<mailto:([^<>?\s]+)[^<>]*>")
_RETURN_PATH = re.compile(r"[^+@\s]+\+[^@\s]+@[^@\s]+")


def habit_of(recipient: str, chance: float) -> Habit | None:
    """Return what the reader of a message does; ``chance``: 0 <= x < 1, drawn for this recipient."""
    word = recipient.partition("@")[0].lower().partition("+")[0]
    if word in _ASKED:
        return _ASKED[word]
    for habit in HABITS:
        if chance < habit.share:
            return habit
        chance -= habit.share
    return None


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to be sent to the mailer under rehearsal. ``sender``: "" for the null sender."""

    sender: str
    to: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """A path to be asked for: each of ``steps`` is a method and a body. ``more``: further paths, in the same way."""

    path: str
    steps: tuple[tuple[str, bytes], ...]
    more: tuple[str, ...] = ()


def field(message: bytes, name: bytes) -> str:
    """Return the value of a message's field, unfolded; "" without it."""
    head = message.partition(b"\r\n\r\n")[0]
    found = re.search(_FIELD % re.escape(name), head)
    return "" if found is None else found[1].replace(b"\r\n", b"").decode("utf-8", "replace").strip()


def traffic_of(reaction: Reaction, mail_from: str, recipient: str, mx: str, message: bytes) -> Mail | Visit | None:
    """Return a reaction as something to be sent; None where the message offers no way to do it."""
    if reaction in _BACK:
        if _RETURN_PATH.fullmatch(mail_from) is None:
            return None
        return Mail("", mail_from, _BACK[reaction](mail_from, recipient, mx, message))
    if reaction is Reaction.COMPLAIN:
        to = field(message, b"CFBL-Address").partition(";")[0].strip().strip("<>")
        if not to and _RETURN_PATH.fullmatch(mail_from) is not None:
            to = f"complaints@{mail_from.rpartition('@')[2]}"  # where the provider's form was told to send them
        return Mail(f"feedback@{mx}", to, _complaint(to, mx, message)) if to else None
    counted = tuple(dict.fromkeys(link.decode("ascii") for link in _COUNTED.findall(message.replace(b"=\r\n", b""))))
    if reaction is Reaction.CLICK:
        return Visit(counted[0], (("GET", b""),)) if counted else None
    ways = field(message, b"List-Unsubscribe").encode()
    if reaction is Reaction.BY_MAIL:
        mailto = _MAILTO.search(ways)
        if mailto is None or b"+" not in mailto[1]:
            return None
        to = mailto[1].decode("ascii", "replace")
        return Mail(recipient, to, _lines(f"From: {recipient}", f"To: {to}", "Subject: unsubscribe", "", "").encode())
    link = _LINK.search(ways)
    if link is None:
        return None
    return Visit(link[1].decode("ascii", "replace"), _STEPS[reaction], counted if reaction is Reaction.SCAN else ())


_STEPS = {
    Reaction.ONE_CLICK: (("POST", b"List-Unsubscribe=One-Click"),),
    Reaction.VISIT: (("GET", b""), ("POST", b"action=leave")),
    Reaction.SCAN: (("HEAD", b""), ("GET", b"")),
}


def _lines(*lines: str) -> str:
    return "\r\n".join(lines)


def _number(*parts: str) -> str:
    """Return a name that is the same in every rehearsal."""
    return f"{crc32(repr(parts).encode()):08x}"


def _header_of(message: bytes) -> str:
    return message.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")


def _returned(action: str, status: str, words: str) -> Callable[[str, str, str, bytes], bytes]:
    subject = "Delayed Mail (still being retried)" if action == "delayed" else "Undelivered Mail Returned to Sender"

    def made(mail_from: str, recipient: str, mx: str, message: bytes) -> bytes:
        return _lines(
            f"From: MAILER-DAEMON@{mx} (Mail Delivery System)",
            f"Subject: {subject}",
            f"To: {mail_from}",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f"Message-ID: <{_number(mail_from, action)}@{mx}>",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="=_back"',
            "",
            "--=_back",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            f"This is the mail system at host {mx}.",
            "",
            f"<{recipient}>: {words}",
            "",
            "--=_back",
            "Content-Type: message/delivery-status",
            "",
            f"Reporting-MTA: dns; {mx}",
            f"X-Postfix-Sender: rfc822; {mail_from}",
            "",
            f"Original-Recipient: rfc822;{recipient}",
            f"Final-Recipient: rfc822; {recipient}",
            f"Action: {action}",
            f"Status: {status}",
            f"Remote-MTA: dns; mailbox.{mx}",
            f"Diagnostic-Code: smtp; {words}",
            "",
            "--=_back",
            "Content-Type: text/rfc822-headers",
            "",
            _header_of(message),
            "",
            "--=_back--",
            "",
        ).encode("utf-8", "surrogateescape")

    return made


def _away(mail_from: str, recipient: str, mx: str, message: bytes) -> bytes:
    return _lines(
        f"From: {recipient}",
        f"To: {mail_from}",
        f"Subject: Auto: {field(message, b'Subject')}",
        "Auto-Submitted: auto-replied (vacation)",
        f"Message-ID: <{_number(mail_from, 'away')}@{mx}>",
        f"In-Reply-To: {field(message, b'Message-ID')}",
        "",
        "I am away until Monday.",
        "",
    ).encode("utf-8", "surrogateescape")


def _complaint(to: str, mx: str, message: bytes) -> bytes:
    return _lines(
        f"From: feedback@{mx}",
        f"To: {to}",
        "Subject: Abuse report",
        "MIME-Version: 1.0",
        f"Message-ID: <{_number(to, 'complaint')}@{mx}>",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="=_arf"',
        "",
        "--=_arf",
        "Content-Type: text/plain",
        "",
        "This is a report of a message that its reader called spam.",
        "",
        "--=_arf",
        "Content-Type: message/feedback-report",
        "",
        "Feedback-Type: abuse",
        "User-Agent: rehearsal/1",
        "Version: 1",
        "",
        "--=_arf",
        "Content-Type: text/rfc822-headers",
        "",
        _header_of(message),
        "",
        "--=_arf--",
        "",
    ).encode("utf-8", "surrogateescape")


_BACK: dict[Reaction, Callable[[str, str, str, bytes], bytes]] = {
    Reaction.BOUNCE: _returned("failed", "5.1.1", "550 5.1.1 No such user here"),
    Reaction.FULL: _returned("failed", "4.2.2", "452 4.2.2 The mailbox is over quota"),
    Reaction.DELAY: _returned("delayed", "4.4.1", "421 4.4.1 Connection timed out"),
    Reaction.BLOCK: _returned("failed", "5.7.1", "550 5.7.1 Message rejected by content filter"),
    Reaction.AWAY: _away,
}
