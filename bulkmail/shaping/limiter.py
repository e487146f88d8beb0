"""What a limit counts: the open connections and the two meters of one provider, or of one site without a provider.

All lanes of one provider share one limiter. It answers "when?" and never waits: which lane waits, and in which order
lanes are woken, is decided in the delivery room. ``now`` is always the reactor's clock, in seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkmail.shaping.limits import Limits
from bulkmail.shaping.meter import Meter
from bulkmail.shaping.shares import WHOLE, Part, limits_of
from bulkmail.shaping.throttle import ConnectionThrottle, RateThrottle


class Ruled(NamedTuple):
    """What rules have asked for and is in force. ``rest``: seconds for which nothing is sent.

    ``pace``: the part of the rate that is used at most, ``connections`` that may be open at most (0: as many as the
    limits allow), each with the seconds for which that still holds.
    """

    rest: float = 0.0
    pace: tuple[float, float] = (1.0, 0.0)
    connections: tuple[int, float] = (0, 0.0)

    @property
    def caps(self) -> bool:
        """Whether the rate or the connections are fewer."""
        return self.pace[1] > 0 or self.connections[1] > 0


class Limiter:
    """Counts connections, books messages, and goes slower or faster as the receiver asks.

    ``connections``: how many may be open now: the limit, or fewer after a complaint; never under 1. ``voided``: how
    often the slots that were booked lost their meaning; a lane that keeps one books again when it has changed.
    ``empty``: taken over from another machine, so nothing of the burst is left. ``factors``: the factors (rate,
    concurrency) that worked before, from 0 to 1. ``part``: the part of the limits that is this machine's, and ``whole``
    what it is a part of; the factors apply to the part, so they mean the same to a machine with another part. ``speed``
    is a rehearsal's. ``rate_throttle``: to be asked only; it changes by the methods here.
    """

    __slots__ = (
        "_booked_until",
        "_capped",
        "_capped_until",
        "_concurrency_throttle",
        "_connecting",
        "_messages",
        "_rests_until",
        "_speed",
        "connections",
        "limits",
        "open",
        "part",
        "rate_throttle",
        "voided",
        "whole",
    )

    def __init__(
        self,
        limits: Limits,
        now: float,
        *,
        empty: bool = False,
        factors: tuple[float, float] = (1.0, 1.0),
        part: Part = WHOLE,
        speed: float = 1.0,
    ) -> None:
        self._speed = speed
        self.whole = limits
        self.part = part
        self.limits = limits = limits_of(limits, part)
        self._booked_until = now
        self.open = 0
        self._messages = Meter(limits.rate, now, empty=empty)
        self._connecting = Meter(limits.connection_rate, now, empty=empty)
        self.voided = 0
        self._rests_until = self._capped_until = float("-inf")
        self._capped = 0
        self.rate_throttle = RateThrottle(limits.rate.interval, factors[0], speed)
        self._concurrency_throttle = ConnectionThrottle(factors[1], speed)
        self._messages.scale(self.rate_throttle.pace)
        self._apply_concurrency()

    def _apply_concurrency(self) -> None:
        connections = max(1, int(self.limits.connections * self._concurrency_throttle.factor + 1e-9))
        self.connections = min(connections, self._capped) if self._capped else connections

    @property
    def surplus(self) -> int:
        """How many open connections are over the limit since it shrank; they are closed when they fall idle."""
        return max(0, self.open - self.connections)

    @property
    def factors(self) -> tuple[float, float]:
        """The factors (rate, concurrency) learnt; 1.0 is the whole limit. A new limiter may start with them."""
        return self.rate_throttle.learnt, self._concurrency_throttle.factor

    @property
    def pace(self) -> float:
        """The factor of the rate that is used now."""
        return self._messages.factor

    def reset_factors(self) -> None:
        """Use the whole limit again, as if there had been no complaint."""
        self.rate_throttle = RateThrottle(self.limits.rate.interval, speed=self._speed)
        self._concurrency_throttle = ConnectionThrottle(speed=self._speed)
        self._messages.scale(1.0)
        self._apply_concurrency()

    def may_open(self, now: float) -> float | None:
        """Say when the next connection may be opened: ``now`` or later; None: not before another one has closed."""
        if self._capped and now >= self._capped_until:
            self._capped = 0
            self._apply_concurrency()
        if self.open >= self.connections:
            return None
        return max(self._rests_until, self._connecting.peek(now))

    def opened(self, now: float) -> None:
        """Count a connection that is being opened, from here until `closed`, whether it succeeds or not."""
        self.open += 1
        self._connecting.reserve(now)

    def closed(self) -> None:
        """Stop counting a connection that has closed, or was never made."""
        assert self.open > 0, "closed more connections than were opened"
        self.open -= 1

    def peek(self, now: float) -> float:
        """Say when the next message may be sent: ``now`` or later."""
        return self._messages.peek(now)

    def reserve(self, now: float) -> float:
        """Book the next message and say when it may be sent: ``now`` or later."""
        return self._messages.reserve(now)

    def become(self, part: Part, now: float) -> None:
        """Use this part of the limits from now on. What is gained brings no burst with it."""
        if part != self.part:
            self._booked_until = max(self._booked_until, self._messages.booked_until)
            self.part = part
            self.limits = limits_of(self.whole, part)
            self.rate_throttle.become(self.limits.rate.interval)
            self._messages.become(self.limits.rate, now)
            self._connecting.become(self.limits.connection_rate, now)
            self._apply_concurrency()

    def use(self, limits: Limits, now: float) -> None:
        """Use other limits from now on; what was learnt of the receiver stays, as messages a second and connections.

        A rate that is another one begins without a burst. Slots that were booked on it count no more, so that no lane
        waits for one that is hours away.
        """
        before = self.limits
        self.whole = limits
        self.limits = limits = limits_of(limits, self.part)
        rate, connections = self.factors
        if limits.rate != before.rate:
            learnt = rate if rate == 1.0 else min(1.0, rate * limits.rate.interval / before.rate.interval)
            self.rate_throttle = RateThrottle(limits.rate.interval, learnt, self._speed)
            self._messages = Meter(limits.rate, now, empty=True)
            self._messages.scale(self.rate_throttle.pace)
            if self._rests_until > now:
                self._messages.restart(self._rests_until)
            self.voided += 1
        if limits.connection_rate != before.connection_rate:
            self._connecting = Meter(limits.connection_rate, now, empty=True)
        if limits.connections != before.connections and connections < 1.0:
            self._concurrency_throttle = ConnectionThrottle(
                connections * before.connections / limits.connections, self._speed
            )
        self._apply_concurrency()

    def within(self, now: float) -> bool:
        """Return whether the new part's limits are met: connections and slots from before `become` are gone."""
        return self.open <= self.limits.connections and now >= self._booked_until

    def slow_down(self, now: float, signal: str, sent: float | None = None) -> bool:
        """Slow down after a complaint: ``rate`` the messages, ``connections`` the connections, others nothing.

        ``sent``: when what it was said about was handed over; None: now. Return whether anything changed.
        """
        if signal == "rate" and self.rate_throttle.refused(now, now if sent is None else sent):
            self._messages.scale(self.rate_throttle.pace)
            rest = max(self.rate_throttle.held_until, now + self._messages.rate.interval / self._messages.factor)
            self._messages.restart(max(rest, self._rests_until))
            self.voided += 1
            return True
        return False

    def rest(self, until: float) -> None:
        """Send nothing until then, and open no connection."""
        self._rests_until = max(self._rests_until, until)
        self._messages.restart(self._rests_until)
        self.voided += 1

    def rule(self, ruled: Ruled, now: float) -> None:
        """Do what rules have asked an earlier process for."""
        if ruled.rest > 0:
            self.rest(now + ruled.rest)
        if ruled.pace[1] > 0:
            self.cap_rate(ruled.pace[0], now, now + ruled.pace[1])
        if ruled.connections[1] > 0:
            self.cap_connections(ruled.connections[0], now + ruled.connections[1])

    @property
    def capped(self) -> bool:
        """Whether a rule has made the rate or the connections fewer, as far as it is known that this holds still."""
        return self.rate_throttle.capped or bool(self._capped)

    def lift_caps(self) -> None:
        """Forget the caps of the rate and of the connections that rules have asked for."""
        self.rate_throttle.uncap()
        self._messages.scale(self.rate_throttle.pace)
        self._capped = 0
        self._apply_concurrency()
        self.voided += 1

    def end_rest(self, now: float) -> None:
        """End a rest that lasts longer than ``now``; one that a complaint has brought goes on."""
        if now < self._rests_until:
            self._rests_until = now
            self._messages.restart(max(now, self.rate_throttle.held_until))
            self.voided += 1

    def cap_rate(self, factor: float, now: float, until: float) -> None:
        """Use this factor of the rate at most until then; that is the reaction to the complaint that has just come."""
        self.rate_throttle.cap(factor, until)
        self.rate_throttle.reacted(now)
        self._messages.scale(self.rate_throttle.pace)
        self._messages.restart(max(self._rests_until, now + self._messages.rate.interval / self._messages.factor))
        self.voided += 1

    def cap_connections(self, most: int, until: float) -> None:
        """Have so many connections open at most until then."""
        self._capped = max(1, min(most, self._capped or most))
        self._capped_until = max(self._capped_until, until)
        self._apply_concurrency()

    def refuse_connection(self, now: float, working: int) -> bool:
        """Use no more connections than are ``working``: one more was refused. Return whether that is fewer."""
        changed = self._concurrency_throttle.refused(now, working, self.limits.connections)
        self._apply_concurrency()
        return changed

    def speed_up(self, now: float, sent: float | None = None, count: int = 1) -> bool:
        """Creep back towards the limits after ``count`` messages, handed over at ``sent``, were accepted.

        Return whether anything changed.
        """
        changed = self.rate_throttle.accepted(now, now if sent is None else sent, count)
        if changed:
            self._messages.scale(self.rate_throttle.pace)
        if self.open >= self.connections and self._concurrency_throttle.worked(now, self.limits.connections):
            self._apply_concurrency()
            changed = True
        return changed

    def __repr__(self) -> str:
        return f"<Limiter {self.open} of {self.connections} connections open, messages {self._messages!r}>"
