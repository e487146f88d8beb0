"""What comes back after a message was accepted: bounces, complaints, unsubscribes, answers; and what each may change.

A *late event* belongs to one row of one campaign; it was attributed by the row's token. The rules, in the order in
which they hold:

- An event that was recorded already changes nothing: the same report may come twice (SMTP promises no less).
- An unsubscribe, a resubscribe and a complaint change no status; they have times of their own. No other event changes
  these times: only a resubscribe takes an unsubscribe back, and nothing takes a complaint back.
- A report of a final failure overwrites what says that the message arrived, or does not know: `delivered` and
  `unknown`. It overwrites `suppressed` where a copy had left before, for else there would be nothing to report. All
  other final statuses say already that the message did not arrive, in the words of the receiver or of the list, and
  stand: `expired` too, of which no copy can have arrived. So does the status that an earlier report gave.
- It overwrites nothing in a row whose recipient has complained or unsubscribed: a person has read the message.
- While a row is not final, a failure waits for its end, and is judged then by the same rules: the row may be on the
  wire at this moment, and what becomes of it is for its own settlement to say.
- A report of a delay, and an answer by a machine or a person, change no status.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from bulkmail.mail.clicks import ClickCount
from bulkmail.mail.outcome import Status

MOST_LINES = 20
"""So many lines in attempts.csv a row gets for events that change nothing; further ones leave none."""

_MOST_CHANGES = 2 * MOST_LINES  # lines; further unsubscribes and resubscribes count all the same
_LONGEST_REPLY = 512
_OVERWRITTEN = frozenset({Status.DELIVERED, Status.UNKNOWN})
FAILURES = frozenset({Status.BOUNCED, Status.BLOCKED})
"""The statuses that a report of a final failure can give."""


class LateResult(StrEnum):
    """What came back (the ``result`` of its line in attempts.csv)."""

    RETURNED = "returned"  # a delivery report: a failure, or a delay
    COMPLAINED = "complained"  # a feedback report (RFC 5965), or a person's mail to our complaints address
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    ANSWERED = "answered"  # an automatic or a personal reply


class LateEvent(NamedTuple):
    """One thing that came back, at ``at`` (epoch seconds).

    ``status``: bounced or blocked where it reports a final failure, else "" (a delay, a complaint, an answer).
    ``soft``: it says nothing lasting of the address, such as a full mailbox. ``category`` and ``smtp_code``,
    ``enhanced``, ``reply`` and ``host`` are the report's, as in an outcome; ``reply`` is one line. ``key`` tells this
    event from others of the same row and result: a digest of what brought it, "" where there is at most one.
    """

    result: LateResult
    at: float
    status: str = ""
    category: str = ""
    smtp_code: int = 0
    enhanced: str = ""
    reply: str = ""
    host: str = ""
    soft: bool = False
    key: str = ""


class Late(NamedTuple):
    """What has come back of one row so far. Times are epoch seconds; None: it has not.

    ``late_at``: when the report came that the row's status is from. ``lines``: how many of its events are kept, and
    ``seen`` their marks, with a blank between two.
    """

    late_at: float | None = None
    unsubscribed_at: float | None = None
    complained_at: float | None = None
    lines: int = 0
    seen: str = ""


class Weighed(NamedTuple):
    """What an event changes. ``line``: whether it gets a line in attempts.csv; ``status``: the row's new one, or "".

    ``waits``: the failure is to be judged again when the row is final.
    """

    late: Late
    line: bool
    status: str = ""
    waits: bool = False


class Found(NamedTuple):
    """What is known of a token of ours. ``campaign`` and ``list`` are names; ``address`` as in the input.

    ``address`` is "" where the campaign has left the spool (``in_spool`` False), which keeps only its ``hash``
    (`address_hash`), 0 otherwise.
    ``number`` is 0 in the token of a message that was the same for all recipients: it stands for none of them.
    """

    campaign_id: int
    number: int
    campaign: str
    list: str
    kind: str
    address: str
    unsubscribed: bool
    in_spool: bool
    hash: int = 0


class ReturnPath(Protocol):
    """The one place that everything goes through which comes back; what it has answered is on the disk.

    Each method returns None for a token that is not ours, or stands for no row: nothing is changed then. They raise
    OwnFault where it could not be written down: the caller has its sender bring it again. Twice is once.
    """

    async def token_key(self) -> bytes:
        """Return the key that tokens are read with (`mail.read_token`); b"" where the spool has none yet."""

    async def find(self, token: str) -> Found | None:
        """Return what is known of a token. Nothing is written."""

    async def members(self, envelope_id: str, addresses: Sequence[str]) -> dict[str, str]:
        """Return the tokens of those recipients of one transaction that these addresses name, by the address.

        ``envelope_id``: what a report says was its ENVID. An address is left out that names none of them for certain.
        """

    async def returned(self, token: str, event: LateEvent) -> Found | None:
        """Record a delivery report (RETURNED) or an answer (ANSWERED)."""

    async def complained(self, token: str, event: LateEvent) -> Found | None:
        """Record a complaint, and let the address be suppressed as the settings say."""

    async def unsubscribe(self, token: str, how: str, key: str = "") -> Found | None:
        """Record that the recipient wants no more of the list; ``how``: "one-click", "page" or "mail".

        ``key``: as an event's, of a mail that may come twice.
        """

    async def resubscribe(self, token: str, how: str) -> Found | None:
        """Take the unsubscribe back that came with this token, and its suppression."""

    async def clicked(self, counts: Sequence[tuple[int, ClickCount]]) -> None:
        """Add up clicks: pairs of a campaign's id and what came of one link."""

    def unattributed(self, what: str) -> None:
        """Count what came back and could not be attributed; ``what``: one word, such as "report" or "complaint"."""


