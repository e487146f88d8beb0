"""What the spool asks of a store, whichever database is behind it.

`front`, `outcomes` and `opening` know a store by `Store` alone. A store in SQLite and one in PostgreSQL implement it
and know nothing of each other; what they have in common (`campaigns`, `intake`, `settling`, `sites`) is written against
`Statements` and `Tables`, which each of them provides.

Every method of a store is one short transaction, run in the writer's thread and durable on return. All of them raise
OwnFault when the database cannot be used; nothing is changed then. Times are epoch seconds. A row of the input is known
by its recipient id (`rows.recipient_id`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from bulkmail.mail import Problem, Refused
from bulkmail.shaping import RetrySettings
from bulkmail.spool.address import public
from bulkmail.spool.arrivals import ClickStore, LateStore
from bulkmail.spool.booking import Batch, DueLine, EventLine, OutcomeLine
from bulkmail.spool.budgeting import BudgetStore
from bulkmail.spool.holding import HoldStore
from bulkmail.spool.journal import Journalled
from bulkmail.spool.rows import (
    CampaignRow,
    Claimed,
    ClaimState,
    EventBounds,
    InputRow,
    ReceiverPolicy,
    Recovered,
    Settlement,
    Sign,
    SiteFact,
    StoredPlan,
)
from bulkmail.spool.scopes import Audience, Kind, Suppression, SuppressionStore

MOVED, COPYING = "moved_to", "copy_of"
"""The names in `meta` by which a spool says that it was copied elsewhere, and that it is a copy not yet whole."""


class Statements(Protocol):
    """The named queries of one database, in short transactions."""

    def execute(self, name: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        """Run the query called ``name``; return a cursor."""

    def many(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run the query called ``name`` once for each of ``rows``."""

    def transaction(self, begin: str = "begin") -> AbstractContextManager[None]:
        """Do all or nothing, durable at the end. Raises OwnFault when the database cannot be used.

        ``begin`` is "begin_reading" for a transaction that only reads.
        """

    def close(self) -> None:
        """Close the connection."""


