"""How the parts that know campaigns are wired, above what `assembly` builds: the only place that knows all of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import NamedTuple

from twisted.logger import Logger

from bulkmail.delivery.assembly import Assembly, judgements_of
from bulkmail.delivery.clocks import WallClock
from bulkmail.delivery.cluster import Leasing
from bulkmail.delivery.lifecycle.accepting import Accepting
from bulkmail.delivery.lifecycle.campaigns import Campaigns
from bulkmail.delivery.lifecycle.cancelling import AtRest
from bulkmail.delivery.lifecycle.checking import Checking
from bulkmail.delivery.lifecycle.each_second import EachSecond
from bulkmail.delivery.lifecycle.ending import Ending
from bulkmail.delivery.lifecycle.first_round import FirstRound
from bulkmail.delivery.lifecycle.joining import Joining, machines_joined
from bulkmail.delivery.lifecycle.late import LateOutcomes, rules_of
from bulkmail.delivery.lifecycle.late_reports import LateReports
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.lifecycle.live import Live
from bulkmail.delivery.lifecycle.notifying import Notifying, by_mail
from bulkmail.delivery.lifecycle.own_stops import OwnStops
from bulkmail.delivery.lifecycle.planning import Planning
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.delivery.lifecycle.pulse import Pulse
from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.lifecycle.site_steering import SiteSteering
from bulkmail.delivery.lifecycle.stopping import Stopping
from bulkmail.delivery.lifecycle.taking_up import TakingUp
from bulkmail.delivery.run import Run
from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.settings import Settings
from bulkmail.zones import zone

_log = Logger("bulkmail")

_TOLD_WITHIN = 10.0  # seconds that the end of the process waits for notices


class Sending(NamedTuple):
    """The parts that others speak to, and those that are told of other settings.

    ``late``: takes what comes back. ``live``: knows what is going on. ``closing`` closes all, the last first.
    """

    campaigns: Campaigns
    live: Live
    late: LateOutcomes
    ending: Ending
    stopping: Stopping
    lists: ListReading
    at_rest: AtRest
    each_second: EachSecond
    closing: AsyncExitStack

    def start(self) -> None:
        """Start the regular work, once a second, and go on with what was being cancelled."""
        self.each_second.start()
        self.campaigns.steering.look()
        self.late.start()

    def apply(self, settings: Settings) -> None:
        """Use other settings from now on."""
        suppress = list(settings.suppress)
        self.late.apply(judgements_of(settings))
        self.stopping.within = settings.stop_within
        self.lists.apply(suppress)
        self.at_rest.apply(suppress)

    async def close(self) -> None:
        """End the processes, the regular work, and what is under way."""
        await self.closing.aclose()


def sending_of(
    parts: Assembly,
    settings: Settings,
    *,
    sync: SiteFactSync,
    checking: Checking,
    planning: Planning | None,
    pulse: Pulse,
    wall: WallClock,
    changed: Callable[[Run], None],
    once: bool,
    come_back: Callable[[], Awaitable[None]] | None,
) -> Sending:
    """Build everything that knows campaigns. ``changed(run)`` calls `Ending.changed`; ``once``: see `OwnStops`.

    ``come_back``: in a rehearsal, has all come back that is to.
    """
    spool, feeder, clocks, compose = parts.spool, parts.feeder, parts.clocks, parts.compose
    rehearsal, reactor = parts.connector.rehearsal, clocks.reactor
    progress = Progress(parts.pause, feeder, clocks, zone(settings.timezone))
    reporting = _reporting(parts, settings, progress, pulse)
    scheduling = Scheduling.made(parts, settings, changed)
    scheduling.comparing.use(reporting.by_variant, compose, come_back=come_back)
    joining, leasing = machines_joined(parts, sync, retry=settings.retry, scheduling=scheduling, changed=changed)
    reports = LateReports(clocks, spool, reporting, joining)
    rules, judge, own = rules_of(settings.suppression), scheduling.guarding.came_back, judgements_of(settings)
    late = LateOutcomes(clocks, spool, rules, feeder.runs, changed, reports, judge, own)
    check = None if rehearsal else checking.prepare
    accepting = Accepting(spool, feeder, compose, reporting.changed, check)
    refusals = Refusals(spool, scheduling.steering)
    refusals.on_told(reports.refused)
    notifying = Notifying(reactor, clocks.wall, by_mail(reactor, settings), quiet=rehearsal)
    lists = _lists(parts, settings, changed, planning)
    at_rest = _at_rest(parts, settings, reporting, checking, joining)
    ending = _ending(parts, lists, at_rest, reporting, progress, notifying)
    within = settings.stop_within
    stopping = Stopping(clocks=clocks, feeder=feeder, lists=lists, ending=ending, at_rest=at_rest, within=within)
    taking_up = TakingUp(spool, clocks.wall, feeder, lists, reporting, accepting, refusals)
    campaigns = _campaigns(parts, taking_up, lists, scheduling, at_rest, notifying, ending, joining)
    feeder.withholding.on_paused(lambda run, _: lists.stop(run))
    feeder.withholding.on_paused(lambda run, hold: notifying.stopped(run, hold.reason))
    scheduling.steering.tell(ending.cancel, at_rest.asked, notifying.stopped)
    if joining is not None:
        joining.on_news(accepting.look_for_requests)
    first_round = FirstRound(feeder=feeder, clocks=clocks, pause=parts.pause, leases=spool.leases)
    own_stops = OwnStops(feeder, first_round, progress, ending, stopping, once=once, rehearsal=rehearsal)
    looks = [feeder.tidy, scheduling.look, reporting.look, accepting.look, sync.look, progress.look, first_round.look]
    each_second = EachSecond(reactor, [*_looks_first(parts, wall, joining, leasing, planning), *looks, own_stops.look])
    sites = SiteSteering(feeder, parts.limiters, sync.memory, clocks)
    live = Live(clocks, parts.pause, feeder, parts.limiters, progress, sites, parts.connector, late)
    closing = _closing(parts, sync, reporting, notifying, each_second, scheduling, stopping, late)
    return Sending(campaigns, live, late, ending, stopping, lists, at_rest, each_second, closing)


def _ending(
    parts: Assembly,
    lists: ListReading,
    at_rest: AtRest,
    reporting: Reporting,
    progress: Progress,
    notifying: Notifying,
) -> Ending:
    return Ending(
        spool=parts.spool,
        clocks=parts.clocks,
        feeder=parts.feeder,
        compose=parts.compose,
        lists=lists,
        at_rest=at_rest,
        reporting=reporting,
        progress=progress,
        ended=notifying.ended,
    )


def _campaigns(
    parts: Assembly,
    taking_up: TakingUp,
    lists: ListReading,
    scheduling: Scheduling,
    at_rest: AtRest,
    notifying: Notifying,
    ending: Ending,
    joining: Joining | None,
) -> Campaigns:
    return Campaigns(
        spool=parts.spool,
        feeder=parts.feeder,
        compose=parts.compose,
        taking_up=taking_up,
        lists=lists,
        scheduling=scheduling,
        at_rest=at_rest,
        notifying=notifying,
        ending=ending,
        joining=joining,
    )


def _looks_first(
    parts: Assembly, wall: WallClock, joining: Joining | None, leasing: Leasing | None, planning: Planning | None
) -> Iterator[Callable[[], None]]:
    """Iterate over what is looked at first each second: the clock, and what not every process has."""

    def compare_clocks() -> None:
        if seconds := wall.look():
            parts.pause.clock_was_set(seconds)

    def plan() -> None:
        for run in parts.feeder.runs.values():
            if run.plan is None and planning is not None:
                planning.look(run)  # another machine has read its list, or its plan could not be made then

    yield compare_clocks
    if planning is not None:
        yield plan
    if leasing is not None and joining is not None:
        yield leasing.look
        yield joining.each_second


def _closing(
    parts: Assembly,
    sync: SiteFactSync,
    reporting: Reporting,
    notifying: Notifying,
    each_second: EachSecond,
    scheduling: Scheduling,
    stopping: Stopping,
    late: LateOutcomes,
) -> AsyncExitStack:
    """Return what closes all, the last first: but for what an `Assembly` has, which the incarnation closes."""
    closing = AsyncExitStack()
    closing.push_async_callback(reporting.close)
    closing.push_async_callback(sync.close)
    closing.push_async_callback(notifying.told, _TOLD_WITHIN)
    closing.callback(each_second.stop)
    closing.callback(scheduling.close)
    closing.callback(parts.feeder.stop_scanning)
    if parts.spool.leases is not None:
        closing.push_async_callback(stopping.stop)  # what it has helped with goes back
    closing.push_async_callback(late.close)
    return closing


def _reporting(parts: Assembly, settings: Settings, progress: Progress, pulse: Pulse) -> Reporting:
    return Reporting(
        reactor=parts.clocks.reactor,
        spool=parts.spool,
        spool_path=settings.spool,
        wall=parts.clocks.wall,
        fault=_report_fault,
        situation=progress.situation,
        rehearsal=parts.connector.rehearsal,
        via_relay="" if settings.relay is None else settings.relay.host,
        timezone=settings.timezone,
        pulse=pulse,
    )


def _report_fault(text: str) -> None:
    _log.error("{text}; it is tried again", text=text)


def _lists(
    parts: Assembly, settings: Settings, changed: Callable[[Run], None], planning: Planning | None
) -> ListReading:
    """Return what reads lists: the rows that are stored are looked for, reported, and once all are there planned."""

    def stored(run: Run) -> None:
        parts.feeder.rescan(run)
        changed(run)
        if planning is not None and run.plan is None:
            planning.look(run)

    return ListReading(
        reactor=parts.clocks.reactor,
        spool=parts.spool,
        wall=parts.clocks.wall,
        suppress=list(settings.suppress),
        scratch=settings.scratch,
        stored=stored,
    )


def _at_rest(
    parts: Assembly, settings: Settings, reporting: Reporting, checking: Checking, joining: Joining | None
) -> AtRest:
    return AtRest(
        reactor=parts.clocks.reactor,
        spool=parts.spool,
        clocks=parts.clocks,
        reporting=reporting,
        suppress=list(settings.suppress),
        scratch=settings.scratch,
        stopping=lambda: parts.feeder.stopping,
        check=checking.prepare,
        joining=joining,
    )
