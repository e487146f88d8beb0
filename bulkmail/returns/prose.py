"""The part of a report that is written for people: which address failed, and with which words.

It is believed only where the status block says less (OpenSMTPD, an Exim that reached no server) or is missing
(qmail, dma, old Exchange). Of what stands under "Transcript of session" only the reply to an address's own RCPT TO is
believed, where nothing else gives a reason: sendmail writes "User unknown" there for an address that was refused by
policy.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from bulkmail.returns.mime import Fields
from bulkmail.returns.returned import address_key
from bulkmail.returns.values import BETWEEN, addresses, from_octal

_LONGEST = 16 * 1024  # characters that are looked at
_LINES = 400
_ENTRIES = 100
_TRIED = 20  # paragraphs that may be the copy
_WORDS = 40  # lines of one entry

# `<joe@example.org>: ...`, `joe@example.org: ...`, `'joe@example.org' on ...`, `joe@example.org, ERROR CODE`; nothing
# but a bullet may stand in front
_START = re.compile(
    r"(?:[*\u2022-]{1,2} )?(?:<|'|\"|\u201c)?(?:mailto:|SMTP=)?"
    rf"([^{BETWEEN}]{{1,128}}@[^{BETWEEN}]{{1,255}})"
    r"(?:>|'|\"|\u201d)?(?:\.\.\.)?(?:<mailto:[^\s<>]{1,400}>|\(mailto:[^\s()]{1,400}\))?\s*"
)
_FROM = re.compile(r"\((?:generated|expanded) from <?([^\s<>()]{3,320})>?\)")
_STOP = re.compile(
    r"\s*-*\s*(?:transcript of session follows|below this line is a copy|this is a copy of (?:the|your) message"
    r"|original message|the body of the message|unsent message follows|message headers? follows?|below is a copy"
    r"|original message follows|message header follows|begin message|full headers|returned message"
    # a status part without its type: what it says is for `blocks`
    r"|(?:final|original)-recipient:|(?:reporting|remote)-mta:|action:|status: ?\d|diagnostic-code:"
    r"|(?:arrival|last-attempt)-date:)",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"(?:\A|\n)[>| \t]{0,4}((?:return-path|received|dkim-signature|from|to|date|subject|message-id|mime-version"
    r"|x-[\w-]{1,40}): )",
    re.IGNORECASE,
)
# a dialogue as GroupWise, IceWarp and MDaemon show it: the command, then the reply with the mark that it is one
_DIALOGUE = re.compile(
    r"rcpt to: ?<([^<>\s]{3,320})>[^\n]{0,200}\n"
    r"(?:[^\n]{0,60}?[ \t:])?(?:<<<|<--|response:|reply:)[ \t]{0,4}([45]\d\d[ -][^\n]{0,500})",
    re.IGNORECASE,
)
_HOUSE = ("postmaster", "mailer-daemon", "abuse", "support", "helpdesk", "help", "hostmaster", "noreply", "no-reply")


@dataclass(slots=True)
class Entry:
    """One address of the text, other addresses said to be the same recipient, and the words that belong to it."""

    address: str
    indent: int
    aliases: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Its first paragraph that says something."""
        paragraph: list[str] = []
        for line in self.lines:
            if line.strip():
                paragraph.append(line.strip())
            elif paragraph:
                break
        return "\n".join(paragraph)

    @property
    def all_words(self) -> str:
        """All its lines."""
        return "\n".join(line.strip() for line in self.lines)


def apart(text: str) -> tuple[str, Fields | None]:
    """Cut a text into what is said and the copy of a message's header behind it (None without one)."""
    text = text[: 4 * _LONGEST]
    position = 0
    for _ in range(_TRIED):
        match = _COPY.search(text, position)
        if match is None:
            break
        paragraph = text[match.start(1) :].split("\n\n", 1)[0]
        fields = Fields(paragraph.encode("utf-8", "replace"))
        shown = {"message-id", "received", "from", "subject"} & set(fields.names)
        if len(shown) >= 2 and fields.broken <= 1:
            return text[: match.start(1)], fields
        position = match.start(1) + len(paragraph)
    return text, None


def entries(text: str, ours: Collection[str] = ()) -> list[Entry]:
    """Return the addresses that a text lists, each with its words. ``ours``: keys of those that are no recipients."""
    found: list[Entry] = []
    current: Entry | None = None
    for line in text[:_LONGEST].split("\n")[:_LINES]:
        if _STOP.match(line):
            break
        body = line.strip()
        indent = len(line) - len(line.lstrip())
        match = _START.match(body) if "@" in body else None
        address = from_octal(match[1].rstrip(".")) if match is not None else ""
        inside = current is not None and (address == current.address or (indent > current.indent and current.lines))
        if match is not None and not inside and address_key(address) not in ours and _starts(body[match.end() :]):
            if len(found) >= _ENTRIES:
                break
            current = Entry(address, indent)
            found.append(current)
            body = body[match.end() :].lstrip(":,- \t\uff1a").strip()
            if not body:
                continue
        if current is not None and len(current.lines) < _WORDS:
            alias = _FROM.search(body)
            if alias is not None:
                current.aliases.append(alias[1])
                body = body.replace(alias[0], "").lstrip(": ").strip()
            if body or current.lines:
                current.lines.append(body)
    return found or _sentence(text, ours)


def refusal_of(text: str, address: str) -> str:
    """Return the reply to the RCPT TO of an address in the dialogue that a text shows, ``""`` where it shows none."""
    key = address_key(address)
    shown = _DIALOGUE.finditer(text[:_LONGEST])
    return next((match[2] for match in shown if address_key(match[1]) == key), "")


def _starts(rest: str) -> bool:
    """Return whether what stands behind an address lets the line begin an entry, and is no sentence about it."""
    return (
        not rest
        or rest[0] in ":,-;(#\uff1a\uff08"
        or rest[:3].isdigit()
        or rest.startswith(("on ", "am ", "le ", "el ", "..."))
    )


def _sentence(text: str, ours: Collection[str]) -> list[Entry]:
    """Return, of a text without a list, the one address that it speaks of with all that follows it."""
    said = text[:_LONGEST]
    stop = next((match.start() for match in re.finditer(r"^.*$", said, re.MULTILINE) if _STOP.match(match[0])), None)
    said = said[:stop]
    named = [
        one for one in addresses(said) if address_key(one) not in ours and one.partition("@")[0].lower() not in _HOUSE
    ]
    if len({address_key(one) for one in named}) != 1:
        return []
    start = said.find(named[0].partition("@")[0])
    rest = said[start:].partition("\n")[2].lstrip("\n").split("\n")[:_WORDS]
    before = said[said.rfind("\n", 0, start) + 1 :].partition("\n")[0]
    return [Entry(named[0], 0, [], [before, *rest])]
