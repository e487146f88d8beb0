"""When every recipient had a first attempt, for `--once`: alone, or counted over all machines that share a spool.

A suspended site is tried with one recipient, and the others wait for it: they count as attempted. On a shared spool
every machine writes down which of its queues wait for a suspended site, whether or not a machine runs with `--once`;
all other recipients are counted in the spool.
"""

from __future__ import annotations

from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.mail import OwnFault
from bulkmail.spool import Leases

_log = Logger("bulkmail")

_AGAIN = 30.0  # seconds; a campaign that was stopped and started meanwhile has forgotten it


class FirstRound:
    """``look`` once a second. ``leases``: of a shared spool, else None."""

    def __init__(self, *, feeder: Feeder, clocks: Clocks, pause: Pause, leases: Leases | None) -> None:
        self._feeder = feeder
        self._clocks = clocks
        self._pause = pause
        self._leases = leases
        self._telling = False

    def look(self) -> None:
        """Tell the other machines which queues of this one wait for a suspended site."""
        if self._leases is None or self._telling or self._leases.over:
            return
        now = self._clocks.now()
        resting = [
            queue
            for lane in self._feeder.lanes.values()
            if lane.suspended
            for queue in self._feeder.open_queues.supply_of(lane)
            if now - queue.told_at > _AGAIN
        ]
        if resting:
            self._telling = True
            for queue in resting:
                queue.told_at = now
            background(self._tell(self._leases, [queue.id for queue in resting]), "telling which sites rest")

    async def _tell(self, leases: Leases, queue_ids: list[int]) -> None:
        try:
            await leases.rest(queue_ids)
        except OwnFault as fault:
            self._pause.own_fault(str(fault))  # told again in a while
        finally:
            self._telling = False

    async def over(self, run: Run) -> bool:
        """Return whether each row of this campaign had a first attempt, or waits for a site that cannot be used.

        Or for a provider where a rule has stopped it.
        """
        if not run.import_done or any(hold.kind != "rule" for hold in run.holds.active):
            return False
        if self._leases is None or run.holds.active:  # where a rule has stopped it nothing is tried by itself
            return self._feeder.idle
        if not run.by_status["pending"]:
            return True
        try:
            return await self._leases.first_round_over(run.id, self._clocks.wall())
        except OwnFault as fault:
            self._pause.own_fault(str(fault))
            return False
