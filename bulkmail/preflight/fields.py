"""What is odd about a letter's header: the subject, the way to unsubscribe, and what its signature covers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import quote

from bulkmail.preflight.kinds import Kind, error, warning
from bulkmail.preflight.letter import Letter

_LONG_SUBJECT = 78  # characters; mail programs show 40 to 75 of them
_URLS = re.compile(r"<([^<>]+)>")
_ONE_CLICK = b"List-Unsubscribe=One-Click"
_COVERED = re.compile(rb"(?:^|;)\s*h\s*=\s*([^;]*)")
_DOMAIN = re.compile(rb"(?:^|;)\s*d\s*=\s*([^;\s]*)")
_LEAVE = re.compile(
    r"unsubscri|opt[ -]?out|abmeld|abbestell|austragen|d[ée]sabonn|d[ée]sinscri|disiscri|cancell|darse de baja|\bbaja\b"
    r"|afmeld|uitschrijv|avregistr|avmeld|wypisz|descadastr",
    re.IGNORECASE,
)
_KNOWN_BY = 4  # characters of a cell that can tell a recipient from others


def subject_kinds(subject: str) -> list[Kind]:
    """Return what is odd about a subject as it is read."""
    if not subject.strip():
        return [error("empty-subject", "subject", "the subject is empty", "write one, or name a default")]
    if len(subject) > _LONG_SUBJECT:
        words = f"the subject has over {_LONG_SUBJECT} characters, and mail programs show 40 to 75 of them"
        return [warning("long-subject", "subject", words, "put what matters first, and shorten the rest")]
    return []


def unsubscribe_kinds(letter: Letter, token: str, email: str, cells: Sequence[str]) -> list[Kind]:
    """Return what is odd about the ways out, read from the composed message; ``token`` is the recipient's own."""
    value = letter.fields.get(b"list-unsubscribe", b"").decode("ascii", "replace")
    body = letter.html if letter.html is not None else letter.text or ""
    if not value:
        if letter.html is not None and _LEAVE.search(letter.html):
            words = "there is a link to unsubscribe in the letter and no List-Unsubscribe field in its header"
            return [warning("no-unsubscribe-header", "unsubscribe", words, "set `unsubscribe`: providers ask for it")]
        words = "there is no way to unsubscribe, and providers ask it of everyone who sends to many"
        return [warning("no-unsubscribe", "unsubscribe", words, "set `unsubscribe`, and print {{ unsubscribe_url }}")]
    found = []
    urls = [url.replace(" ", "") for url in _URLS.findall(value)]
    links = [url for url in urls if url.lower().startswith("https://")]
    if any(not url.lower().startswith(("https://", "mailto:")) for url in urls):
        found.append(error("unsubscribe-not-https", "unsubscribe", "List-Unsubscribe is not https", "set an https URL"))
    if not links:
        words = "there is no https link to unsubscribe, only an address, and one click does not work (RFC 8058)"
        found.append(warning("unsubscribe-no-one-click", "unsubscribe", words, "set `unsubscribe.url`"))
    elif letter.fields.get(b"list-unsubscribe-post") != _ONE_CLICK:
        words = "List-Unsubscribe-Post is missing or another than RFC 8058 asks for, and one click does not work"
        found.append(warning("unsubscribe-no-one-click", "unsubscribe", words, "leave the field to bulkmail"))
    if any(not _tells_who(url, token, email, cells) for url in urls):
        words = "the link to unsubscribe does not tell who wants out: it has neither the token nor another value of it"
        found.append(error("unsubscribe-not-own", "unsubscribe", words, "print {{ token }} in `unsubscribe.url`"))
    if not any(url in body or url.replace("&", "&amp;") in body for url in urls) and not _LEAVE.search(unescape(body)):
        words = "the letter itself has no link to unsubscribe, only its header has"
        found.append(warning("no-unsubscribe-link", "unsubscribe", words, "print {{ unsubscribe_url }} in the letter"))
    return found


def _tells_who(url: str, token: str, email: str, cells: Sequence[str]) -> bool:
    if token in url:
        return True
    return any(
        value in url or quote(value, safe="") in url for value in (email, *cells) if len(value.strip()) >= _KNOWN_BY
    )


def signature_kinds(fields: Sequence[tuple[bytes, bytes]], unsubscribe: bool) -> list[Kind]:
    """Return what the signatures of a message leave uncovered.

    ``fields``: all of its header, name in lower case and value, in order. ``unsubscribe``: whether it has
    List-Unsubscribe.
    """
    covered = [_signed_fields(value) for name, value in fields if name == b"dkim-signature"]
    names = {name for name, _ in fields}
    if not covered:
        if not unsubscribe:
            return []
        words = "List-Unsubscribe is under no signature, so providers show no button for it (RFC 8058 4)"
        return [warning("unsubscribe-not-signed", "unsubscribe", words, "set `dkim` in the settings")]
    found = []
    for name in (b"list-unsubscribe", b"list-unsubscribe-post"):
        if name in names and not all(name in signed for signed in covered):
            words = f"the DKIM signature does not cover {name.decode()} (h=), so one click does not count (RFC 8058 4)"
            found.append(error("unsubscribe-not-signed", "unsubscribe", words, "this is a mistake of bulkmail"))
    if not all(b"from" in signed for signed in covered):
        words = "the DKIM signature does not cover From (RFC 6376 5.4)"
        found.append(error("from-not-signed", "dkim", words, "this is a mistake of bulkmail"))
    return found


def signing_domains(fields: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """Return the domains that sign a message (``d=``), in order."""
    found = [_DOMAIN.search(value) for name, value in fields if name == b"dkim-signature"]
    return [match[1].decode("ascii", "replace") for match in found if match is not None]


def _signed_fields(signature: bytes) -> frozenset[bytes]:
    """Return the names in ``h=``, in lower case (RFC 6376 3.5)."""
    found = _COVERED.search(signature)
    return frozenset(name.strip().lower() for name in found[1].split(b":")) if found else frozenset()
