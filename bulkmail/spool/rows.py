"""What goes in and out of the store: plain, slim tuples.

A NamedTuple is made in a quarter of a microsecond and is bound to a statement as it is; at some thousand messages a
second that is what the writer thread can afford. Where a time or a code is unknown it is 0, in the store NULL.
"""

from __future__ import annotations

import builtins
import marshal
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bulkmail.mail import Status
from bulkmail.spool.scopes import Audience, Kind

ROW_BITS = 40
"""An id is its campaign's, shifted by so many bits, and the number of the row or the attempt."""
_MASK = (1 << ROW_BITS) - 1
_STATUSES = frozenset(str(status) for status in Status)
_WAITING = frozenset(str(status) for status in Status if not status.final)


def recipient_id(campaign_id: int, number: int) -> int:
    """Return the id of input row ``number`` (counted from 1 over all files) of a campaign."""
    return campaign_id << ROW_BITS | number


def campaign_of(identity: int) -> int:
    """Return the campaign that a recipient id, or an attempt id, belongs to."""
    return identity >> ROW_BITS


def number_of(identity: int) -> int:
    """Return the row's number in its campaign."""
    return identity & _MASK


def id_range(campaign_id: int) -> tuple[int, int]:
    """Return the lowest and highest id that a campaign's rows can have."""
    return campaign_id << ROW_BITS, campaign_id << ROW_BITS | _MASK


def pack(value: Any) -> bytes:
    """Return plain data (None, bool, int, float, str, bytes, tuple, list, dict) as bytes for the journal."""
    return marshal.dumps(value, 4)


def unpack(data: bytes) -> Any:
    """Return what ``pack`` was given. Raises ValueError, EOFError or TypeError when these are no such bytes."""
    return marshal.loads(data)  # noqa: S302 - our own journal: a file of mode 0600, with check sums


InputRow = tuple[int, int, int, str, str, str, str, str]
"""A row as the reading of the input gives it: n, file_no, row_in_file, email, domain, fields, verdict, note."""


class SiteFact(NamedTuple):
    """A fact of a site. Times are epoch seconds; it is not to be believed from ``expires_at`` on."""

    site: str
    fact: str
    value: float
    learned_at: float
    expires_at: float


class ReceiverPolicy(NamedTuple):
    """The policy file that a domain published under ``id``. Times are epoch seconds; it counts until ``expires_at``."""

    domain: str
    id: str
    fetched_at: float
    expires_at: float
    policy: str


class Hold(NamedTuple):
    """Why nothing of a campaign is sent to a provider ("": to any), until it is released.

    ``kind``: one of `HOLD_KINDS`; a campaign has at most one hold of each kind at each provider. ``reason`` is a
    sentence for people, ``who`` a name. ``since`` and ``until`` are epoch seconds; None: until it is released.
    """

    campaign_id: int
    kind: str
    reason: str
    since: float
    provider: str = ""
    who: str = ""
    until: float | None = None

    @property
    def words(self) -> str:
        """Say it in a line: ``paused at google by ann until 2026-12-01T18:00:00Z: the list is wrong``."""
        if self.kind == "fault":
            return self.reason
        words = _SHORT[self.kind]
        words += f" at {self.provider}" if self.provider else ""
        words += f" by {self.who}" if self.who else ""
        if self.until is not None and self.kind != "schedule":  # whose reason says it, by the clocks of its zone
            words += f" until {datetime.fromtimestamp(self.until, UTC).isoformat(timespec='seconds')[:-6]}Z"
        return f"{words}: {self.reason}" if self.reason else words


