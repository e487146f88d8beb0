"""The spool as the event loop sees it: Deferreds in front of the one writer thread.

What arrives together is written together: outcomes (`outcomes.py`), what comes back (`gathering.py`), and claims that
ask in one turn of the loop or while the claim before them is being written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.mail import Found, OwnFault
from bulkmail.spool.arrivals import Arrival, Recorded
from bulkmail.spool.contract import Store
from bulkmail.spool.gathering import Gathering
from bulkmail.spool.journal import Journal
from bulkmail.spool.outcomes import Outcomes
from bulkmail.spool.place import Lock
from bulkmail.spool.postgres.leases import Leases
from bulkmail.spool.rows import Claimed, Recovered, Settlement
from bulkmail.spool.writer import Reactor, Writer

_log = Logger("bulkmail")

P = ParamSpec("P")
T = TypeVar("T")
Asked = tuple[int, int, Deferred[list[Claimed]]]

_REST = 0.03  # seconds between two transactions for what comes back


def _in_writer(method: Callable[Concatenate[Store, P], T]) -> Callable[Concatenate[Spool, P], Deferred[T]]:
    """Return the store's method of that name, run in the writer thread."""
    name = method.__name__

    @wraps(method)
    def call(self: Spool, /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        if self._closed:
            return fail(OwnFault("the spool is closed"))
        return self._writer.call(partial(getattr(self._store, name), *args, **kwargs))

    return call


class Spool:
    """The durable state. Made by `open_spool`. Its Deferreds are not to be cancelled: the write happens anyway.

    ``journal`` is for the event loop's thread only. ``recovered`` says what the start found. ``on_fault`` is called
    with an OwnFault when outcomes cannot be written, and with None when they can again. ``leases``: which destinations
    are ours, where several machines share the spool; else None.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        writer: Writer,
        reactor: Reactor,
        *,
        clock: Callable[[], float],
        lock: Lock | None = None,
        recovered: Recovered | None = None,
        on_fault: Callable[[OwnFault | None], None] | None = None,
        leases: Leases | None = None,
    ) -> None:
        self.journal = journal
        self.leases = leases
        self.recovered = recovered or Recovered()
        self._store = store
        self._writer = writer
        self._reactor = reactor
        self._clock = clock
        self._lock = lock
        self._outcomes = Outcomes(store, journal, writer, reactor, on_fault=on_fault)
        self._arrivals: Gathering[Arrival, Recorded] = Gathering(store.record_late, writer, reactor, _REST)
        self._tokens: Gathering[str, Found | None] = Gathering(store.find_recipients, writer, reactor, _REST)
        self._closed = False
        self._asked: list[Asked] = []
        self._claiming = False

    create_campaign = _in_writer(Store.create_campaign)
    campaign = _in_writer(Store.campaign)
    campaigns = _in_writer(Store.campaigns)
    content = _in_writer(Store.content)
    input_files = _in_writer(Store.input_files)
    import_state = _in_writer(Store.import_state)
    update_content = _in_writer(Store.update_content)
    set_state = _in_writer(Store.set_state)
    still_claimed = _in_writer(Store.still_claimed)
    remove_campaign = _in_writer(Store.remove_campaign)
    hold = _in_writer(Store.hold)
    lift = _in_writer(Store.lift)
    lift_due = _in_writer(Store.lift_due)
    holds = _in_writer(Store.holds)
    held_times = _in_writer(Store.held_times)
    request_cancel = _in_writer(Store.request_cancel)
    cancel_requests = _in_writer(Store.cancel_requests)
    request_accept = _in_writer(Store.request_accept)
    accept_requests = _in_writer(Store.accept_requests)
    drop_accept_request = _in_writer(Store.drop_accept_request)
    report_is_whole = _in_writer(Store.report_is_whole)
    report_is_not_whole = _in_writer(Store.report_is_not_whole)
    has_whole_report = _in_writer(Store.has_whole_report)
    save_report_position = _in_writer(Store.save_report_position)
    save_plan = _in_writer(Store.save_plan)
    plan = _in_writer(Store.plan)
    try_now = _in_writer(Store.try_now)
    save_winner = _in_writer(Store.save_winner)
    winner = _in_writer(Store.winner)
    first_attempt_at = _in_writer(Store.first_attempt_at)
    attempts_after = _in_writer(Store.attempts_after)
    attempts_since = _in_writer(Store.attempts_since)
    last_outcomes = _in_writer(Store.last_outcomes)
    totals = _in_writer(Store.totals)
    add_rows = _in_writer(Store.add_rows)
    held_back = _in_writer(Store.held_back)
    settle_held = _in_writer(Store.settle_held)
    backlog = _in_writer(Store.backlog)
    due_queues = _in_writer(Store.due_queues)
    bring_forward = _in_writer(Store.bring_forward)
    next_due = _in_writer(Store.next_due)
    cancel_rows = _in_writer(Store.cancel_rows)
    expire_rows = _in_writer(Store.expire_rows)
    use_budget = _in_writer(Store.use_budget)
    warmup_days = _in_writer(Store.warmup_days)
    site_facts = _in_writer(Store.site_facts)
    remember = _in_writer(Store.remember)
    policies = _in_writer(Store.policies)
    keep_policies = _in_writer(Store.keep_policies)
    give_sign = _in_writer(Store.give_sign)
    token_key = _in_writer(Store.token_key)
    find_members = _in_writer(Store.find_members)
    settle_late = _in_writer(Store.settle_late)
    late_waits = _in_writer(Store.late_waits)
    late_counts = _in_writer(Store.late_counts)
    add_clicks = _in_writer(Store.add_clicks)
    clicks = _in_writer(Store.clicks)
    late_by_provider = _in_writer(Store.late_by_provider)
    suppress = _in_writer(Store.suppress)
    unsuppress = _in_writer(Store.unsuppress)
    forget_addresses = _in_writer(Store.forget_addresses)
    suppressed = _in_writer(Store.suppressed)
    suppressions_of = _in_writer(Store.suppressions_of)

    def __repr__(self) -> str:
        return f"<Spool unsettled={self.unsettled} fault={self.fault}>"

    @property
    def unsettled(self) -> int:
        """How many outcomes and rows given back are not durable yet: the back-pressure figure."""
        return len(self._outcomes)

    @property
    def may_suppress(self) -> bool:
        """Whether there may be suppressions, so that `suppressed` has to be asked before a message is sent."""
        return self._store.may_suppress

    @property
    def fault(self) -> OwnFault | None:
        """Why outcomes cannot be written just now; None when they can."""
        if self.leases is not None and self.leases.unsure:
            return OwnFault(self.leases.unsure)
        return self._outcomes.fault

    def claim(self, queue_id: int, limit: int) -> Deferred[list[Claimed]]:
        """Claim up to ``limit`` rows of a queue; fires with them when the claim is durable. Fails with OwnFault."""
        if self._closed:
            return fail(OwnFault("the spool is closed"))
        answer: Deferred[list[Claimed]] = Deferred()
        self._asked.append((queue_id, limit, answer))
        if not self._claiming:
            self._claiming = True
            self._reactor.callLater(0, self._claim)
        return answer

    def settle(self, settlement: Settlement) -> Deferred[None]:
        """Write down what became of a claimed row; fires when that is durable, however long it takes."""
        return fail(OwnFault("the spool is closed")) if self._closed else self._outcomes.add((settlement,))

    def note(self, settlement: Settlement) -> None:
        """`settle` without a Deferred, as nearly every message ends; a settlement that contradicts itself is logged."""
        if self._closed:
            _log.error("an outcome came when the spool was closed, and is not stored", item=settlement)
        else:
            self._outcomes.note(settlement)

    def release(self, rows: Iterable[int | Claimed], next_at: float = 0.0) -> Deferred[None]:
        """Give claimed rows back without a charge, due at ``next_at``; fires when that is durable."""
        if self._closed:
            return fail(OwnFault("the spool is closed"))
        return self._outcomes.add([(row if isinstance(row, int) else row.id, next_at) for row in rows])

    def record_late(self, arrival: Arrival) -> Deferred[Recorded]:
        """Write down what came back; fires when that is durable. Fails with OwnFault: bring it again."""
        return fail(OwnFault("the spool is closed")) if self._closed else self._arrivals.add(arrival)

    def find_recipient(self, token: str) -> Deferred[Found | None]:
        """Return what is known of a token; see `arrivals.LateStore.find_recipients`."""
        return fail(OwnFault("the spool is closed")) if self._closed else self._tokens.add(token)

    def flushed(self) -> Deferred[None]:
        """Write what is buffered at once, not after 0.25 s; fires when nothing is left to write."""
        return self._outcomes.flushed()

    async def close(self) -> None:
        """Write what is left and close. Raises OwnFault, all closed, when it could not be written (the journal has it).

        Rows still claimed are left for the next start to find.
        """
        self._closed = True
        if self.leases is not None:
            self.leases.stop()
        gathering = (self._arrivals, self._tokens)
        for one in gathering:
            one.hurry()
        while self._claiming or any(one.busy for one in gathering):
            await self._writer.call(lambda: None)
        try:
            await self._outcomes.close()
        finally:
            await self._writer.call(self._store.close)
            await self._writer.stop()
            self.journal.close()
            if self._lock is not None:
                self._lock.release()

    def _claim(self) -> None:
        asked, self._asked = self._asked, []
        if not asked:
            self._claiming = False
            return
        kept = self._outcomes.fault is not None
        work = self._outcomes.tried().addCallback(lambda _: self._claimed(asked)) if kept else self._claimed(asked)
        work.addCallbacks(_hand_out, _turn_down, callbackArgs=(asked,), errbackArgs=(asked,))
        work.addErrback(lambda failure: _log.failure("handing out claimed rows failed", failure))
        work.addCallback(lambda _: self._claim())

    def _claimed(self, asked: Sequence[Asked]) -> Deferred[dict[int, list[Claimed]]]:
        if self.fault is not None:
            return fail(self.fault)
        limits: dict[int, int] = {}
        for queue_id, limit, _ in asked:
            limits[queue_id] = limits.get(queue_id, 0) + limit
        return self._writer.call(partial(self._store.claim, list(limits.items()), self._clock()))


def _hand_out(got: dict[int, list[Claimed]], asked: Sequence[Asked]) -> None:
    for queue_id, limit, answer in asked:
        rows = got[queue_id]
        got[queue_id] = rows[limit:]
        answer.callback(rows[:limit])


def _turn_down(failure: Failure, asked: Sequence[Asked]) -> None:
    for _, _, answer in asked:
        answer.errback(failure)
