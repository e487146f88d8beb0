"""Campaigns that stop before their end and were not told to: behind the first attempts with `--once`, and for faults.

A campaign whose own fault holds it, or whose list cannot be read on, ends as stopped; the others go on.
"""

from __future__ import annotations

from bulkmail.delivery.background import background
from bulkmail.delivery.lifecycle.ending import Ending
from bulkmail.delivery.lifecycle.first_round import FirstRound
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.delivery.lifecycle.stopping import Stopping
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run


class OwnStops:
    """Stops what is to be stopped; ``look`` once a second. ``once``: all stop after each row's first attempt.

    In a ``rehearsal`` nobody resumes what a rule holds.
    """

    def __init__(
        self,
        feeder: Feeder,
        first_round: FirstRound,
        progress: Progress,
        ending: Ending,
        stopping: Stopping,
        *,
        once: bool,
        rehearsal: bool,
    ) -> None:
        self._feeder = feeder
        self._first_round = first_round
        self._progress = progress
        self._ending = ending
        self._stopping = stopping
        self._once, self._rehearsal = once, rehearsal
        self._asking = False  # whether the first round is over

    def look(self) -> None:
        """Stop the campaigns that are to be stopped."""
        if self._once and not self._asking:
            self._asking = True
            background(self._stop_behind_first_round(), "stopping after the first attempts")
        for run in self._own():
            if not run.over and self._is_to_stop(run):
                background(self._ending.stop(run), "stopping a campaign")

    def _own(self) -> list[Run]:
        """Return the campaigns that this machine was given."""
        return [run for run in self._feeder.runs.values() if not run.helped]

    def _is_to_stop(self, run: Run) -> bool:
        if run.holds.fault:
            waited = self._feeder.withholding.lasts(run.name)
            # what is in flight is most likely of other campaigns
            return not self._feeder.open_queues.in_flight or waited > self._stopping.within
        if self._rehearsal and run.holds.by_rule and self._feeder.idle:
            return run.holds.whole or self._progress.only_held(run)
        return run.broken and self._feeder.idle

    async def _stop_behind_first_round(self) -> None:
        try:
            for run in self._own():
                if await self._first_round.over(run) and not run.over:
                    await self._stopping.stop()
                    break
        finally:
            self._asking = False