_SHORT = {
    "refused": "refused",
    "checking": "being checked",
    "paused": "paused",
    "rule": "stopped by a rule",
    "approval": "waiting for approval",
    "folder": "paused",
    "schedule": "waiting for its schedule",
    "winner": "waiting for a choice",
}
HOLD_KINDS = {
    "refused": "something of it is to be corrected before it is sent; released when it is taken up",
    "checking": "it is being checked, before it is asked for an approval",
    "paused": "a person has paused it",
    "rule": "a rule has stopped it",
    "approval": "it waits to be approved",
    "schedule": "its schedule lets nothing be sent now",
    "winner": "a person has to choose the variant that the rest gets",
    "folder": "its folder is not where it was",
    "fault": "its messages cannot be composed; released when the campaign is started anew",
}
"""The kinds of holds, each with its meaning. They are independent: what one releases, another may still hold."""


class HeldTime(NamedTuple):
    """From when to when a hold at ``provider`` ("": any) lasted that is over, in epoch seconds."""

    provider: str
    began: float
    ended: float


class CancelRequest(NamedTuple):
    """Who asked when, in epoch seconds, for the end of a campaign, and why: a sentence, or ""."""

    campaign_id: int
    reason: str
    who: str
    since: float


class AcceptRequest(NamedTuple):
    """Who asked when, in epoch seconds, that what was changed in a campaign's files is taken."""

    campaign_id: int
    who: str
    since: float


class Sign(NamedTuple):
    """What one process has last said of itself. Times are epoch seconds; ``at`` 0.0: it has said nothing yet.

    ``alive``: whether it still is. ``process``: its id on its machine, 0 where that is not known. ``fault``: what keeps
    it from sending, "" where nothing does.
    """

    machine: str
    process: int
    at: float = 0.0
    fault: str = ""
    fault_since: float | None = None
    alive: bool = False


class EventBounds(NamedTuple):
    """How long an event is kept, in seconds, and how many of them there are at the most."""

    keep: float
    most: int


class RecentAttempt(NamedTuple):
    """What came of an attempt to row ``n``. ``at``: epoch seconds; ``duration_ms``: from its begin to its answer."""

    provider: str
    result: str
    category: str
    code: int | None
    reply: str
    at: float
    duration_ms: int
    n: int = 0


class Outlook(NamedTuple):
    """What is left to send of a campaign: whether rows were never claimed yet, and when the next one is due again."""

    new_rows: bool
    next_due: float | None


class StoredPlan(NamedTuple):
    """What was planned of a campaign when its list had been read. Times are epoch seconds.

    ``rows``: of its list; ``begins_at``: the instant it was planned from; ``ends_at`` None: it was not to end at all;
    ``per_second``: messages, over the time in which they flow.
    """

    rows: int
    begins_at: float
    ends_at: float | None
    per_second: float


class DomainRows(NamedTuple):
    """So many ``rows`` of a list are to be sent to ``domain``; ``settled`` of them have a final status."""

    domain: str
    rows: int
    settled: int


class Claimed(NamedTuple):
    """A recipient that this process may send to until it is settled or given back.

    ``email`` is as written in the input; ``fields`` the JSON array of the row's cells; ``date`` the message's Date,
    fixed at the first claim; ``status``, ``category`` and ``provider`` say how it is counted now (``pending``: never
    tried). ``doubt``: so many attempts had their final reply lost, each of them perhaps a copy that arrived.
    """

    id: int
    campaign_id: int
    queue_id: int
    email: str
    fields: str
    file_no: int
    attempts: int
    first_attempt_at: float  # 0.0: never tried
    date: float
    status: str
    category: str
    provider: str
    doubt: int = 0

    @property
    def number(self) -> int:
        """The row's number in its campaign."""
        return self.id & _MASK

    @property
    def previous(self) -> tuple[str, str, str] | None:
        """Under which (provider, status, category) it is counted now; None when it is pending."""
        return None if self.status == "pending" else (self.provider, self.status, self.category)


