"""The campaigns of one process: opening and beginning each of them, from the command to send it until it has ended.

What ends a campaign is `ending`, and what stops the process's campaigns `stopping`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.logger import Logger

from bulkmail.delivery.lifecycle.cancelling import AtRest
from bulkmail.delivery.lifecycle.ending import Ending
from bulkmail.delivery.lifecycle.joining import Joining
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.lifecycle.notifying import Notifying
from bulkmail.delivery.lifecycle.opening import Opened, Prepared
from bulkmail.delivery.lifecycle.progress import about_lists, figures_in_words
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.lifecycle.taking_up import TakingUp
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.exit_status import DONE, STOPPED
from bulkmail.mail import Refused
from bulkmail.spool import CANCELLED, CANCELLING, RUNNING, CampaignRow, Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

Before = Callable[[CampaignRow], Awaitable[None]]


class Campaigns:
    """Sends campaigns. ``exit_status`` of a campaign: 0 every row final, 3 stopped before, 1 refused.

    ``at_rest`` ends cancelled campaigns that are not being sent. ``joining``: on a spool that machines share.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        feeder: Feeder,
        compose: Pool,
        taking_up: TakingUp,
        lists: ListReading,
        scheduling: Scheduling,
        at_rest: AtRest,
        notifying: Notifying,
        ending: Ending,
        joining: Joining | None = None,
    ) -> None:
        self._spool = spool
        self._feeder = feeder
        self._compose = compose
        self._taking_up = taking_up
        self._lists = lists
        self._scheduling = scheduling
        self._at_rest = at_rest
        self._notifying = notifying
        self._ending = ending
        self.joining = joining
        self.accepting, self.refusals = taking_up.accepting, taking_up.refusals
        self.steering = scheduling.steering
        self.withholding = feeder.withholding
        self.progress = ending.progress
        self._begun: dict[str, Run] = {}  # by folder

    @property
    def choose(self) -> Callable[..., Awaitable[None]]:
        """What chooses the variant that the rest of a campaign gets."""
        return self._scheduling.comparing.choose

    async def send(self, prepared: Prepared, *, accept_changes: bool, before: Before | None = None) -> int:
        """Send one campaign to its end, or the process's; returns its exit status. Raises Refused before that.

        ``before(row)`` is awaited when the campaign is in the spool and nothing of it can be sent yet; what it raises
        ends the campaign for this time.
        """
        name = prepared.campaign.name
        if self.joining is not None and (holder := await self.joining.take_over(name)):
            what = f"name: {name!r} is being sent from machine {holder}; stop it there first"
            raise Refused([prepared.campaign.file.problem(("name",), what)])
        try:
            opened = await self._taking_up.open(prepared, accept_changes=accept_changes)
            return await self._send(prepared, opened, before)
        finally:
            if self.joining is not None:
                await self.joining.give_up(name)

    async def _send(self, prepared: Prepared, opened: Opened, before: Before | None) -> int:
        run, row = opened.run, opened.row
        self._begun[run.folder] = run
        run.shared = self.joining is not None
        if opened.finished:
            words = "{campaign} is {state}; nothing was sent. To send again, give it another name"
            _log.info(words, campaign=run.name, state=row.state)
            self._taking_up.report(prepared, opened)
            otherwise = row.exit_status or DONE
            return await self._ending.report(run, row.state, row.exit_status, row.ended_at, otherwise)
        if before is not None and row.state != CANCELLING:
            await before(row)
        with self._at_rest.opening(run.name):
            row = await self._spool.campaign(run.name) or row
            if row.state in (CANCELLING, CANCELLED):
                await self._at_rest.finish(row, prepared)
                return STOPPED
            importing = await self._lists.open(prepared, opened)
            await self._spool.set_state(run.id, RUNNING, run.started_at)
            self._notifying.begun(run, prepared.campaign, first=opened.row.started_at is None)
            self._taking_up.report(prepared, opened)
            await self._scheduling.begin(run)
            self._compose.set_up(run.id, ("load", run.id, run.content))
            self._feeder.runs[run.id] = run
        ended = self._ending.of(run)
        self._feeder.rescan()
        self._lists.begin(run, importing)
        if self._feeder.stopping:
            importing.stop()
            await self._ending.stop(run)
        elif await self._at_rest.opened(run):
            self._ending.cancel(run)
        try:
            return await ended
        finally:
            self._lists.forget(run)

    def running(self) -> list[tuple[str, Run]]:
        """Return the campaigns that are being sent, each with its folder."""
        return [(run.folder, run) for run in self._feeder.runs.values() if not run.over]

    def last_words(self, folder: str) -> list[str]:
        """Return the figures of the campaign that was sent from ``folder``, and what was noticed in its lists.

        Asked for once, at its end.
        """
        run = self._begun.pop(folder, None)
        return [] if run is None else ["", *figures_in_words(run), *about_lists(run.notices)]
