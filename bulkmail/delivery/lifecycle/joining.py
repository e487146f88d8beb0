"""Helping to send the campaigns of a shared spool that another machine opened, and counting what all of them send.

The machine that was given the campaign's folder reads its input and writes its report; the others need neither: what
enters a message is in the spool. They join every running campaign, and leave it when it ends or is stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.delivery.assembly import Assembly
from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.cluster import Leasing, reread_facts
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.mail import OwnFault, Status
from bulkmail.settings import Retry
from bulkmail.spool import RUNNING, CampaignRow, Leases, Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

_RECOVER_EVERY = 5.0  # seconds


class Joining:
    """Joins and leaves campaigns. Call ``look`` when a state may have changed, ``each_second`` to refresh the totals.

    ``own``: the names of the campaigns that this machine was given.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        leases: Leases,
        feeder: Feeder,
        clocks: Clocks,
        pause: Pause,
        compose: Pool,
        retry: Retry,
        scheduling: Scheduling,
        changed: Callable[[Run], None],
    ) -> None:
        self.own: set[str] = set()
        self._spool = spool
        self._leases = leases
        self._feeder = feeder
        self._clocks = clocks
        self._pause = pause
        self._compose = compose
        self._retry = retry
        self._scheduling = scheduling
        self._changed = changed
        self._news: Callable[[], None] = lambda: None
        self._joined: dict[int, Run] = {}
        self._digests: dict[int, Any] = {}  # of what enters their messages
        self._looking = self._again = self._counting = False
        self._recovered_at = 0.0

    def begin(self, own: str) -> None:
        """Look for the first time; ``own`` is the campaign that is about to be sent from here, if any."""
        if own:
            self.own.add(own)
        self.look()

    def on_news(self, call: Callable[[], None]) -> None:
        """Call ``call()`` whenever others may have changed what is to be done with campaigns."""
        self._news = call

    def look(self) -> None:
        """Look for campaigns to help with: states may have changed."""
        self._news()
        if self._looking:
            self._again = True
            return
        self._looking = True
        background(self._look(), "looking for campaigns to help with")

    async def take_over(self, name: str) -> str:
        """Take a campaign whose folder was given to this machine; return the machine that has it, "" for this one."""
        self.own.add(name)
        for run in [run for run in self._joined.values() if run.name == name]:
            self._leave(run)
        key = _key(name)
        if await self._leases.take(key):
            return ""
        return await self._leases.holder(key) or "another machine"

    async def give_up(self, name: str) -> None:
        """Let the lease on a campaign go: it has ended here, whichever way."""
        self.own.discard(name)
        try:
            await self._leases.let_go([_key(name)])
        except OwnFault as fault:
            _log.warn(
                "the lease on {campaign} could not be let go, and runs out by itself: {fault}",
                campaign=name,
                fault=fault,
            )

    def each_second(self) -> None:
        """Count, and from time to time take over what the dead have left."""
        if not self._counting and not self._leases.over:
            self._counting = True
            background(self._count(), "counting what all machines have sent")

    async def _look(self) -> None:
        try:
            for row in await self._spool.campaigns():
                joined = self._joined.get(row.id)
                if row.state != RUNNING:
                    if joined is not None:
                        _log.info(
                            "{campaign} is {state}; this machine helps no more", campaign=row.name, state=row.state
                        )
                        self._leave(joined)
                    continue
                if joined is not None and self._digests[row.id] != row.digests:
                    _log.info("{campaign} was changed; what is not sent yet is composed anew", campaign=row.name)
                    self._leave(joined)
                if row.id not in self._feeder.runs and row.name not in self.own:
                    await self._join(row)
        except OwnFault as fault:
            self._pause.own_fault(str(fault))
            self._again = True
        finally:
            self._looking = False
        if self._again and not self._feeder.stopping:
            self._again = False
            self._clocks.reactor.callLater(1.0, self.look)

    async def _join(self, row: CampaignRow) -> None:
        content = await self._spool.content(row.id)
        run = Run(
            id=row.id,
            name=row.name,
            folder=row.folder,
            content=content,
            on_unknown=row.on_unknown,
            started_at=row.started_at or self._clocks.wall(),
            input_rows=row.input_rows,
            import_done=row.import_done,
            shared=True,
            helped=True,
            list_name=row.list,
            kind=row.kind,
        )
        await self._scheduling.begin(run)
        if row.name in self.own or self._feeder.stopping:
            return
        self._joined[run.id] = run
        self._digests[run.id] = row.digests
        self._compose.set_up(run.id, ("load", run.id, run.content))
        self._feeder.runs[run.id] = run
        self._feeder.rescan()
        _log.info("this machine helps to send {campaign}", campaign=row.name)

    def _leave(self, run: Run) -> None:
        run.over = True
        del self._joined[run.id], self._digests[run.id]
        self._feeder.runs.pop(run.id, None)
        self._feeder.take_back(run)
        self._compose.tear_down(run.id, ("forget", run.id))

    async def _count(self) -> None:
        try:
            for run in list(self._feeder.runs.values()):
                totals = await self._spool.totals(run.id)
                counted = Counter({key: count for key, count in totals.items() if key[1] != Status.PENDING})
                news = counted != run.totals
                run.counted(counted)
                if run.helped:
                    row = await self._spool.campaign(run.name)
                    if row is not None:
                        run.input_rows, run.import_done = row.input_rows, row.import_done
                elif news:
                    self._changed(run)
            now = self._clocks.now()
            if now - self._recovered_at > self._clocks.scaled(_RECOVER_EVERY):
                self._recovered_at = now
                found = await self._leases.recover_others(self._retry, self._clocks.wall())
                if any(found.counts):
                    _log.warn("taken over from machines that are gone: {found}", found=found)
                    self._feeder.rescan()
        except OwnFault as fault:
            self._pause.own_fault(str(fault))
        finally:
            self._counting = False


def _key(name: str) -> str:
    return f"campaign {name}"


def machines_joined(
    parts: Assembly, sync: SiteFactSync, *, retry: Retry, scheduling: Scheduling, changed: Callable[[Run], None]
) -> tuple[Joining | None, Leasing | None]:
    """Make what only machines on a shared spool have; no such parts on one that is ours alone."""
    spool, leases = parts.spool, parts.spool.leases
    if leases is None:
        return None, None

    def facts_taken_away() -> None:
        background(reread_facts(sync, parts.feeder, parts.limiters, parts.clocks), "reading what is known of sites")

    def flushed() -> Deferred[None]:
        background(sync.close(), "writing site facts")  # the next holder reads it
        return spool.flushed()

    joining = Joining(
        spool=spool,
        leases=leases,
        feeder=parts.feeder,
        clocks=parts.clocks,
        pause=parts.pause,
        compose=parts.compose,
        retry=retry,
        scheduling=scheduling,
        changed=changed,
    )

    def states() -> None:
        joining.look()
        scheduling.steering.look()

    leasing = Leasing(
        leases=leases,
        feeder=parts.feeder,
        clocks=parts.clocks,
        limiters=parts.limiters,
        states=states,
        facts=facts_taken_away,
        news_of=sync.news_of,
        flushed=flushed,
    )
    return joining, leasing