class Attempt(NamedTuple):
    """One line of attempts.csv. ``result``: delivered, failed, deferred, unknown. All strings are plain ``str``."""

    at: float
    number: int
    result: str
    category: str = ""
    smtp_code: int = 0
    enhanced: str = ""
    reply: str = ""
    stage: str = ""
    mx_host: str = ""
    mx_ip: str = ""
    source_ip: str = ""
    tls: str = ""
    duration_ms: int = 0
    next_attempt_at: float = 0.0
    tls_policy: str = ""


class Settlement(NamedTuple):
    """What became of a claimed recipient. A status that is not final needs ``next_at``; a final one has none.

    ``attempt`` None: ended without an attempt (a template error, expired while its site was down). Such a row may
    borrow the reply that its report row shows: ``reply_of`` is the recipient whose last attempt it was. ``site``: as
    people read it, where events are noted.
    """

    recipient_id: int
    queue_id: int
    status: str
    category: str = ""
    provider: str = ""
    attempt: Attempt | None = None
    first_attempt_at: float = 0.0  # 0.0: the stored one, else the attempt's
    completed_at: float = 0.0
    next_at: float = 0.0
    bytes: int = 0
    note: str = ""
    reply_of: int = 0
    site: str = ""

    @property
    def problem(self) -> str:
        """How it contradicts itself; "" when it does not."""
        if self.status not in _STATUSES:
            return f"{self.status!r} is not a status"
        if (self.status in _WAITING) != (self.next_at > 0):
            return f"{self.status} and due at {self.next_at} do not go together"
        return ""

    def plain(self) -> tuple[Any, ...]:
        """Return it as plain nested tuples, for the journal (marshal takes no NamedTuple)."""
        attempt = self.attempt
        return (*self[:5], None if attempt is None else tuple(attempt), *self[6:])

    def packed(self) -> builtins.bytes:
        """Return the payload of its journal record."""
        return pack(self.plain())

    @classmethod
    def from_plain(cls, plain: tuple[Any, ...]) -> Settlement:
        """Return the settlement that ``plain`` gave as tuples. Raises TypeError when these are none."""
        settlement = cls(*plain)
        if settlement.attempt is None:
            return settlement
        return settlement._replace(attempt=Attempt(*settlement.attempt))


class ClaimState(NamedTuple):
    """What the writer keeps in memory of a claimed recipient: all of its outcome that a settlement builds upon."""

    claim_id: int  # 0: it came out of `due`
    queue_id: int
    date: float  # 0.0: never claimed yet
    attempts: int
    first_attempt_at: float
    status: str
    category: str
    provider: str
    attempt_id: int | None
    bytes: int
    doubt: int

    @classmethod
    def new(cls, claim_id: int, queue_id: int, date: float) -> ClaimState:
        """Return the state of a recipient that was never tried."""
        return cls(claim_id, queue_id, date, 0, 0.0, "pending", "", "", None, 0, 0)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as the spool knows it, without its content (`content`) and reading state (`import_state`)."""

    id: int
    name: str
    folder: str
    state: str
    key: bytes
    digests: dict[str, str]
    on_unknown: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    exit_status: int | None
    import_done: bool
    input_rows: int
    possibly_doubled: int
    report_position: Any
    list: str = ""
    kind: Kind = "marketing"

    @property
    def audience(self) -> Audience:
        """What tells whether a suppression counts for it."""
        return Audience(self.list or self.name, self.name, self.kind)


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many claimed rows a start settled from the journal, found ambiguous (the dot may have been sent),
    returned.
    """

    replied: int = 0
    ambiguous: int = 0
    returned: int = 0

    def __str__(self) -> str:
        """Return them in words, those that are none left out."""
        words = (
            (self.replied, "settled from the journal"),
            (self.ambiguous, "that may have been sent, of which no reply is known"),
            (self.returned, "that were not sent"),
        )
        return "claimed rows: " + ", ".join(f"{count:,} {what}" for count, what in words if count)

    @property
    def counts(self) -> tuple[int, int, int]:
        """The three figures."""
        return self.replied, self.ambiguous, self.returned