class Tables(Protocol):
    """The writes that each database does in its own way. All are called within a transaction of the caller."""

    @property
    def sole_writer(self) -> bool:
        """Whether no other process writes these tables while they are open."""

    @property
    def keeps_keys(self) -> bool:
        """Whether a campaign's content keeps its private DKIM keys, for other machines to sign with."""

    def prepare_numbers(self, campaign_id: int) -> None:
        """Make ready what gives the campaign's attempts their numbers. Twice is once."""

    def drop_numbers(self, campaign_id: int) -> None:
        """Remove what gives its attempts their numbers."""

    def set_state(self, values: dict[str, Any]) -> None:
        """Write a campaign's state. ``values``: id, state, now, ended (whether it is a last state), exit_status."""

    def tell_states(self) -> None:
        """Notify the other machines, at the end of the transaction, that what may be sent has changed."""

    def tell_rows(self) -> None:
        """Notify the other machines, at the end of the transaction, that rows can be claimed."""

    def still_claimed(self, campaign_id: int) -> bool:
        """Return whether rows of the campaign are claimed."""

    def importing(self, campaign_id: int) -> AbstractContextManager[None]:
        """Keep claims out of a campaign's queues while rows are stored. Raises OwnFault where others took over."""

    def queues(self, campaign_id: int, domains: Mapping[str, int], before: int) -> dict[str, int]:
        """Return the queue's id for each domain, made where there is none.

        ``domains``: domain -> 1 where it gets new rows (its queue then has some), else 0. ``before``: the id behind
        which the new rows stand, where a new queue's cursor begins.
        """

    def add_recipients(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Store (id, queue_id or None, file_no, row_in_file, email, fields)."""

    def held_back(self, identities: Sequence[int]) -> dict[int, int]:
        """Return those rows that are still held back, each with its (negative) queue."""

    def set_outcomes(self, rows: Sequence[OutcomeLine]) -> None:
        """Write outcomes, each in place of the row's earlier one."""

    def set_due(self, rows: Sequence[DueLine]) -> None:
        """Let rows wait, and lower the earliest times of their queues."""

    def add_totals(self, rows: Sequence[tuple[int, str, str, str, int]]) -> None:
        """Add to the counts: (campaign_id, provider, status, category, difference)."""

    def last_numbers(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Return campaign -> the last number given, where ``counts`` more attempts of it are about to be stored.

        Nobody else stores any of these campaigns until the transaction ends: numbers are committed in their order.
        """

    def write(self, batch: Batch) -> None:
        """Write what a batch has booked."""

    def drop_claims(self, claim_ids: Sequence[int]) -> None:
        """Remove claims all rows of which are settled."""

    def keep_claims_out(self, campaign_id: int) -> None:
        """Let no process claim rows of the campaign until the transaction ends."""

    def take_new(self, campaign_id: int, limit: int) -> dict[int, ClaimState]:
        """Move the cursors past up to ``limit`` new rows; return these."""

    def set_next_at(self, queue_ids: Sequence[int]) -> None:
        """Compute anew when the first waiting row of these queues is due."""

    def add_events(self, rows: Sequence[EventLine]) -> None:
        """Store events, each with the next number."""

    def add_suppressions(self, rows: Sequence[tuple[int, Suppression]]) -> int:
        """Store (hash, entry) where none of its hash, scope and reason is; return how many were stored."""

    def add_gone(self, rows: Sequence[tuple[int, int]]) -> None:
        """Store (recipient_id, hash) of rows that are removed."""

    def write_facts(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]]) -> None:
        """Write facts of sites, each in place of an earlier one, and remove the ``forgotten`` (site, fact)."""


class CampaignStore(Protocol):
    """Campaigns: made once, changed on purpose."""

    def create_campaign(
        self,
        name: str,
        folder: str,
        *,
        content: dict[str, Any],
        digests: dict[str, str],
        files: Iterable[tuple[str, Sequence[str]]],
        now: float,
        on_unknown: str = "retry",
        key: bytes = b"",
        list: str = "",  # noqa: A002 - the word of campaign.yaml
        kind: Kind = "marketing",
    ) -> CampaignRow:
        """Make a campaign in the state "ready". ``files``: (name, columns) of each input file.

        ``list``: what people unsubscribe from, "" for its name. ``key``: what its tokens are made with; without one a
        key is made whose tokens `token_key` reads, and is added to ``content``. ``name`` must not be taken: the
        database's own integrity error is raised then.
        """

    def campaign(self, name: str) -> CampaignRow | None:
        """Return the campaign called ``name``."""

    def campaigns(self) -> list[CampaignRow]:
        """Return all campaigns, oldest first."""

    def content(self, campaign_id: int) -> dict[str, Any]:
        """Return the snapshot of everything that enters its messages. Raises LookupError."""

    def input_files(self, campaign_id: int) -> list[tuple[int, str, list[str]]]:
        """Return its input files: (number from 0, name, columns)."""

    def import_state(self, campaign_id: int) -> Any:
        """Return where reading its input stands, as the last `add_rows` was told; None before the first."""

    def update_content(
        self,
        campaign_id: int,
        content: dict[str, Any],
        digests: dict[str, str],
        files: Iterable[tuple[str, Sequence[str]]],
        *,
        on_unknown: str = "retry",
        audience: Audience | None = None,
    ) -> None:
        """Take a changed folder for the rows not yet sent; key and rows stay, and what is None."""

    def set_state(self, campaign_id: int, state: str, now: float, *, exit_status: int | None = None) -> None:
        """Change the state; started_at and ended_at follow. Only rows of a campaign that is "running" are claimed.

        One that is "cancelling" becomes "cancelled" and nothing else; any other state is passed over.
        """

    def still_claimed(self, campaign_id: int) -> bool:
        """Return whether rows of a campaign are claimed, by any machine."""

    def remove_campaign(self, campaign_id: int, limit: int = 10_000) -> bool:
        """Remove about ``limit`` rows of a campaign; True when nothing of it is left. Call until it is.

        Raises ValueError while rows of it are claimed.
        """

    def save_report_position(self, campaign_id: int, position: object) -> None:
        """Store up to where the report's files are known good; JSON data."""

    def save_plan(self, campaign_id: int, plan: StoredPlan) -> None:
        """Store what is planned of a campaign, in place of an earlier plan."""

    def plan(self, campaign_id: int) -> StoredPlan | None:
        """Return what was planned of a campaign, None where nothing was."""

    def attempts_after(self, campaign_id: int, attempt_id: int) -> int:
        """Count a campaign's attempts behind this one; 0: all of them."""

    def attempts_since(self, campaign_id: int, at: float) -> int:
        """Count a campaign's attempts from ``at`` on, on all machines."""

    def last_outcomes(self, campaign_id: int, limit: int) -> list[tuple[str, str, str, float]]:
        """Return what receivers have said for good in the last ``limit`` attempts, in order.

        Each is (provider, status, category, at).
        """

    def totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        """Return ``{(provider, status, category): count}``; all rows read so far, pending ones included."""


class IntakeStore(Protocol):
    """Rows of the input."""

    def add_rows(
        self, campaign_id: int, rows: Sequence[InputRow], import_state: object, done: bool, now: float = 0.0
    ) -> None:
        """Store rows ``(n, file_no, row_in_file, email, domain, fields, verdict, note)`` and the reader's state.

        The numbers go up by one from row to row and from batch to batch; rows that are stored already are skipped.
        ``done``: the input has been read to its end. ``now``: when rows ended by their verdict are completed.
        Raises ValueError when the numbers have a hole (such a report could never add up), LookupError without campaign.
        """

    def held_back(self, campaign_id: int, limit: int = 1) -> int:
        """Count the rows (at most ``limit``) of which it is not known yet whether they are duplicates."""

    def settle_held(self, campaign_id: int, verdicts: Iterable[tuple[int, bool, str]], now: float = 0.0) -> int:
        """Settle rows that were held back, ``(n, is_duplicate, note)``: duplicates end, the others are due now.

        Twice is once. Returns how many were ended as duplicates.
        """


class ClaimStore(Protocol):
    """Which queues have something to send, and the claim that makes a row ours before its first byte leaves."""

    @property
    def claimed(self) -> int:
        """How many rows are claimed now."""

    def backlog(self, after_queue_id: int, limit: int, campaign_id: int | None = None) -> list[tuple[int, int, str]]:
        """Return queues of running campaigns with new rows: (queue_id, campaign_id, domain), by id, after that one.

        ``campaign_id``: only those of that campaign.
        """

    def due_queues(
        self, now: float, limit: int, after: tuple[float, int] = (-1.0, 0), campaign_id: int | None = None
    ) -> list[tuple[int, int, str, float]]:
        """Return queues of running campaigns with a row due at ``now``: (queue_id, campaign_id, domain, earliest).

        ``campaign_id``: only those of that campaign. Oldest first; ``after`` is the (earliest, queue_id) of the last
        one of the page before.
        """

    def next_due(self, campaign_id: int | None = None) -> float | None:
        """Return when the next waiting row of a running campaign (or of that one) is due; None when none waits."""

    def bring_forward(self, latest: float) -> None:
        """Let no row wait until later than this: where it does, the clock by which it was put off was wrong."""

    def claim(self, wanted: Iterable[tuple[int, int]], now: float) -> dict[int, list[Claimed]]:
        """For each (queue_id, limit) claim rows that are due at ``now``, oldest first, then new ones in input order.

        Queues of campaigns that are not running give nothing.
        """


class OutcomeStore(Protocol):
    """Outcomes of claimed rows."""

    def settle(self, settlements: Iterable[Settlement], given_back: Iterable[tuple[int, float]] = ()) -> int:
        """Write down what became of claimed rows; ``given_back``: (recipient_id, next_at) returned without a charge.

        Idempotent: a row that is not claimed (any more), or an attempt that is stored already, is passed over.
        Returns how many were taken. Raises ValueError, and writes nothing, for a settlement that contradicts itself.
        """

    def release(self, rows: Iterable[int | Claimed], next_at: float = 0.0) -> int:
        """Give claimed rows back without a charge: due at ``next_at``, with their Date, their attempts unchanged."""

    def cancel_rows(self, campaign_id: int, limit: int, now: float) -> int:
        """End up to ``limit`` unclaimed rows of a campaign: `cancelled`, or `unknown` where a copy may have arrived.

        Returns how many; 0: none is left.
        """

    def expire_rows(self, campaign_id: int, limit: int, now: float, note: str) -> int:
        """End up to ``limit`` unclaimed rows of a campaign because its schedule is over: `expired`, or `unknown`.

        ``note`` says when it was over. Returns how many; 0: none is left.
        """


class SiteStore(Protocol):
    """What is known of sites, kept for the next process. Losing it costs a lesson, never a message."""

    def site_facts(self, now: float) -> list[SiteFact]:
        """Return all facts that have not expired, the newest first; the expired are dropped."""

    def remember(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]] = ()) -> None:
        """Write facts, each in place of an earlier one, and remove the ``forgotten`` (site, fact)."""

    def policies(self, now: float) -> list[ReceiverPolicy]:
        """Return the receivers' policies that have not expired, the newest first; the expired are dropped."""

    def keep_policies(self, policies: Iterable[ReceiverPolicy]) -> None:
        """Write the policies of receivers, each in place of an earlier one."""


