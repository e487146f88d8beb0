"""The end of a campaign: its outcomes are written, then its state, then its report; then its exit status is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.joining import Joining
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.exit_status import STOPPED
from bulkmail.mail import OwnFault
from bulkmail.spool import ENDED, Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

LOOK_AGAIN = 0.05
_TRY_AGAIN = 5.0


class Ending:
    """Ends campaigns, each once. ``hurried``: do not wait for what cannot be written.

    ``ended(run, state)`` is called when the last report of one was written, or could not be.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        feeder: Feeder,
        reporting: Reporting,
        compose: Pool,
        joining: Joining | None,
        ended: Callable[[Run, str], None],
    ) -> None:
        self.hurried = False
        self._reactor: Any = clocks.reactor
        self._spool = spool
        self._wall = clocks.wall
        self._feeder = feeder
        self._reporting = reporting
        self._compose = compose
        self._joining = joining
        self._has_ended = ended
        self._ended: dict[int, Deferred[int]] = {}

    def of(self, run: Run) -> Deferred[int]:
        """Fires with the exit status of a campaign that begins now, at its end."""
        ended = self._ended[run.id] = Deferred()
        return ended

    async def all(self) -> None:
        """Wait until every campaign that has begun has ended."""
        while self._ended:
            await deferLater(self._reactor, LOOK_AGAIN)

    async def close(self, run: Run, state: str, exit_status: int) -> None:
        """End a campaign in this state; no outcome of it comes any more."""
        now = self._wall()
        while not self._over and not await self._written_down(run, state, now, exit_status):
            if self._joining is None or self._feeder.stopping:
                break  # the next start finds every row final
            await deferLater(self._reactor, _TRY_AGAIN)  # other machines are to know
        self._feeder.runs.pop(run.id, None)
        if self._over:
            await self._reporting.leave(run)
        else:
            exit_status = await self.report(run, state, exit_status, now, exit_status)
            self._has_ended(run, state)
        self._compose.tear_down(run.id, ("forget", run.id))
        self._ended.pop(run.id).callback(exit_status)

    async def report(
        self, run: Run, state: str, exit_status: int | None, ended_at: float | None, otherwise: int
    ) -> int:
        """Write the whole report, and of a campaign that has ended write down that it is whole.

        Returns ``otherwise``, or the exit status that asks for another start where the report could not be written.
        """
        if not await self._reporting.finish(run, state, exit_status, ended_at):
            _log.error("{campaign}: its last report could not be written; the next start writes it", campaign=run.name)
            return STOPPED
        if state in ENDED:
            try:
                await self._spool.report_is_whole(run.id)
            except OwnFault as fault:
                _log.error(
                    "{campaign}: that its report is whole was not stored: {fault}", campaign=run.name, fault=fault
                )
        return otherwise

    async def written(self) -> None:
        """Wait until all outcomes are in the spool; while stopping, give up at a fault: the journal has them."""
        written = self._spool.flushed()
        while not written.called:
            if self._feeder.stopping and (self._spool.fault is not None or self.hurried):
                return
            await deferLater(self._reactor, LOOK_AGAIN)

    @property
    def _over(self) -> bool:
        """Whether other machines have declared this incarnation over: then the campaigns are theirs to end."""
        return self._spool.leases is not None and self._spool.leases.over

    async def _written_down(self, run: Run, state: str, now: float, exit_status: int) -> bool:
        try:
            await self._spool.set_state(run.id, state, now, exit_status=exit_status)
        except OwnFault as fault:
            _log.error(
                "{campaign}: that it is {state} could not be written: {fault}",
                campaign=run.name,
                state=state,
                fault=fault,
            )
            return False
        return True
