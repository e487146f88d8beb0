"""Campaigns that have a schedule: held while it is closed, released when it opens, ended when it is over.

When it is open is decided by `shaping.Schedule`; here is what follows. A closed campaign has a hold of the kind
``schedule`` (`steering`), so nothing of it is claimed, what is ready goes back, what is on a connection ends, and no
retry clock counts the time. It costs one timer for all campaigns. Each machine of a shared spool reads the schedule
from the campaign's content and comes to the same: the hold is one row, whichever machine writes it.

The rate of the campaign, and the messages of its day, are an `Allowance` that the feeder asks before it claims. Several
machines divide both evenly among them; the day's messages are counted in the spool, so a restart forgets none.

Where each row has a zone of its own, the campaign as a whole is held by ``not_before`` and ``not_after`` only. The
feeder puts off the claimed rows whose zone is closed, until it opens; when a zone closes, what is ready goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.campaign import RowZones, schedule_from
from bulkmail.delivery.assembly import Assembly
from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.comparing import Comparing
from bulkmail.delivery.lifecycle.guarding import Guarding
from bulkmail.delivery.lifecycle.ruled import stops_by_rule
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError, OwnFault, Status, count_of
from bulkmail.routing import RELAY, provider_names
from bulkmail.settings import Settings
from bulkmail.shaping import EVERY_DAY, WHOLE_DAY, Allowance, Opening, Schedule, moment
from bulkmail.spool import Spool
from bulkmail.zones import TZDATA

_log = Logger("bulkmail")

KIND = "schedule"
_BEHIND = 0.02  # seconds behind an instant: what `steering` releases at it is released then
_LOOK_AT_THE_CLOCK = 60.0  # seconds: the time of day may have been set meanwhile
_COUNT_AGAIN = 5.0  # seconds between two counts of what all machines have sent
_TRY_AGAIN = 1.0
_EXPIRED_AT_ONCE = 2000  # rows


@dataclass(eq=False)
class _Scheduled:
    """``until``: when to look again, on the wall clock. ``zone_closes``: when the first zone of its rows does."""

    run: Run
    schedule: Schedule
    until: float = 0.0
    zone_closes: float | None = None
    day_ends: float = 0.0
    counted_at: float = float("-inf")
    expiring: bool = False


class Scheduling:
    """Keeps campaigns to their schedules. ``changed(run)`` is called when rows have expired.

    Call ``begin`` right before a campaign is the feeder's, and ``look`` once a second.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        spool: Spool,
        feeder: Feeder,
        clocks: Clocks,
        steering: Steering,
        changed: Callable[[Run], None],
    ) -> None:
        self._reactor = reactor
        self._spool = spool
        self._feeder = feeder
        self._clocks = clocks
        self.steering = steering
        self.guarding = Guarding(spool, clocks, steering)
        self.comparing = Comparing(spool, clocks, steering, self._compared)
        self._changed = changed
        self._known: dict[int, _Scheduled] = {}
        self._timer = Wakeup(clocks.reactor, self._act_soon)
        self._acting = self._again = self._closed = False

    @classmethod
    def made(cls, parts: Assembly, settings: Settings, changed: Callable[[Run], None]) -> Scheduling:
        """Return it with a steering of its own, which rules stop campaigns by."""
        spool, feeder, clocks, relays = parts.spool, parts.feeder, parts.clocks, parts.relays
        providers = set(relays) if RELAY in relays else provider_names(settings)
        steering = Steering(spool=spool, feeder=feeder, clocks=clocks, providers=providers, changed=changed)
        parts.ruling.on_stop(stops_by_rule(steering, clocks))
        reactor = clocks.reactor
        return cls(reactor=reactor, spool=spool, feeder=feeder, clocks=clocks, steering=steering, changed=changed)

    async def begin(self, run: Run) -> None:
        """Take in the schedule of a campaign, its guard, and what else holds it. Raises OwnFault."""
        plain = run.content.get("schedule")
        await self._spool.lift(run.id, KIND, "", self._clocks.wall())  # set anew below, where it is closed
        if plain is not None:
            one = self._known[run.id] = self._scheduled(run, plain)
            await self._act(one)
        await self.guarding.begin(run)
        await self.comparing.begin(run)
        await self.steering.begin(run)
        self._plan()

    def look(self) -> None:
        """See whether a day's messages were sent, and which zones are to close."""
        self.comparing.look()
        soon = False
        for one in self._known.values():
            allowance, zones = one.run.allowance, one.run.row_zones
            if allowance is not None and allowance.per_day is not None:
                soon = soon or (allowance.sent_today >= allowance.per_day and not one.run.holds.whole)
                soon = soon or (one.run.shared and self._clocks.now() - one.counted_at > _COUNT_AGAIN)
            if zones is not None and one.zone_closes is None:
                one.zone_closes = zones.next_closing(self._clocks.wall())
        if soon:
            self._act_soon()
        else:
            self._plan()

    def close(self) -> None:
        """Stop, and the steering too: the spool is about to be closed."""
        self._closed = True
        self._timer.cancel()
        self.steering.close()

    def _scheduled(self, run: Run, plain: dict[str, Any]) -> _Scheduled:
        schedule = schedule_from(plain)
        _log.info("{campaign}: its schedule goes by the zones of tzdata {version}", campaign=run.name, version=TZDATA)
        if schedule.rate is not None or schedule.per_day is not None:
            run.allowance = Allowance(schedule.rate, schedule.per_day, self._clocks.now())
        if plain["column"] is not None:
            run.row_zones = RowZones(schedule, plain["column"], run.content["columns"])
            schedule = replace(schedule, hours=WHOLE_DAY, days=EVERY_DAY)
        return _Scheduled(run, schedule)

    def _compared(self, run: Run) -> None:
        self._feeder.rescan(run)
        self._changed(run)

    # the one timer

    def _plan(self) -> None:
        if self._closed or not self._known:
            return
        times = [one.until for one in self._known.values()]
        times += [one.zone_closes for one in self._known.values() if one.zone_closes is not None]
        left = max(0.0, min(times) - self._clocks.wall())
        self._timer.at(self._clocks.now() + min(left + _BEHIND, _LOOK_AT_THE_CLOCK))

    def _act_soon(self) -> None:
        if self._acting:
            self._again = True
        elif not self._closed:
            self._acting = True
            background(self._act_on_all(), "keeping campaigns to their schedules")

    async def _act_on_all(self) -> None:
        try:
            for one in list(self._known.values()):
                if one.run.over:
                    del self._known[one.run.id]
                else:
                    await self._act(one)
        except BulkmailError as error:
            _log.error("a schedule could not be followed: {error}; it is tried again", error=error)
            for one in self._known.values():
                one.until = min(one.until, self._clocks.wall() + _TRY_AGAIN)
        finally:
            self._acting = False
        if self._again:
            self._again = False
            self._act_soon()
        else:
            self._plan()

    # what follows

    async def _act(self, one: _Scheduled) -> None:
        run, now = one.run, self._clocks.wall()
        await self._count(one, now)
        sent = 0 if run.allowance is None else run.allowance.sent_today
        opening = one.schedule.at(now, sent)
        one.until = min(
            float("inf") if opening.until is None else opening.until,
            one.day_ends if run.allowance is not None else float("inf"),
            now + _LOOK_AT_THE_CLOCK * 60,
        )
        held = next((hold for hold in run.holds.active if hold.kind == KIND and not hold.provider), None)
        if opening.open and held is not None:
            await self.steering.release(run.name, KIND)
        elif not opening.open and (held is None or held.until != opening.until):
            reason = self._reason(one.schedule, opening, sent)
            await self.steering.hold(run.name, KIND, until=opening.until, reason=reason)
        if one.schedule.over(now) and not (one.expiring or run.helped):
            one.expiring = True
            background(self._expire(one), "expiring what was not sent in time")
        if one.zone_closes is not None and now >= one.zone_closes:
            one.zone_closes = None
            self._feeder.take_back(run)
            self._feeder.rescan()
            self._tell_unknown(run)

    def _reason(self, schedule: Schedule, opening: Opening, sent: int) -> str:
        if opening.until is None:
            ended = "its schedule is over" if schedule.not_after is None else "its schedule was over at "
            return ended if schedule.not_after is None else ended + moment(schedule.not_after, schedule.zone)
        words = f"it waits until {moment(opening.until, schedule.zone)}"
        spent = schedule.per_day is not None and sent >= schedule.per_day
        today = count_of(sent, "message was", "messages were")
        return f"{today} sent today, which is all of `per_day`; {words}" if spent else words

    async def _count(self, one: _Scheduled, now: float) -> None:
        """Begin a day of its messages, or count those of the day anew that all machines have sent."""
        allowance, leases = one.run.allowance, self._spool.leases
        if allowance is None:
            return
        fresh = now >= one.day_ends
        if not fresh and not (one.run.shared and self._clocks.now() - one.counted_at > _COUNT_AGAIN):
            return
        begins, one.day_ends = one.schedule.day(now)
        sent = 0
        if allowance.per_day is not None:
            await self._spool.flushed()
            sent = await self._spool.attempts_since(one.run.id, begins)
        one.counted_at = self._clocks.now()
        share = 1.0 if leases is None else 1.0 / max(1, len(leases.members))
        spent = allowance.spent
        allowance.day(sent, share, self._clocks.now())
        if spent and not allowance.spent:
            self._feeder.rescan()

    async def _expire(self, one: _Scheduled) -> None:
        """Expire what is not claimed, again and again until every row of the campaign is final."""
        run, schedule = one.run, one.schedule
        assert schedule.not_after is not None
        note = f"not delivered by schedule.not_after, {moment(schedule.not_after, schedule.zone)}"
        while not (run.over or self._closed or self._feeder.stopping):
            try:
                if run.import_done and run.id in self._feeder.runs and not await self._spool.still_claimed(run.id):
                    await self._spool.flushed()
                    while await self._spool.expire_rows(run.id, _EXPIRED_AT_ONCE, self._clocks.wall(), note):
                        pass
                    totals = await self._spool.totals(run.id)
                    run.counted(Counter({key: n for key, n in totals.items() if key[1] != Status.PENDING}))
                    self._changed(run)
            except OwnFault as fault:
                _log.error(
                    "{campaign}: what was not sent in time could not be expired: {fault}",
                    campaign=run.name,
                    fault=fault,
                )
            await deferLater(self._reactor, _TRY_AGAIN)

    def _tell_unknown(self, run: Run) -> None:
        zones = run.row_zones
        if zones is not None and zones.unknown:
            names = ", ".join(repr(name) for name in zones.unknown)
            zones.unknown.clear()
            _log.warn(
                "{campaign}: no time zones, so these rows go by the default's: {names}", campaign=run.name, names=names
            )
