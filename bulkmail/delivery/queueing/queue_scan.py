"""Scans the spool for queues with something to send, and knows when it must scan again.

It scans when rows were added, when a recipient becomes due, and when there is room for another queue. A request that
comes during a scan is kept: a row that was stored a moment after its page was read is found too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.task import deferLater

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.run import Run
from bulkmail.mail import OwnFault
from bulkmail.spool import Spool

_PAGE = 500
_TOGETHER = 100  # queues opened in one turn of the event loop, at some 100 us each
_SHORTLY = 0.25  # seconds: retries come spread out; those due within this time are looked for together
_LATER = 1.0  # seconds until due rows are looked for again whose lane is suspended, or for which there was no room


class QueueScan:
    """Calls ``found(queue_id, campaign_id, domain)`` for each queue, as long as there is ``room()``."""

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        pause: Pause,
        runs: Mapping[int, Run],
        found: Callable[[int, int, str], None],
        room: Callable[[], bool],
    ) -> None:
        self._spool = spool
        self._clocks = clocks
        self._pause = pause
        self._runs = runs
        self._found = found
        self._room = room
        self._after = 0  # the backlog is read up to this queue
        self._seen = False  # ... and that was its end
        self._rescans = 0
        self._due = True
        self._scanning = self._again = self._stopped = False
        self._scan_soon = Wakeup(clocks.reactor, self._start)
        self._due_timer = Wakeup(clocks.reactor, self._scan_due)

    @property
    def done(self) -> bool:
        """Whether every queue was found."""
        return self._seen and not self._scanning

    def rescan(self) -> None:
        """Look at everything again: there may be rows that were not seen."""
        self._after, self._seen, self._due = 0, False, True
        self._rescans += 1
        self._scan_soon.now()

    def room_again(self) -> None:
        """Go on with a scan that had stopped for want of room."""
        if not self._seen:
            self._scan_soon.now()

    def due_at(self, wall: float) -> None:
        """Scan when a recipient becomes due, at ``wall`` on the wall clock."""
        self._due_timer.at(self._clocks.now() + max(0.0, wall - self._clocks.wall()) + 0.001)

    def stop(self) -> None:
        """Scan no more."""
        self._stopped = True
        self._scan_soon.cancel()
        self._due_timer.cancel()

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
            if self._due:
                self._due = False
                await self._find_due()
            await self._find_new()
            await self._plan_next()
        except OwnFault as fault:
            if not self._stopped:  # else the spool may be closed already
                self._pause.own_fault(str(fault))
        finally:
            self._scanning = False
        if self._again:
            self._again = False
            self._scan_soon.now()

    async def _find_due(self) -> None:
        after = (-1.0, 0)
        page = [(0, 0, "", 0.0)] * _PAGE
        while len(page) == _PAGE and not self._stopped and self._room():
            page = await self._spool.due_queues(self._clocks.wall(), _PAGE, after)
            await self._tell([(queue_id, campaign_id, domain) for queue_id, campaign_id, domain, _ in page])
            after = (page[-1][3], page[-1][0]) if page else after

    async def _find_new(self) -> None:
        while not self._seen and not self._stopped and self._room():
            rescans = self._rescans
            page = await self._spool.backlog(self._after, _PAGE)
            await self._tell(page)
            if rescans == self._rescans:  # else rows may have come to a queue behind this page
                self._after = page[-1][0] if page else self._after
                self._seen = len(page) < _PAGE

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
