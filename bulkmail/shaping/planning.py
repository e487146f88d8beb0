"""How long a campaign takes, before it is sent: the pace of each destination, what binds it, and when it is through.

The plan is computed as a flow. Each destination takes messages at its own pace; what all destinations share (the
campaign's rate, the connections of the process, the composing) is divided evenly among those that can use it; nothing
flows while the schedule is closed or the day's messages are sent. Retries are not in it: they are not known before.

Laws (tests/shaping/test_planning.py): no destination is faster than its own limit, all together are not faster than
what they share, no day has more than ``per_day``, nor one in UTC more than sources that warm up may send, and nothing
flows outside the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bulkmail.shaping.daily import Budget, DailyBudgets
from bulkmail.shaping.limits import Limits
from bulkmail.shaping.schedule import Schedule

SECONDS_A_MESSAGE = 0.5
"""How long one connection is assumed to be busy with one message."""

_LONGEST = 366 * 86400.0  # seconds that a plan looks ahead, from its first opening on
_STEPS = 20_000
_NEARLY = 1e-6  # messages
_WARMUP = "warm-up"


@dataclass(frozen=True)
class Demand:
    """The recipients at one destination: a provider with all its sites, one site, or many small ``sites`` together.

    ``factor``: the part of the rate that the receiver took last, from 0 to 1; 1 is all. ``sources``: so many addresses
    send to it, each within the limits. ``budget``: the daily one that it is sent from, see `plan_flow`.
    """

    name: str
    recipients: int
    limits: Limits
    sites: int = 1
    factor: float = 1.0
    sources: int = 1
    budget: Budget = ()

    @property
    def pace(self) -> tuple[float, str]:
        """Return the messages a second that its limits allow, and the name of the limit that binds."""
        limits = self.limits
        paces = {
            "connections": limits.connections / SECONDS_A_MESSAGE,
            "rate": self.factor / limits.rate.interval,
            "connection_rate": limits.messages_per_connection / limits.connection_rate.interval,
        }
        binds = min(paces, key=lambda name: paces[name])
        return paces[binds] * self.sites * self.sources, binds


@dataclass(frozen=True)
class Leg:
    """What becomes of one destination: at which pace, what binds it, and when its first and last message go.

    ``binds``: ``connections``, ``rate``, ``connection_rate`` (its own limits), ``warm-up``, or what all share. ``ends``
    None: it is not through by ``not_after``, or within a year; ``left``: so many messages are not sent.
    """

    demand: Demand
    pace: float
    binds: str
    begins: float | None
    ends: float | None
    left: int


@dataclass(frozen=True)
class Flow:
    """The plan. Instants are epoch seconds. ``sending``: seconds in which messages flow."""

    legs: tuple[Leg, ...]
    begins: float | None
    ends: float | None
    sending: float

    @property
    def recipients(self) -> int:
        """How many messages there are to send."""
        return sum(leg.demand.recipients for leg in self.legs)

    @property
    def left(self) -> int:
        """How many of them are not sent by the end of the schedule."""
        return sum(leg.left for leg in self.legs)

    @property
    def binds(self) -> str:
        """The destination that is through last, and its limit; or what all share where that binds it."""
        last = max(self.legs, key=lambda leg: (leg.left, leg.ends or 0.0), default=None)
        if last is None:
            return ""
        own = last.binds in ("connections", "rate", "connection_rate", "warm-up")
        return f"{last.demand.name}: {last.binds}" if own else last.binds


@dataclass(eq=False)
class _Stream:
    """A destination while the flow is computed."""

    demand: Demand
    left: float
    begins: float | None = None
    ends: float | None = None
    bound: dict[str, float] = field(default_factory=dict)  # what bound it -> for how many seconds

    def flow(self, at: float, step: float, pace: float, shared: str) -> None:
        """Send at this pace from ``at`` on for ``step`` seconds; ``shared``: what binds where that is not its own."""
        own, name = self.demand.pace
        self.begins = at if self.begins is None else self.begins
        self.left -= pace * step
        _bound([self], name if pace >= own * (1 - _NEARLY) else shared, step)
        if self.left <= _NEARLY:
            self.ends = at + step


def plan_flow(
    demands: Sequence[Demand],
    shared: Mapping[str, float],
    schedule: Schedule,
    now: float,
    sent_today: int = 0,
    daily: Mapping[Budget, Sequence[int]] = MappingProxyType({}),
) -> Flow:
    """Plan the sending of ``demands`` from ``now`` on.

    ``shared``: name -> messages a second of what all destinations share, such as ``shaping.total.connections``. The
    rate and the messages a day of the schedule are added to it. ``sent_today``: messages sent in the zone's day.
    ``daily``: the messages of a budget on each day in UTC from today on; behind the last there is no limit.
    """
    caps = dict(shared)
    if schedule.rate is not None:
        caps["schedule.rate"] = 1 / schedule.rate.interval
    tightest = min(caps, key=lambda name: caps[name], default="")
    streams = [_Stream(demand, float(demand.recipients)) for demand in demands]
    for stream in streams:
        if not stream.left:
            stream.begins = stream.ends = now
    at, sending = now, 0.0
    latest = max(now, schedule.not_before or now) + _LONGEST
    day, quota, budgets = schedule.day(now)[1], _quota(schedule, sent_today), DailyBudgets(daily, now)
    for _ in range(_STEPS):
        active = [stream for stream in streams if stream.left > _NEARLY]
        if not active or at > latest:
            break
        if at >= day:
            day, quota = schedule.day(at)[1], _quota(schedule, 0)
        budgets.turn(at)
        opening = schedule.at(at)
        if not opening.open and opening.until is None:
            break
        if not opening.open or quota <= _NEARLY:
            if opening.open:
                _bound(active, "schedule.per_day", day - at)
            at = min(opening.until or day, day)
            continue
        spent = [stream for stream in active if budgets.left(stream.demand.budget) <= _NEARLY]
        active = [stream for stream in active if stream not in spent]
        if not active:
            step = min(budgets.until, day, opening.until or budgets.until) - at
            _bound(spent, _WARMUP, step)
            at += step
            continue
        paces = _divided([stream.demand.pace[0] for stream in active], caps.get(tightest, float("inf")))
        step = min(stream.left / pace for stream, pace in zip(active, paces, strict=True))
        step = min(step, min(day, opening.until or day, budgets.until) - at, quota / sum(paces))
        step = min(step, budgets.lasts((one.demand.budget, pace) for one, pace in zip(active, paces, strict=True)))
        _bound(spent, _WARMUP, step)
        for stream, pace in zip(active, paces, strict=True):
            stream.flow(at, step, pace, tightest)
            budgets.take(stream.demand.budget, pace * step)
        quota -= sum(paces) * step
        at += step
        sending += step
    return _flow(streams, sending)


def _quota(schedule: Schedule, sent: int) -> float:
    return float("inf") if schedule.per_day is None else float(max(0, schedule.per_day - sent))


def _bound(streams: Sequence[_Stream], name: str, seconds: float) -> None:
    for stream in streams:
        stream.bound[name] = stream.bound.get(name, 0.0) + seconds


def _divided(paces: Sequence[float], cap: float) -> list[float]:
    """Divide ``cap`` evenly among paces, where what one cannot use goes to the others."""
    given = [0.0] * len(paces)
    left = cap
    order = sorted(range(len(paces)), key=lambda n: paces[n])
    for place, n in enumerate(order):
        given[n] = min(paces[n], left / (len(order) - place))
        left -= given[n]
    return given


def _flow(streams: Sequence[_Stream], sending: float) -> Flow:
    legs = []
    for stream in streams:
        pace, own = stream.demand.pace
        binds = max(stream.bound, key=lambda name: stream.bound[name], default=own)
        left = round(stream.left) if stream.left > _NEARLY else 0
        legs.append(Leg(stream.demand, pace, binds, stream.begins, stream.ends, left))
    begins = min((leg.begins for leg in legs if leg.begins is not None), default=None)
    through = all(leg.ends is not None for leg in legs)
    ends = max((leg.ends for leg in legs if leg.ends is not None), default=begins) if through else None
    return Flow(tuple(legs), begins, ends, sending)
