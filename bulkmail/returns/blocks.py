"""The blocks of a report: fields of message/delivery-status (RFC 3464, RFC 6533) read, completed and judged.

Three things that real servers do stand behind the order of things here. The text says what the fields leave out
(OpenSMTPD gives no reply, Exim no reason of its own). A forward puts another address into one of the fields, which one
depends on the server. And nullmailer reports the refusal of one recipient as that of all: a block whose diagnostic
names another one's address is void.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from bulkmail.mail import Category
from bulkmail.returns.mime import Fields, Part, text_of
from bulkmail.returns.prose import Entry
from bulkmail.returns.returned import Action, Block, Weight, address_key
from bulkmail.returns.values import address, addresses, from_octal, from_xtext, one_line, typed
from bulkmail.returns.wording import Said, judge, said, status_in

_BLOCKS = 100  # recipients of one report
_OCTETS = 64 * 1024  # bytes of a status part
_EMPTY = re.compile(r"\n[ \t]*\n")
# a field of which a block has one: the second opens the next block, where an empty line got lost
_ONCE = ("final-recipient", "action", "status")
_ACTION = re.compile(r"[a-z]+")
# some servers do not keep to the five words: OpenSMTPD before 6.0, mail relays of the nineties
_OTHER_WORDS = {"error": Action.FAILED, "failure": Action.FAILED, "delay": Action.DELAYED, "success": Action.DELIVERED}
_ACTIONS = {**{action.value: action for action in Action}, **_OTHER_WORDS}
_LOOSE = ("final-recipient", "original-recipient")
_TIMES = {"last-attempt-date", "will-retry-until", "final-log-id"}
_OF_A_BLOCK = frozenset({*_LOOSE, *_TIMES, "action", "status", "remote-mta", "diagnostic-code"})
_LETTERS = re.compile(r"[^\W\d_]{2}")
_BRACKET = re.compile(r"<([^<>\s]{1,320})")  # the closing bracket may be cut off


@dataclass(slots=True)
class Raw:
    """One block as it stands: its fields, decoded as far as its reporter encodes them."""

    fields: Fields
    original: str
    final: str
    actual: str
    action: Action
    status: str
    diagnostic: str
    keys: frozenset[str] = frozenset()  # the addresses of its own, to compare by

    def __post_init__(self) -> None:
        self.keys = frozenset(_keys(self.original, self.final, self.actual))


@dataclass(slots=True)
class Report:
    """A status part: its per-message fields, its blocks, and how many could not be read."""

    message: Fields
    blocks: list[Raw] = field(default_factory=list)
    unread: int = 0


def looks_like_status(text: str) -> bool:
    """Return whether the first paragraph of a text has the fields of a status part, whatever type its part has."""
    names = set(Fields(text[:2000].lstrip().encode("utf-8", "replace")).names)
    return bool(names & {"reporting-mta", "final-recipient"}) and bool(
        names & {"arrival-date", "action", "status", "received-from-mta", "reporting-mta"}
    )


def read_status(part: Part, *, xtext: bool) -> Report:
    """Return the blocks of a status part. Per-message fields may share a block with a recipient's (Dovecot).

    Of a part that no delimiter ends the last block is left out: it may have been cut off.

    ``xtext``: the reporter repeats ENVID and ORCPT as they were sent (Exim); the others have decoded them.
    """
    text = text_of(part.octets()[:_OCTETS]).replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    report = Report(Fields(b""))
    for number, paragraph in enumerate(_EMPTY.split(text)):
        for piece in _apart(paragraph):
            fields = Fields(piece.encode("utf-8", "surrogateescape" if piece.isascii() else "replace"))
            if number == 0 and not report.message.names:
                report.message = fields
            if not any(name in fields for name in (*_LOOSE, "action")):
                continue
            raw = _raw(fields, xtext)
            if raw is None or len(report.blocks) >= _BLOCKS:
                report.unread += 1
            else:
                report.blocks.append(raw)
    if part.open and report.blocks:
        report.blocks.pop()
        report.unread += 1
    return report


def _apart(paragraph: str) -> list[str]:
    """Cut a paragraph where a field that a block has once stands a second time."""
    pieces: list[list[str]] = [[]]
    seen: set[str] = set()
    for line in paragraph.split("\n"):
        name = line.partition(":")[0].strip().lower()
        if name in _ONCE:
            if name in seen:
                pieces.append([])
                seen = set()
            seen.add(name)
        pieces[-1].append(line)
    return ["\n".join(piece) for piece in pieces]


def from_entry(entry: Entry, action: Action) -> Raw:
    """Return a block for an entry of a text, where a report has no status part; its words are taken from the entry."""
    return Raw(Fields(b""), "", entry.address, "", action, "", "")


def _raw(fields: Fields, xtext: bool) -> Raw | None:
    """Return one block; None where it names no recipient, or no known action."""
    original, final = address(fields.get("original-recipient")), address(fields.get("final-recipient"))
    if xtext and original:
        original = from_xtext(original)
    status = status_in(fields.get("status"))
    if not (original or final):
        return None
    word = _ACTION.match(fields.get("action").strip().lower())
    if word is not None:
        meant = _ACTIONS.get(word[0])
        if meant is None:
            return None
        action = meant
    elif "action" in fields or not status:
        return None
    else:  # the field is required, but its meaning can be told from the class (RFC 3463 2)
        action = {"5": Action.FAILED, "4": Action.DELAYED, "2": Action.RELAYED}[status[0]]
    actual = address(fields.get("x-actual-recipient"))
    return Raw(fields, original, final, actual, action, status, fields.get("diagnostic-code"))


def finish(
    raws: Sequence[Raw],
    listed: Sequence[Entry],
    ours: Collection[str],
    forwards: Collection[str],
    *,
    unread: int = 0,
    blaming: bool = False,
    damaged: bool = False,
) -> tuple[Block, ...]:
    """Complete the blocks from the text, judge them, and void those that blame the wrong recipient.

    ``ours``: keys of the sender's own addresses. ``forwards``: keys of addresses that the report gives as targets.
    ``unread``: how many blocks could not be read. ``blaming``: the reporter is known to blame all recipients for the
    refusal of one. ``damaged``: parts of the report got lost, so a status alone is not believed.
    """
    counted = Counter(key for raw in raws for key in raw.keys)
    by_key = {address_key(one): entry for entry in reversed(listed) for one in (*entry.aliases, entry.address)}
    several = max(len({address_key(raw.original or raw.final) for raw in raws}) + unread, len(listed)) > 1
    entry_of = [next((by_key[key] for key in raw.keys if key in by_key), None) for raw in raws]
    blocks = [
        _finished(raw, counted, entry, ours, forwards, several=several)
        for raw, entry in zip(raws, entry_of, strict=True)
    ]
    blocks = [_with_words(block, raw, several=several or damaged) for block, raw in zip(blocks, raws, strict=True)]
    blaming = blaming and several
    if not blaming and not any(block.void and block.about for block in blocks):
        return tuple(blocks)
    # a reporter that blames one recipient's refusal on another is believed where the reply names the recipient itself
    return tuple(
        block
        if block.void or block.weight is None or _names_own(block.reply, raw, 1)
        else replace(block, weight=None, void="the report blames others for a refusal that was not theirs")
        for block, raw in zip(blocks, raws, strict=True)
    )


def _with_words(block: Block, raw: Raw, *, several: bool) -> Block:
    """Void ``block`` where it would count as permanent without a known reason; one alone may rely on its status."""
    if block.weight in (None, Weight.SOFT):
        return block
    worded = _LETTERS.search(block.reply) is not None
    if block.code and (worded or not several):
        return block
    # the words alone, without what the status says
    known = worded and judge(Said(0, "", (block.reply,), block.stage), "").category is not Category.OTHER
    cut_off = bool(raw.diagnostic) and not typed(raw.diagnostic)[0]  # RFC 3464 2.3.6: it has a type
    if several and (cut_off or not known):
        return replace(
            block, weight=None, void="it gives no known reason, in a report about several recipients or a damaged one"
        )
    if known or (block.status and not cut_off):
        return block
    return replace(
        block, weight=None, void="it gives neither a status nor a reason that is known, or one that is cut off"
    )


def _finished(
    raw: Raw,
    counted: Counter[str],
    entry: Entry | None,
    ours: Collection[str],
    forwards: Collection[str],
    *,
    several: bool,
) -> Block:
    kind, words = typed(raw.diagnostic)
    if not kind:
        words = raw.diagnostic
    words = from_octal(words)
    if not words and (entry is None or not entry.words):  # the last place where a reason may stand
        words = raw.fields.get("status").removeprefix(raw.status).strip(" ()")
    reply = said(words, entry.all_words if entry is not None else "")
    if not words and entry is not None:
        reply = _from_text(entry)
    aliases = [raw.actual] if raw.actual and address_key(raw.actual) not in _keys(raw.original, raw.final) else []
    if entry is not None:
        known = {*raw.keys}
        aliases += [one for one in (entry.address, *entry.aliases) if address_key(one) not in known]
    aliases = list(dict.fromkeys(aliases))
    block = Block(
        raw.action,
        raw.original,
        raw.final,
        tuple(aliases),
        raw.status,
        reply.code,
        reply.enhanced or raw.status,
        reply.text,
        reply.stage,
        one_line(typed(raw.fields.get("remote-mta"))[1], 255),
    )
    others = {*_keys(*aliases), *forwards, *_elsewhere(ours, raw)}
    about, void = _doubt(raw, counted, reply, words or reply.text, others, several=several)
    return judged(replace(block, about=about, whole=_is_whole(raw.fields)), reply, void)


def _is_whole(fields: Fields) -> bool:
    """Return whether these are the fields of one block (RFC 3464 2.3), and nothing was lost of it or mixed into it."""
    strange = any(name not in _OF_A_BLOCK and not name.startswith("x-") for name in fields.names)
    return not (fields.broken or strange) and all(len(fields.all(name)) == 1 for name in (*_LOOSE, "action", "status"))


def judged(block: Block, reply: Said, void: str = "") -> Block:
    """Return ``block`` with its category and weight, if it failed."""
    category: Category | None = None
    weight: Weight | None = None
    enhanced = block.enhanced
    if block.action is Action.FAILED:
        judgement = judge(reply, block.status)
        category, weight, enhanced = judgement.category, judgement.weight, judgement.enhanced or enhanced
        weight = None if void else weight
    return replace(block, enhanced=enhanced, category=category, weight=weight, void=void)


def _keys(*some: str) -> set[str]:
    return {address_key(one) for one in some} - {""}


def _from_text(entry: Entry) -> Said:
    """Return what the text says of a recipient of whom the block says nothing: a reply, or else the first paragraph."""
    told = said(entry.all_words)
    return told if told.code else Said(0, told.enhanced, (entry.words,), told.stage)


def _doubt(
    raw: Raw, counted: Counter[str], reply: Said, words: str, known: Collection[str], *, several: bool
) -> tuple[str, str]:
    """Return the address that the words are about, if it is not the recipient's, and why the block is void."""
    if raw.action is not Action.FAILED:
        return "", ""
    if reply.code // 100 == 2:
        return "", f"the block says failed, the receiver's reply {reply.code} says that it took the message"
    if raw.status[:1] == "2" and not reply.code:
        return "", f"the block says failed, its status {raw.status} says success"
    own = _names_own(words, raw)
    for one in [] if own else addresses(words):
        if address_key(one) in counted and not _same_in_ascii(one, raw):
            return one, f"its reply is about {one}, another recipient of this report"
    first = _BRACKET.search(words)
    key = address_key(first[1]) if first is not None else ""
    if first is None or "//" in first[1] or key in known or _names_own(first[1], raw) or _same_in_ascii(first[1], raw):
        return "", ""
    if several:  # also where it is cut off
        return first[1], f"its reply is about {first[1]}, whom the report does not name as this recipient"
    if own or not key:
        return "", ""
    if key.rpartition("@")[2] in {mine.rpartition("@")[2] for mine in raw.keys}:
        return first[1], f"its reply is about {first[1]}, another address of the same domain"
    return first[1], ""


def _elsewhere(ours: Collection[str], raw: Raw) -> set[str]:
    """Return the sender's own addresses but for those in the recipient's domain, which may be its neighbours."""
    domains = {key.rpartition("@")[2] for key in raw.keys}
    return {key for key in ours if key.rpartition("@")[2] not in domains}


def _names_own(words: str, raw: Raw, most: int = 20) -> bool:
    """Return whether the first addresses in the words are among the block's; what is behind a plus sign is ignored."""
    own = {_untagged(key) for key in raw.keys}
    return any(_untagged(address_key(one)) in own for one in addresses(words, most))


def _untagged(key: str) -> str:
    local, _, domain = key.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _same_in_ascii(one: str, raw: Raw) -> bool:
    """Return whether an address is a block's own with its local part in Punycode, as Exim writes it to old servers."""
    local, _, domain = one.rpartition("@")
    if not local.lower().startswith("xn--") or len(local) > 64:
        return False
    try:
        return address_key(f"{local[4:].encode('ascii').decode('punycode')}@{domain}") in raw.keys
    except (UnicodeError, ValueError, OverflowError):
        return False
