"""Scans the spool for queues with something to send, and knows when it must scan again.

It scans when rows were added, when a recipient becomes due, and when there is room for another queue. A request that
comes during a scan is kept: a row that was stored a moment after its page was read is found too.

Each campaign is scanned for itself, a page of each in turn: one with a hundred thousand domains neither fills all the
room nor has to be read to its end before another one's queues are found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from twisted.internet.task import deferLater

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.run import Run
from bulkmail.mail import OwnFault
from bulkmail.spool import Spool

_PAGE = 500
_TOGETHER = 25  # queues opened in one turn of the event loop, at some 100 us each
_SHORTLY = 0.25  # seconds: retries come spread out; those due within this time are looked for together
_LATER = 1.0  # seconds until due rows are looked for again whose lane is suspended, or for which there was no room


@dataclass(slots=True)
class _Place:
    """How far the backlog of a campaign is read: up to the queue ``after``; ``seen``: that was its end."""

    after: int = 0
    seen: bool = False
    rescans: int = 0

    def again(self) -> None:
        """Read it from its beginning."""
        self.after, self.seen = 0, False
        self.rescans += 1


class QueueScan:
    """Calls ``found(queue_id, campaign_id, domain)`` for each queue of ``runs``, while there is ``room(run)``."""

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        pause: Pause,
        runs: Mapping[int, Run],
        found: Callable[[int, int, str], None],
        room: Callable[[Run], bool],
    ) -> None:
        self._spool = spool
        self._clocks = clocks
        self._pause = pause
        self._runs = runs
        self._found = found
        self._room = room
        self._places: dict[int, _Place] = {}
        self._due = True
        self._scanning = self._again = self._stopped = False
        self._scan_soon = Wakeup(clocks.reactor, self._start)
        self._due_timer = Wakeup(clocks.reactor, self._scan_due)

    @property
    def done(self) -> bool:
        """Whether every queue was found."""
        return not self._scanning and not self._again and all(self._place(run).seen for run in self._runs.values())

    def rescan(self, run: Run | None = None) -> None:
        """Look at everything again, or at all of one campaign: there may be rows that were not seen."""
        for one in self._runs.values() if run is None else [run]:
            self._place(one).again()
        self._due = True
        self._scan_soon.now()

    def room_again(self) -> None:
        """Go on with a scan that had stopped for want of room."""
        if not all(place.seen for place in self._places.values()):
            self._scan_soon.now()

    def due_at(self, wall: float) -> None:
        """Scan when a recipient becomes due, at ``wall`` on the wall clock."""
        self._due_timer.at(self._clocks.now() + max(0.0, wall - self._clocks.wall()) + 0.001)

    def stop(self) -> None:
        """Scan no more."""
        self._stopped = True
        self._scan_soon.cancel()
        self._due_timer.cancel()

    def _place(self, run: Run) -> _Place:
        place = self._places.get(run.id)
        if place is None:
            place = self._places[run.id] = _Place()
        return place

    def _scan_due(self) -> None:
        self._due = True
        self._scan_soon.now()

    def _start(self) -> None:
        if self._stopped or self._pause.paused:
            return  # the end of the pause looks at everything
        if self._scanning:
            self._again = True
            return
        self._scanning = True
        background(self._scan(), "scanning for recipients to send to")

    async def _scan(self) -> None:
        try:
            for gone in self._places.keys() - self._runs.keys():
                del self._places[gone]
            if self._due:
                self._due = False
                await self._find_due()
            await self._in_turn(list(self._runs.values()), self._find_new)
            await self._plan_next()
        except OwnFault as fault:
            if not self._stopped:  # else the spool may be closed already
                self._pause.own_fault(str(fault))
        finally:
            self._scanning = False
        if self._again:
            self._again = False
            self._scan_soon.now()

    async def _in_turn(self, runs: Sequence[Run], page_of: Callable[[Run], Awaitable[bool]]) -> None:
        """Read a page of each campaign in turn, until there are no more or there is no room."""
        left = list(runs)
        while left:
            for run in list(left):
                if self._stopped or not self._room(run) or not await page_of(run):
                    left.remove(run)

    async def _find_due(self) -> None:
        reached: dict[int, tuple[float, int]] = {}

        async def page_of(run: Run) -> bool:
            after = reached.get(run.id, (-1.0, 0))
            page = await self._spool.due_queues(self._clocks.wall(), _PAGE, after, run.id)
            await self._tell([(queue_id, campaign_id, domain) for queue_id, campaign_id, domain, _ in page])
            if page:
                reached[run.id] = page[-1][3], page[-1][0]
            return len(page) == _PAGE

        await self._in_turn(list(self._runs.values()), page_of)

    async def _find_new(self, run: Run) -> bool:
        place = self._place(run)
        if place.seen:
            return False
        rescans = place.rescans
        page = await self._spool.backlog(place.after, _PAGE, run.id)
        await self._tell(page)
        if rescans == place.rescans:  # else rows may have come to a queue behind this page
            place.after = page[-1][0] if page else place.after
            place.seen = len(page) < _PAGE
        return not place.seen

    async def _tell(self, page: Sequence[tuple[int, int, str]]) -> None:
        for n, (queue_id, campaign_id, domain) in enumerate(page, 1):
            if self._stopped:
                return
            self._found(queue_id, campaign_id, domain)
            if n % _TOGETHER == 0:
                await deferLater(self._clocks.reactor, 0.0)

    async def _plan_next(self) -> None:
        """Plan the scan that finds the next due recipient."""
        for run in list(self._runs.values()):
            run.next_try_at = due = await self._spool.next_due(run.id)
            if due is not None and not run.withheld:  # else its release scans
                now = self._clocks.wall()
                self.due_at(max(due, now + (_LATER if due <= now else _SHORTLY)))
