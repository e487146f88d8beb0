"""The stop of the process: no new claims, what is in flight may finish, then every campaign is settled and ended."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from bulkmail.delivery.background import until
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.cancelling import AtRest
from bulkmail.delivery.lifecycle.ending import Ending
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.queueing import Feeder
from bulkmail.failpoints import failpoint


class Stopping:
    """Stops all campaigns of this process, once. ``within``: seconds that what is in flight may take then."""

    def __init__(
        self, *, clocks: Clocks, feeder: Feeder, lists: ListReading, ending: Ending, at_rest: AtRest, within: float
    ) -> None:
        self.within = within
        self._clocks = clocks
        self._feeder = feeder
        self._lists = lists
        self._ending = ending
        self._at_rest = at_rest
        self._stopped: Deferred[None] | None = None

    def hurry(self) -> None:
        """Stop at once: do not wait for what is in flight."""
        self._ending.hurried = True

    async def stop(self) -> None:
        """Start no new work, let what is in flight finish, then end every campaign."""
        if self._stopped is not None:
            await self._stopped
            return
        self._stopped = Deferred()
        try:
            await self._stop()
        finally:
            self._stopped.callback(None)

    async def _stop(self) -> None:
        clocks, feeder, ending = self._clocks, self._feeder, self._ending
        self._lists.stop_all()
        feeder.stop()
        failpoint("stopping")
        deadline, queues = clocks.now() + self.within, feeder.open_queues
        await until(clocks.reactor, lambda: not queues.in_flight or clocks.now() >= deadline or ending.hurried)
        queues.abort()
        await feeder.emptied(lambda: ending.hurried)
        await ending.written()
        for run in list(feeder.runs.values()):
            if run.helped:
                run.over = True
            elif not run.over:
                await ending.stop(run)
        await ending.all()
        await self._at_rest.over()