class EventStore(Protocol):
    """The stream of events; see `events.Events`."""

    def remember_events(self, bounds: EventBounds | None) -> None:
        """Note events from now on within these bounds, or none (None)."""


class SignStore(Protocol):
    """Signs of life, for those who look at the spool from outside."""

    def give_sign(self, sign: Sign) -> None:
        """Write the sign of this process in place of its machine's last one."""


class Store(
    BudgetStore,
    CampaignStore,
    EventStore,
    HoldStore,
    IntakeStore,
    ClaimStore,
    OutcomeStore,
    SiteStore,
    SignStore,
    SuppressionStore,
    LateStore,
    ClickStore,
    Protocol,
):
    """The durable state. One thread."""

    def recover(self, journalled: Journalled, boot: str, retry: RetrySettings, now: float) -> Recovered:
        """Settle or give back every row that the last run of this machine left claimed; once, before the first claim.

        See `Settling.settle_left`. A journal is trusted that is whole and of this boot: it is not synced, and what it
        held at a power cut may be gone. ``boot`` "" means unknown. Raises Refused for a database that knows less than
        the journal, which is an older state.
        """

    def close(self) -> None:
        """Close the database. Rows still claimed are found by the next `recover`."""


def refused(address: str, message: str) -> Refused:
    """Return the refusal of one file, folder or database, as a problem of it. No password is shown."""
    return Refused([Problem(public(address), 0, 0, message)])


def check_whole(database: Statements, address: str) -> None:
    """Raise Refused for a spool that has been copied elsewhere, or that is a copy and not whole."""
    moved = database.execute("meta", (MOVED,)).fetchone()
    if moved is not None:
        raise refused(address, f"was copied to {moved[0]}; use that one")
    if database.execute("meta", (COPYING,)).fetchone() is not None:
        raise refused(address, "is an unfinished copy; run `bulkmail spool copy` again")
