"""The campaigns of one process: opening, importing, sending, reporting, ending each of them.

From the command to send a campaign until its report is final. The parts are handed in by the incarnation; here each
campaign is opened and ended, regular work is done once a second, and at the end the parts are stopped in the order in
which no outcome is lost: no new claims, what is in flight may finish, then everything is settled, given back, written
and closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from bulkmail.campaign import sender_domain
from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.cluster import Leasing
from bulkmail.delivery.lifecycle.accepting import Accepting
from bulkmail.delivery.lifecycle.cancelling import AtRest
from bulkmail.delivery.lifecycle.ending import LOOK_AGAIN, Ending
from bulkmail.delivery.lifecycle.first_round import FirstRound
from bulkmail.delivery.lifecycle.joining import Joining
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.lifecycle.live import Live
from bulkmail.delivery.lifecycle.notifying import Notifying
from bulkmail.delivery.lifecycle.opening import Opened, Prepared, Report, open_campaign
from bulkmail.delivery.lifecycle.planning import Planning
from bulkmail.delivery.lifecycle.progress import Progress, about_lists, figures_in_words
from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.exit_status import DONE, STOPPED
from bulkmail.failpoints import failpoint
from bulkmail.mail import Refused
from bulkmail.report import Place
from bulkmail.spool import CANCELLED, CANCELLING, RUNNING, CampaignRow, Hold, Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

Before = Callable[[CampaignRow], Awaitable[None]]
_TOLD_WITHIN = 10.0  # seconds that the end of the process waits for notices


class Campaigns:
    """Sends campaigns. ``exit_status`` of a campaign: 0 every row final, 3 stopped before, 1 refused.

    ``stop_within``: seconds that what is in flight may take at a stop. ``once``: end after each row's first attempt.
    ``clock_set`` says by how many seconds the machine's clock was set since it was last asked. ``at_rest`` ends
    cancelled campaigns that are not being sent. ``suppress`` and ``scratch`` as `ListReading` takes them.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        pause: Pause,
        feeder: Feeder,
        live: Live,
        reporting: Reporting,
        remembering: SiteFactSync,
        compose: Pool,
        stop_within: float,
        once: bool,
        rehearsal: bool,
        suppress: list[str],
        scratch: str,
        clock_set: Callable[[], float] = lambda: 0.0,
        scheduling: Scheduling,
        at_rest: AtRest,
        accepting: Accepting,
        notifying: Notifying,
        planning: Planning | None = None,
        joining: Joining | None = None,
        leasing: Leasing | None = None,
    ) -> None:
        self._reactor, self._spool = clocks.reactor, spool
        self._wall, self._clock_set = clocks.wall, clock_set
        self._pause, self._feeder = pause, feeder
        self._reporting, self._remembering = reporting, remembering
        self._compose = compose
        self._stop_within = stop_within
        self._once, self._rehearsal = once, rehearsal
        self._scheduling, self._at_rest = scheduling, at_rest
        self._notifying = notifying
        self._planning = planning
        self.joining, self._leasing = joining, leasing
        self.live = live
        self.accepting = accepting
        self.steering = scheduling.steering
        self.refusals = Refusals(spool, self.steering)
        self.withholding = feeder.withholding
        self._lists = ListReading(
            reactor=clocks.reactor, spool=spool, wall=clocks.wall, suppress=suppress, scratch=scratch
        )
        self._first_round = FirstRound(feeder=feeder, clocks=clocks, pause=pause, leases=spool.leases)
        self._asking = False  # whether the first round is over
        self._begun: dict[str, Run] = {}  # by folder
        self._stopped: Deferred[None] | None = None
        self._second = LoopingCall(self._each_second)
        self._ending = Ending(
            spool=spool,
            clocks=clocks,
            feeder=feeder,
            reporting=reporting,
            compose=compose,
            joining=joining,
            ended=notifying.ended,
        )
        self.withholding.on_paused(self._was_paused)
        self.steering.tell(self._cancel, at_rest.asked, notifying.stopped)

    @property
    def progress(self) -> Progress:
        """How far the campaigns are, in words."""
        return self.live.progress

    @property
    def choose(self) -> Callable[..., Awaitable[None]]:
        """What chooses the variant that the rest of a campaign gets."""
        return self._scheduling.comparing.choose

    def apply(self, stop_within: float, suppress: list[str]) -> None:
        """Use other settings from now on."""
        self._stop_within = stop_within
        self._lists.apply(suppress)
        self._at_rest.apply(suppress)

    def hurry(self) -> None:
        """Stop at once: do not wait for what is in flight."""
        self._ending.hurried = True

    def start(self) -> None:
        """Start the regular work, once a second, and go on with what was being cancelled."""
        self._second.clock = self._reactor
        self._second.start(1.0, now=False)
        if self.joining is not None:
            self.joining.on_news(self.accepting.look_for_requests)
        self.steering.look()

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
            return await self._send(prepared, accept_changes=accept_changes, before=before)
        finally:
            if self.joining is not None:
                await self.joining.give_up(name)

    async def _send(self, prepared: Prepared, *, accept_changes: bool, before: Before | None) -> int:
        folder = prepared.campaign.folder
        wanted = not self._rehearsal and await self.accepting.wanted(prepared)
        opened = await open_campaign(
            self._spool,
            prepared,
            now=self._wall(),
            accept_changes=accept_changes or wanted,
            report=Report(
                _place(prepared, rehearsal=self._rehearsal), None if self._rehearsal else self._reporting.beyond
            ),
            goes_on=await self._lists.changed(prepared),
        )
        if wanted:
            await self.accepting.opened(opened.row)
        self.accepting.notes.pop(folder, None)
        run, row = opened.run, opened.row
        await self.refusals.taken_up(row)
        self.withholding.begin(run.name)
        run.notices = [str(notice) for notice in prepared.notices]
        self._begun[run.folder] = run
        run.shared = self.joining is not None
        if opened.finished:
            words = "{campaign} is {state}; nothing was sent. To send again, give it another name"
            _log.info(words, campaign=run.name, state=row.state)
            self._report(prepared, opened)
            otherwise = row.exit_status or DONE
            return await self._ending.report(run, row.state, row.exit_status, row.ended_at, otherwise)
        if before is not None and row.state != CANCELLING:
            await before(row)
        with self._at_rest.opening(run.name):
            row = await self._spool.campaign(run.name) or row
            if row.state in (CANCELLING, CANCELLED):
                await self._at_rest.finish(row, prepared)
                return STOPPED
            importing = await self._lists.open(prepared, opened, self._stored)
            await self._spool.set_state(run.id, RUNNING, run.started_at)
            self._notifying.begun(run, prepared.campaign, first=opened.row.started_at is None)
            self._report(prepared, opened)
            await self._scheduling.begin(run)
            self._compose.set_up(run.id, ("load", run.id, run.content))
            self._feeder.runs[run.id] = run
        ended = self._ending.of(run)
        self._feeder.rescan()
        self._lists.begin(run, importing, self._stored)
        if self._feeder.stopping:
            importing.stop()
            run.over = True
            await self._stop_run(run)
        elif await self._at_rest.opened(run):
            self._cancel(run)
        try:
            return await ended
        finally:
            self._lists.forget(run)

    def _report(self, prepared: Prepared, opened: Opened) -> None:
        domain = sender_domain(prepared.campaign.sender)
        place = _place(prepared, rehearsal=self._rehearsal)
        self._reporting.open(opened.run, place, prepared.files, domain, opened.row.report_position)

    def running(self) -> list[tuple[str, Run]]:
        """Return the campaigns that are being sent, each with its folder."""
        return [(run.folder, run) for run in self._feeder.runs.values() if not run.over]

    def _was_paused(self, run: Run, hold: Hold) -> None:
        self._lists.stop(run)
        self._notifying.stopped(run, hold.reason)

    def last_words(self, folder: str) -> list[str]:
        """Return the figures of the campaign that was sent from ``folder``, and what was noticed in its lists.

        Asked for once, at its end.
        """
        run = self._begun.pop(folder, None)
        return [] if run is None else ["", *figures_in_words(run), *about_lists(run.notices)]

    def _stored(self, run: Run) -> None:
        """Look for the rows that were added, and report them."""
        self._feeder.rescan(run)
        self.changed(run)

    def changed(self, run: Run) -> None:
        """Report that a row has a new status; end the campaign with its last row."""
        self._reporting.changed(run)
        if self._planning is not None and run.plan is None:
            self._planning.look(run)
        if run.complete and not run.over and not run.helped:
            run.over = True
            background(self._finish(run), "finishing a campaign")

    async def _finish(self, run: Run) -> None:
        """Write all outcomes and the report, and end the campaign: every row is final."""
        await self._ending.written()
        _log.info("{line}", line=self.progress.ended(run), campaign=run.name)
        await self._ending.close(run, "finished", DONE)

    def _cancel(self, run: Run) -> None:
        """End a campaign that is being sent here, and that the spool has as cancelling."""
        if not run.over:
            run.over = True
            background(self._end_cancelled(run), "cancelling a campaign")

    async def _end_cancelled(self, run: Run) -> None:
        self._feeder.take_back(run)
        await self._lists.ended(run)
        settled = await self._at_rest.settle(run)
        if not settled:  # the process stops; the next start goes on
            await self._ending.written()
        state = CANCELLED if settled else CANCELLING
        _log.info("{line}", line=self.progress.ended(run, state), campaign=run.name)
        await self._ending.close(run, state, STOPPED)

    def _each_second(self) -> None:
        try:
            self._look_after()
        except Exception:  # noqa: BLE001 - a LoopingCall that fails once is never called again
            _log.failure("looking after the campaigns failed")

    def _look_after(self) -> None:
        if seconds := self._clock_set():
            self._pause.clock_was_set(seconds)
        self._feeder.tidy()
        self._scheduling.look()
        self._reporting.look()
        self.accepting.look([run for run in self._feeder.runs.values() if not run.over and not run.helped])
        self._remembering.look()
        if self._leasing is not None and self.joining is not None:
            self._leasing.look()
            self.joining.each_second()
        for run in list(self._feeder.runs.values()):
            if not run.over and (line := self.progress.news(run, self._reactor.seconds())):
                _log.info("{line}", line=line, campaign=run.name)
        self._first_round.look()
        if self._once and not self._asking:
            self._asking = True
            background(self._stop_behind_first_round(), "stopping after the first attempts")
        for run in list(self._feeder.runs.values()):
            if not run.over and not run.helped and self._is_to_stop(run):
                run.over = True
                background(self._stop_run(run), "stopping a campaign")

    def _is_to_stop(self, run: Run) -> bool:
        if run.holds.fault:
            waited = self.withholding.lasts(run.name)
            # what is in flight is most likely of other campaigns
            return not self._feeder.open_queues.in_flight or waited > self._stop_within
        if self._rehearsal and run.holds.by_rule and self._feeder.idle:  # which nobody resumes
            return run.holds.whole or self.progress.only_held(run)
        return run.broken and self._feeder.idle

    async def _stop_behind_first_round(self) -> None:
        try:
            for run in list(self._feeder.runs.values()):
                if not run.helped and await self._first_round.over(run) and not run.over:
                    await self.stop()
                    break
        finally:
            self._asking = False

    async def _stop_run(self, run: Run) -> None:
        await self._ending.written()
        await self._ending.close(run, "stopped", STOPPED)

    async def stop(self) -> None:
        """Start no new work, let what is in flight finish for ``stop_within`` seconds, then end every campaign."""
        if self._stopped is not None:
            await self._stopped
            return
        self._stopped = Deferred()
        try:
            await self._stop()
        finally:
            self._stopped.callback(None)

    async def _stop(self) -> None:
        self._lists.stop_all()
        self._feeder.stop()
        failpoint("stopping")
        deadline = self._reactor.seconds() + self._stop_within
        while self._feeder.open_queues.in_flight and self._reactor.seconds() < deadline and not self._ending.hurried:
            await deferLater(self._reactor, LOOK_AGAIN)
        self._feeder.open_queues.abort()
        await self._feeder.emptied(lambda: self._ending.hurried)
        await self._ending.written()
        for run in list(self._feeder.runs.values()):
            if not run.over:
                run.over = True
                if not run.helped:
                    await self._stop_run(run)
        await self._ending.all()
        await self._at_rest.over()

    async def close(self) -> None:
        """End the processes, but for those that compose: these and the spool are closed by the incarnation."""
        if self.joining is not None:
            await self.stop()  # what it helped with goes back
        self._feeder.stop_scanning()
        self._scheduling.close()
        if self._second.running:
            self._second.stop()
        await self._notifying.told(_TOLD_WITHIN)
        await self._remembering.close()
        await self._reporting.close()


def _place(prepared: Prepared, *, rehearsal: bool) -> Place:
    """Return where the report of a campaign is written."""
    campaign = prepared.campaign
    return Place(campaign.folder, "rehearsal" if rehearsal else "report", campaign.opened.id)
