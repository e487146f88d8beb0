"""The whole store in PostgreSQL, as one machine has it; and this machine's incarnation.

A machine is known by its *identity*, kept in a folder of its own beside its journal; each start of its process is a new
*incarnation* with a number of its own, the epoch. An incarnation ends when it is closed, or when the others have not
heard of it for longer than its lease.

What an incarnation that ended had claimed. Leases on destinations are free as soon as it is declared over, so the
others go on with everything that was not claimed. Its claims wait for as long as an ambiguous message waits for its
retry (`unknown_after`): if the same machine comes back within that time, its journal tells which of them were sent,
which are ambiguous and which never left, and no recipient gets a second copy without need. Only then do others take
them, and without that journal its silence proves nothing: each of them is ambiguous, and is tried again at once if it
was the first time, later if not, or never (`on_unknown: keep`, or enough copies have left). A mark "its dot has begun"
in the database before each dot would tell more, at the price of a second write for every message; it is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.shaping import RetrySettings
from bulkmail.spool.booking import Booking
from bulkmail.spool.budgets import Budgets
from bulkmail.spool.campaigns import Campaigns
from bulkmail.spool.clicks import Clicks
from bulkmail.spool.holds import Holds
from bulkmail.spool.intake import Intake
from bulkmail.spool.journal import Journalled
from bulkmail.spool.late import LateEvents
from bulkmail.spool.postgres.claims import PostgresClaims
from bulkmail.spool.postgres.database import RECOVERED, ROWS, PostgresDatabase, open_database, refused, repeated
from bulkmail.spool.postgres.sharing import PostgresSharing
from bulkmail.spool.postgres.tables import PostgresTables
from bulkmail.spool.rows import ClaimState, Recovered, campaign_of
from bulkmail.spool.scrubbing import scrub
from bulkmail.spool.settling import Settling
from bulkmail.spool.signs import Signs
from bulkmail.spool.sites import Sites
from bulkmail.spool.suppressions import Suppressions


class PostgresStore(
    PostgresClaims, PostgresSharing, Budgets, Campaigns, Clicks, Holds, Intake, LateEvents, Settling, Sites, Signs
):
    """The durable state in PostgreSQL; see `contract.Store` and `shared.SharedStore`. For one thread.

    Raises Refused when the database cannot be used. ``on_unsure``: called, in this thread, with the reason why it is
    not known yet whether a commit was carried out.
    """

    _db: PostgresDatabase

    def __init__(
        self,
        dsn: str,
        *,
        identity: str,
        name: str = "",
        boot: str = "",
        lease: float = 15.0,
        on_unsure: Callable[[str], None] | None = None,
    ) -> None:
        database = open_database(dsn, on_unsure)
        self.identity = identity
        self.boot = boot
        self._db = database
        self._booking = Booking()
        self._tables = PostgresTables(database)
        try:
            self._begin_incarnation(name or identity, lease)
            scrub(database, ended_only=True)
        except BaseException:
            database.close()
            raise

    # the parts that are the same in every database, run again where the server gave a transaction up

    use_budget = repeated(Budgets.use_budget)
    create_campaign = repeated(Campaigns.create_campaign)
    campaign = repeated(Campaigns.campaign)
    campaigns = repeated(Campaigns.campaigns)
    content = repeated(Campaigns.content)
    input_files = repeated(Campaigns.input_files)
    import_state = repeated(Campaigns.import_state)
    update_content = repeated(Campaigns.update_content)
    set_state = repeated(Campaigns.set_state)
    still_claimed = repeated(Campaigns.still_claimed)
    remove_campaign = repeated(Campaigns.remove_campaign)
    hold = repeated(Holds.hold)
    lift = repeated(Holds.lift)
    lift_due = repeated(Holds.lift_due)
    holds = repeated(Holds.holds)
    held_times = repeated(Holds.held_times)
    request_cancel = repeated(Holds.request_cancel)
    cancel_requests = repeated(Holds.cancel_requests)
    request_accept = repeated(Holds.request_accept)
    accept_requests = repeated(Holds.accept_requests)
    drop_accept_request = repeated(Holds.drop_accept_request)
    try_now = repeated(Holds.try_now)
    save_winner = repeated(Holds.save_winner)
    winner = repeated(Holds.winner)
    first_attempt_at = repeated(Holds.first_attempt_at)
    report_is_whole = repeated(Holds.report_is_whole)
    report_is_not_whole = repeated(Holds.report_is_not_whole)
    has_whole_report = repeated(Holds.has_whole_report)
    totals = repeated(Campaigns.totals)
    attempts_after = repeated(Campaigns.attempts_after)
    attempts_since = repeated(Campaigns.attempts_since)
    last_outcomes = repeated(Campaigns.last_outcomes)
    save_report_position = repeated(Campaigns.save_report_position)
    save_plan = repeated(Campaigns.save_plan)
    plan = repeated(Campaigns.plan)
    add_rows = repeated(Intake.add_rows)
    held_back = repeated(Intake.held_back)
    settle_held = repeated(Intake.settle_held)
    settle = repeated(Settling.settle)
    cancel_rows = repeated(Settling.cancel_rows)
    expire_rows = repeated(Settling.expire_rows)
    site_facts = repeated(Sites.site_facts)
    remember = repeated(Sites.remember)
    policies = repeated(Sites.policies)
    keep_policies = repeated(Sites.keep_policies)
    give_sign = repeated(Signs.give_sign)
    suppress = repeated(Suppressions.suppress)
    unsuppress = repeated(Suppressions.unsuppress)
    forget_addresses = repeated(Suppressions.forget_addresses)
    record_late = repeated(LateEvents.record_late)
    settle_late = repeated(LateEvents.settle_late)
    add_clicks = repeated(Clicks.add_clicks)

    def __repr__(self) -> str:
        return f"<PostgresStore {self._db.path} epoch={self.epoch} claimed={self.claimed}>"

    @property
    def database(self) -> PostgresDatabase:
        """The connection, for tests that look at its tables."""
        return self._db

    @property
    def booking(self) -> Booking:
        """What is claimed, for tests that compare it with the tables."""
        return self._booking

    def close(self) -> None:
        """End this incarnation and close the connection. Its claims wait for the next start, or for the others."""
        try:
            self._end_incarnation()
        except OwnFault:
            pass  # the lease runs out by itself
        finally:
            self._db.close()

    def beat(self) -> None:
        """Keep this incarnation alive until its heartbeat runs."""
        with self._db.transaction("begin_reading"):
            self._db.execute("heartbeat", (self.epoch,))

    def elsewhere(self) -> bool:
        """Return whether an incarnation of this identity lives on another boot: on a copy of its folder."""
        with self._db.transaction("begin_reading"):
            earlier = self._db.execute("earlier_incarnations", (self.identity, self.epoch)).fetchall()
        return any(alive and boot != self.boot for _, boot, alive in earlier)

    @repeated
    def recover(self, journalled: Journalled, boot: str, retry: RetrySettings, now: float) -> Recovered:
        """Settle or give back what earlier incarnations of this machine left claimed; see `contract.Store.recover`."""
        summary = Recovered()
        with self._db.transaction("begin_reading"):
            earlier = self._db.execute("earlier_incarnations", (self.identity, self.epoch)).fetchall()
        self._check_not_behind(journalled, [epoch for epoch, *_ in earlier])
        for epoch, before, _ in earlier:
            trusted = before == boot != "" and journalled.found and not journalled.damaged
            found = self._recover_incarnation(epoch, journalled, trusted=trusted, retry=retry, now=now)
            summary = Recovered(*(one + more for one, more in zip(summary.counts, found.counts, strict=True)))
        return summary

    def _check_not_behind(self, journalled: Journalled, epochs: Iterable[int]) -> None:
        """Raise Refused for a database that knows less than this machine's journal."""
        if not journalled.replies:
            return
        with self._db.transaction("begin_reading"):
            newest = (self._db.execute("last_campaign").fetchone() or (0,))[0]
            ids = list({identity for identity, _ in journalled.replies})
            # in this order: what others take over in between counts as claimed and as an attempt, and not as neither
            claimed = {identity for epoch in epochs for identity, _ in self._left_by(epoch)}
            known: dict[int, int] = dict(self._db.execute("attempts_known", (ids,)).fetchall())
        for identity, number in journalled.replies:
            booked = known.get(identity)
            behind = campaign_of(identity) > newest if booked is None else number > booked + (identity in claimed)
            if behind:
                raise refused(
                    self._db.dsn,
                    "knows less than this machine's journal: it is an older state, and what was sent since would be "
                    "sent again; restore the newest one",
                )

    def recover_others(self, retry: RetrySettings, now: float) -> Recovered:
        """Take over the claims of machines that ended; see `shared.SharedStore.recover_others`."""
        with self._db.transaction("begin_reading"):
            ended = self._db.execute("recoverable", (retry.unknown_after,)).fetchall()
        summary = Recovered()
        for epoch, _ in ended:
            waited = retry.unknown_after
            found = self._recover_incarnation(epoch, Journalled(), trusted=False, retry=retry, now=now, waited=waited)
            summary = Recovered(*(one + more for one, more in zip(summary.counts, found.counts, strict=True)))
        return summary

    @repeated
    def _recover_incarnation(
        self,
        epoch: int,
        journalled: Journalled,
        *,
        trusted: bool,
        retry: RetrySettings,
        now: float,
        waited: float = 0.0,
    ) -> Recovered:
        with self._db.transaction():
            row = self._db.execute("lock_incarnation", (epoch,)).fetchone()
            if row is None or row[0] == RECOVERED:
                return Recovered()
            left = dict(self._left_by(epoch))
            found = self.settle_left(left, journalled, trusted=trusted, retry=retry, now=now, waited=waited)
            failpoint("mid-recovery")
            self._db.execute("drop_claims_of", (epoch,))
            self._db.execute("let_all_leases_go", (epoch,))
            self._db.execute("incarnation_recovered", (epoch,))
            self._db.notify(ROWS)
        return found

    def _left_by(self, epoch: int) -> Iterator[tuple[int, ClaimState]]:
        for identity, queue_id, claimed_at in self._db.execute("open_claimed", (epoch,)).fetchall():
            yield identity, ClaimState.new(0, queue_id, claimed_at)
        for identity, queue_id, *rest in self._db.execute("due_claimed", (epoch,)).fetchall():
            yield identity, ClaimState(0, queue_id, *rest)

    def _begin_incarnation(self, name: str, lease: float) -> None:
        with self._db.transaction():
            values = (self.identity, name, self.boot, lease, lease)
            epoch: int = (self._db.execute("begin_incarnation", values).fetchone() or (0,))[0]
        self._db.epoch = epoch

    @repeated
    def _end_incarnation(self) -> None:
        with self._db.transaction():
            self._db.execute("let_all_leases_go", (self.epoch,))
            self._db.execute("end_incarnation", (self.epoch,))
            # not by what is in memory: a claim may be committed without our having heard of it
            self._db.execute("nothing_left_to_recover", {"epoch": self.epoch})
            self._db.notify(ROWS)


def check_not_elsewhere(store: PostgresStore, folder: str) -> None:
    """Raise Refused where a copy of this machine's folder is at work on another machine."""
    if store.elsewhere():
        raise refused(
            store.database.dsn,
            f"knows this machine already, from elsewhere: {folder} is a copy of another machine's; "
            "remove the file machine-id in it",
        )
