"""Looks into the spool for queues with something to send, and knows when it must look again.

It looks when it is told that there may be more, when a recipient becomes due, and when there is room for another
queue. A wish that comes while it looks is kept: what was stored a moment after its page was read is found too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.task import deferLater

from bulkmail.delivery.background import Wakeup, background
from bulkmail.mail import OwnFault
from bulkmail.spool import Spool

if TYPE_CHECKING:
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.street import Street

_PAGE = 500
_TOGETHER = 100  # queues opened in one turn of the event loop, at some 100 us each
_SHORTLY = 0.25  # retries come spread out; those due within this time are looked for together
_LATER = 1.0  # due rows that nobody could take just now: their lane rests, or there was no room


class Scout:
    """Tells ``found(queue_id, campaign_id, domain)`` of each queue, as long as there is ``room()``."""

    def __init__(
        self,
        *,
        spool: Spool,
        street: Street,
        runs: Mapping[int, Run],
        found: Callable[[int, int, str], None],
        room: Callable[[], bool],
    ) -> None:
        self._spool = spool
        self._street = street
        self._runs = runs
        self._found = found
        self._room = room
        self._after = 0  # the backlog is read up to this queue
        self._seen = False  # ... and that was its end
        self._mores = 0
        self._due = True
        self._looking = self._again = self._stopped = False
        self._look_soon = Wakeup(street.reactor, self._start)
        self._due_timer = Wakeup(street.reactor, self._look_for_due)

    @property
    def done(self) -> bool:
        """Whether everything there is was found."""
        return self._seen and not self._looking

    def more(self) -> None:
        """There may be rows that it has not seen: look at everything again."""
        self._after, self._seen, self._due = 0, False, True
        self._mores += 1
        self._look_soon.now()

    def go_on(self) -> None:
        """There is room again."""
        if not self._seen:
            self._look_soon.now()

    def due_at(self, wall: float) -> None:
        """A recipient becomes due at ``wall``."""
        self._due_timer.at(self._street.now() + max(0.0, wall - self._street.wall()) + 0.001)

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        self._look_soon.cancel()
        self._due_timer.cancel()

    def _look_for_due(self) -> None:
        self._due = True
        self._look_soon.now()

    def _start(self) -> None:
        if self._stopped or self._street.paused:
            return  # the end of the pause looks at everything
        if self._looking:
            self._again = True
            return
        self._looking = True
        background(self._look(), "looking for recipients to send to")

    async def _look(self) -> None:
        try:
            if self._due:
                self._due = False
                await self._find_due()
            await self._find_new()
            await self._look_ahead()
        except OwnFault as fault:
            if not self._stopped:  # else the spool may be closed already
                self._street.own_fault(str(fault))
        finally:
            self._looking = False
        if self._again:
            self._again = False
            self._look_soon.now()

    async def _find_due(self) -> None:
        after = (-1.0, 0)
        page = [(0, 0, "", 0.0)] * _PAGE
        while len(page) == _PAGE and not self._stopped and self._room():
            page = await self._spool.due_queues(self._street.wall(), _PAGE, after)
            await self._tell([(queue_id, campaign_id, domain) for queue_id, campaign_id, domain, _ in page])
            after = (page[-1][3], page[-1][0]) if page else after

    async def _find_new(self) -> None:
        while not self._seen and not self._stopped and self._room():
            mores = self._mores
            page = await self._spool.backlog(self._after, _PAGE)
            await self._tell(page)
            if mores == self._mores:  # else rows may have come to a queue behind this page
                self._after = page[-1][0] if page else self._after
                self._seen = len(page) < _PAGE

    async def _tell(self, page: Sequence[tuple[int, int, str]]) -> None:
        for n, (queue_id, campaign_id, domain) in enumerate(page, 1):
            if self._stopped:
                return
            self._found(queue_id, campaign_id, domain)
            if n % _TOGETHER == 0:
                await deferLater(self._street.reactor, 0.0)

    async def _look_ahead(self) -> None:
        """See to it that the next due recipient is found in time."""
        for run in list(self._runs.values()):
            run.next_try_at = due = await self._spool.next_due(run.id)
            if due is not None:
                now = self._street.wall()
                self.due_at(max(due, now + (_LATER if due <= now else _SHORTLY)))