def tidied(event: LateEvent) -> LateEvent:
    """Return an event as it can be kept, whatever was read: one line of words, a code of three digits or 0."""
    known = event.smtp_code if 200 <= event.smtp_code <= 599 else 0
    return event._replace(
        smtp_code=known,
        category=_word(event.category, 40),
        enhanced=_word(event.enhanced, 20),
        reply=" ".join(_plain(event.reply[:4096]).split())[:_LONGEST_REPLY],
        host=_word(event.host, 255),
        key=_word(event.key, 64),
    )


def _plain(text: str) -> str:
    """Return the text without what no database takes, and without controls."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)


def _word(text: str, longest: int) -> str:
    return "".join(_plain(text[: 4 * longest]).split())[:longest]


def mark(event: LateEvent) -> str:
    """Return the mark of an event among those of its row; "" for one that has no key."""
    return f"{event.result[:2]}:{event.key}" if event.key else ""


def is_repeated(known: Late, event: LateEvent) -> bool:
    """Return whether this very event was recorded before."""
    sign = mark(event)
    return bool(sign) and sign in known.seen.split(" ")


def weigh(known: Late, event: LateEvent, status: str, attempts: int) -> Weighed:
    """Return what ``event`` changes in a row with this status that was tried so many times."""
    sign = mark(event)
    if is_repeated(known, event):
        return Weighed(known, line=False)
    match event.result:
        case LateResult.UNSUBSCRIBED:
            if known.unsubscribed_at is not None:
                return Weighed(known, line=False)
            return _changed(known._replace(unsubscribed_at=event.at), sign)
        case LateResult.RESUBSCRIBED:
            if known.unsubscribed_at is None:
                return Weighed(known, line=False)
            return _changed(known._replace(unsubscribed_at=None), sign)
        case LateResult.COMPLAINED if known.complained_at is None:
            return _changed(known._replace(complained_at=event.at), sign)
        case LateResult.RETURNED if event.status in FAILURES and known.late_at is None:
            if not Status(status).final:
                return _changed(known, sign)._replace(waits=True)
            if overwrites(known, status, attempts):
                late = known._replace(late_at=event.at, lines=known.lines + 1, seen=_with(known.seen, sign))
                return Weighed(late, line=True, status=event.status)
    return _kept(known, sign)


def overwrites(known: Late, status: str, attempts: int) -> bool:
    """Return whether a late failure overwrites this status of a row that was tried so many times."""
    if known.complained_at is not None or known.unsubscribed_at is not None or known.late_at is not None:
        return False
    return status in _OVERWRITTEN or (status == Status.SUPPRESSED and attempts > 0)


def _changed(late: Late, sign: str) -> Weighed:
    if late.lines >= _MOST_CHANGES:
        return Weighed(late, line=False)
    return Weighed(late._replace(lines=late.lines + 1, seen=_with(late.seen, sign)), line=True)


def _kept(late: Late, sign: str) -> Weighed:
    if late.lines >= MOST_LINES:
        return Weighed(late, line=False)
    return Weighed(late._replace(lines=late.lines + 1, seen=_with(late.seen, sign)), line=True)


def _with(seen: str, sign: str) -> str:
    return f"{seen} {sign}".strip() if sign else seen
