"""The plan that a campaign is measured by: made once its list was read, and kept in the spool.

It is the plan of `bulkmail plan`, from the instant of the start: the rows by domain as the spool has them, the sites as
the sending has found them, and the limits of the settings. So no list is read and no domain looked up a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError, OwnFault, Status
from bulkmail.preflight import daily_budgets, demands, schedule_of, shared_paces
from bulkmail.routing import RouteFailure, Site, providers_of
from bulkmail.settings import Settings
from bulkmail.shaping import plan_flow
from bulkmail.spool import DomainRows, Reading, Spool, StoredPlan

_ROUTED = 500  # domains, those with most rows; each of the others counts as a site of its own
_AT_ONCE = 16
_AGAIN = 10.0  # seconds
_NEVER_SENT = (Status.INVALID, Status.SUPPRESSED, Status.DUPLICATE)


class Planning:
    """Makes the plans. ``read(work)`` calls ``work(reader)`` outside of the event loop; ``processes`` compose.

    ``settings``: gives them as they are now.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        read: Callable[[Callable[[Reading], Any]], Awaitable[Any]],
        route: Callable[[str], Awaitable[Site | RouteFailure]],
        settings: Callable[[], Settings],
        processes: int,
    ) -> None:
        self._spool = spool
        self._clocks = clocks
        self._read = read
        self._route = route
        self._settings = settings
        self._processes = processes
        self._again: dict[int, float] = {}  # run id -> when to begin again, inf while a plan is being made

    def look(self, run: Run) -> None:
        """See to it that a campaign whose list was read has its plan; called whenever something of it has changed."""
        if run.plan is None and run.import_done and not run.over and self._clocks.now() >= self._again.get(run.id, 0.0):
            self._again[run.id] = inf  # a long list takes longer than the time until it is tried again
            background(self._find(run), "planning a campaign")

    async def _find(self, run: Run) -> None:
        """Take the plan that the spool has, or make one; where another machine reads the list, it makes the plan."""
        try:
            plan = await self._spool.plan(run.id)
            if plan is None or plan.rows != run.input_rows:  # rows were added to a finished campaign
                if run.helped:
                    return
                plan = await self._made(run, anew=plan is not None)
                await self._spool.save_plan(run.id, plan)
        except OwnFault:
            return  # it is told by those who need the spool or the resolver to send
        finally:
            self._again[run.id] = self._clocks.now() + _AGAIN
        run.plan = plan

    async def _made(self, run: Run, *, anew: bool) -> StoredPlan:
        """Return the plan from the start on, or ``anew`` from now on, for the rows that are not settled yet."""
        domains, count = await self._read(lambda reader: reader.rows_by_domain(run.id, _ROUTED))
        sites: list[Site | RouteFailure | None] = []
        for n in range(0, len(domains), _AT_ONCE):
            asked = [Deferred.fromCoroutine(self._site(one.domain)) for one in domains[n : n + _AT_ONCE]]
            sites += await gatherResults(asked)
        routed = [(one.domain, _rows(one, anew), site) for one, site in zip(domains, sites, strict=True)]
        by = run.by_status
        wanted = by[Status.PENDING] + by[Status.DEFERRED]
        if not anew:
            wanted = run.input_rows - sum(by[status] for status in _NEVER_SENT)
        beyond = max(0, wanted - sum(rows for _, rows, _ in routed)) if count > len(domains) else 0
        settings = self._settings()
        providers = providers_of(settings)
        found, _ = demands(routed, settings, providers, beyond=beyond, more=count - len(domains), pool=run.pool)
        schedule = schedule_of(run.content, settings)
        now = self._clocks.wall() if anew else run.started_at
        warm = await self._spool.warmup_days() if settings.sources else {}
        daily = daily_budgets(found, settings, warm, now)
        flow = plan_flow(found, shared_paces(settings, self._processes), schedule, now, daily=daily)
        sent = flow.recipients - flow.left
        return StoredPlan(run.input_rows, now, flow.ends, round(sent / flow.sending, 3) if flow.sending else 0.0)

    async def _site(self, domain: str) -> Site | RouteFailure | None:
        try:
            return await self._route(domain)
        except BulkmailError:
            return None


def _rows(one: DomainRows, anew: bool) -> int:
    return max(0, one.rows - one.settled) if anew else one.rows
