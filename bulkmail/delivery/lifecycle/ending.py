"""The end of a campaign: its outcomes are written, then its state, then its report; then its exit status is told.

It ends with its last row, or is cancelled or stopped before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.delivery.background import background, until
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.cancelling import AtRest
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.exit_status import DONE, STOPPED
from bulkmail.mail import OwnFault
from bulkmail.spool import CANCELLED, CANCELLING, ENDED, Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

_TRY_AGAIN = 5.0


class Ending:
    """Ends campaigns, each once. ``hurried``: do not wait for what cannot be written.

    ``lists``: being read for them; ``at_rest`` ends the rows of those that are cancelled; ``ended(run, state)`` is
    called when the last report of one was written, or could not be.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        feeder: Feeder,
        compose: Pool,
        lists: ListReading,
        at_rest: AtRest,
        reporting: Reporting,
        progress: Progress,
        ended: Callable[[Run, str], None],
    ) -> None:
        self.hurried = False
        self.progress = progress
        self._reactor: Any = clocks.reactor
        self._spool = spool
        self._wall = clocks.wall
        self._feeder = feeder
        self._compose = compose
        self._lists = lists
        self._at_rest = at_rest
        self._reporting = reporting
        self._has_ended = ended
        self._ended: dict[int, Deferred[int]] = {}

    def of(self, run: Run) -> Deferred[int]:
        """Fires with the exit status of a campaign that begins now, at its end."""
        ended = self._ended[run.id] = Deferred()
        return ended

    async def all(self) -> None:
        """Wait until every campaign that has begun has ended."""
        await until(self._reactor, lambda: not self._ended)

    def changed(self, run: Run) -> None:
        """Report that a row has a new status; end the campaign with its last row."""
        self._reporting.changed(run)
        if run.complete and not run.over and not run.helped:
            run.over = True
            background(self._finish(run), "finishing a campaign")

    async def _finish(self, run: Run) -> None:
        """Write all outcomes and the report, and end the campaign: every row is final."""
        await self.written()
        _log.info("{line}", line=self.progress.ended(run), campaign=run.name)
        await self._close(run, "finished", DONE)

    def cancel(self, run: Run) -> None:
        """End a campaign that is being sent here, and that the spool has as cancelling."""
        if not run.over:
            run.over = True
            background(self._cancel(run), "cancelling a campaign")

    async def _cancel(self, run: Run) -> None:
        self._feeder.take_back(run)
        await self._lists.ended(run)
        settled = await self._at_rest.settle(run)
        if not settled:  # the process stops; the next start goes on
            await self.written()
        state = CANCELLED if settled else CANCELLING
        _log.info("{line}", line=self.progress.ended(run, state), campaign=run.name)
        await self._close(run, state, STOPPED)

    async def stop(self, run: Run) -> None:
        """End a campaign before its last row; the next start goes on with it."""
        run.over = True
        await self.written()
        await self._close(run, "stopped", STOPPED)

    async def _close(self, run: Run, state: str, exit_status: int) -> None:
        """End a campaign in this state; no outcome of it comes any more."""
        now = self._wall()
        while not self._over and not await self._written_down(run, state, now, exit_status):
            if self._spool.leases is None or self._feeder.stopping:
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

        def given_up() -> bool:
            return self._feeder.stopping and (self._spool.fault is not None or self.hurried)

        await until(self._reactor, lambda: written.called or given_up())

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
