"""How fast a receiver lets us send, found from what it refuses: steep cuts, slow approaches, rare steps beyond.

The rate that was refused is remembered as the ceiling. One complaint cuts the rate below it: to 85 % where the ceiling
was known, to half where it was not. From there the rate grows by the curve of CUBIC (RFC 9438 4.2): fast while it is
far below the ceiling, ever slower as it comes near, and, when nothing was refused there, ever faster beyond it. So the
time is spent close under what the receiver takes, a limit that was raised is found within minutes, and each look
beyond costs a message or two. The curve advances by what was sent, not by the clock alone: a rate that was
not used was not tried.

A complaint about a message that was handed over before the last cut says nothing new. After each cut nothing is sent
for a second, so that the receiver's count can fall; no recipient is charged for that. Where the first message after the
rest is refused again, the receiver is not taking less but nothing at all for a time: it counts by the minute, or
punishes. Then each rest is twice the last, up to 5 minutes, and one message or a few find out whether it is over. What
was accepted since the last such time, divided by all of the time, is then the rate.

A receiver that complains now and then at any rate is not slowed down for (`at_any_rate`).

Laws (tests/shaping/test_throttle.py): the factor stays between the floor and 1; a complaint never raises it, an
acceptance never lowers it but at the end of such a time.
"""

from __future__ import annotations

from bulkmail.shaping.at_any_rate import ComplaintsAtAnyRate

_FLOOR = 1 / 1024
COMPLAINT_SETTLE = 10.0  # seconds
_NEAR = 0.85  # of a ceiling that was known: the receiver's limit is close below it
_FAR = 0.5
_CLOSE = (0.75, 1.3)  # as a part of the known ceiling: refused here, it is the same limit
_STARTS = 0.9  # of the ceiling, in the next campaign
_APPROACH = 30.0  # seconds from a cut back to the ceiling
_MESSAGES = 30  # as many, for a slow rate
_REST = 1.0  # seconds after a cut
_LONGEST_REST = 300.0
_BLOCKED = 3  # refusals in a row
_RECENT = 10  # seconds
_UNUSED = 60  # seconds without a message, after which what was accepted is counted anew


class RateThrottle:
    """The factor of a rate that a receiver lets us use: 1.0 is all of it. Times in seconds, on the reactor's clock.

    ``interval``: seconds a message at the whole rate. ``learnt``: what was learnt before, see there. ``speed`` divides
    the times, but for the first rests: a receiver's own seconds are not shorter in a rehearsal.
    """

    __slots__ = (
        "_at_any_rate",
        "_before",
        "_cap",
        "_cap_until",
        "_ceiling",
        "_count",
        "_counted_since",
        "_cut_at",
        "_first",
        "_last",
        "_low",
        "_refusals",
        "_run",
        "_second",
        "_speed",
        "_taken",
        "_told",
        "factor",
        "held_until",
        "interval",
    )

    def __init__(self, interval: float, learnt: float = 1.0, speed: float = 1.0) -> None:
        self.interval = interval
        self._speed = speed
        self.factor = self._low = min(1.0, max(_FLOOR, learnt))
        self.held_until = float("-inf")
        self._ceiling = self.factor / _STARTS if learnt < 1.0 else None
        self._run = 0.0  # seconds of use since the cut
        self._last = float("-inf")  # accepted
        self._cut_at = float("-inf")
        self._cap, self._cap_until = 1.0, float("-inf")
        self._at_any_rate = ComplaintsAtAnyRate()
        self._refusals = 0  # in a row, of messages that were handed over after the cut before
        # accepted: in the last second with any, in the one before, and since when how many before that
        self._second = self._first = -1
        self._count = self._before = self._taken = 0
        self._told = 0  # of the count
        self._counted_since = 0.0

    def become(self, interval: float) -> None:
        """Use another part of the same rate: the factors stay, what was taken by this machine is measured anew."""
        self.interval = interval
        self._at_any_rate = ComplaintsAtAnyRate()

    @property
    def learnt(self) -> float:
        """What a later throttle may start with: a little less than was last refused; 1.0 where nothing was."""
        return 1.0 if self._ceiling is None else min(1.0, max(_FLOOR, self._ceiling * _STARTS))

    @property
    def pace(self) -> float:
        """The factor that is used now: less than ``factor`` under a cap, and while every message is refused."""
        pace = max(_FLOOR, self.factor / 4 ** (self._refusals - 1)) if self._refusals > 1 else self.factor
        return min(pace, self._cap)

    @property
    def found(self) -> float:
        """The factor that the receiver lets us use, as far as it is known: `pace` but for messages that only ask."""
        return min(self.factor, self._cap)

    @property
    def asks(self) -> bool:
        """Whether nothing that was handed over after the last complaint has been accepted yet."""
        return self._refusals > 0

    def echoes(self, sent: float) -> bool:
        """Return whether a complaint about a message handed over at ``sent`` says nothing new."""
        return sent <= self._cut_at

    def reacted(self, now: float) -> None:
        """Note that something else has been done about the complaint that has just come: it cuts nothing here."""
        self._cut_at = max(self._cut_at, now)

    def cap(self, factor: float, until: float) -> None:
        """Use no more than this factor until then."""
        self._cap, self._cap_until = max(_FLOOR / 1000, min(self._cap, factor)), max(self._cap_until, until)

    @property
    def capped(self) -> bool:
        """Whether there is a cap, as far as it is known that its time is not over."""
        return self._cap < 1.0

    def uncap(self) -> None:
        """Forget the cap."""
        self._cap, self._cap_until = 1.0, float("-inf")

    def _uncap(self, now: float) -> bool:
        """Forget a cap whose time is over. Return whether there was one."""
        if self._cap == 1.0 or now < self._cap_until:
            return False
        self._cap = 1.0
        return True

    def refused(self, now: float, sent: float) -> bool:
        """Slow down after a complaint about a message handed over at ``sent``. Return whether it was news."""
        if self.echoes(sent):
            return False
        if self._borne(now):
            return False
        self._cut_at = now
        self._uncap(now)
        self._refusals += 1
        if self._refusals == 1:
            self._cut(now)
        self.held_until = now + min(_LONGEST_REST / self._speed, _REST * 2 ** (min(self._refusals, 20) - 1))
        return True

    def _borne(self, now: float) -> bool:
        """Return whether it was no complaint about this rate; where that is found out now, the rate comes back."""
        known = self._at_any_rate
        before = known.borne
        self._tell(now)
        if self._refusals or not known.refused(now, self._used(now) / self.interval):
            return False
        if not before:
            self._ceiling = max(self._ceiling or 0.0, min(1.0, known.taken * self.interval))
            self._low, self._run, self._last = self.factor, 0.0, now
        return True

    def _cut(self, now: float) -> None:
        used = self._used(now)
        near = self._ceiling is not None and _CLOSE[0] <= used / self._ceiling <= _CLOSE[1]
        self._ceiling = max(used, _FLOOR / _NEAR)
        self.factor = self._low = max(_FLOOR, used * (_NEAR if near else _FAR))
        self._run, self._last = 0.0, now

    def _used(self, now: float) -> float:
        """Return the factor that was really used of late: a rate that the connections never reached was not refused."""
        second = int(now)
        if self._first < 0 or second - self._first < 2:
            return self.factor  # too short a time to measure
        best = max(1, self._count, self._before) if second - self._second <= _RECENT else 1
        return min(self.factor, best * 1.25 * self.interval)

    def accepted(self, now: float, sent: float, count: int = 1) -> bool:
        """Speed up after ``count`` messages, handed over at ``sent``, were accepted. Return whether it changed."""
        second = int(now)
        uncapped = second != self._second and self._next_second(now, second)
        self._count += count
        if self._ceiling is None or sent <= self._cut_at:
            return uncapped
        if self._refusals:
            self._released(now)
            return True
        before = self.factor
        # a rate that is used in part grows in that proportion
        self._run += min(now - self._last, 2 * count * self.interval / before)
        self._last = now
        self._grow()
        return uncapped or self.factor != before

    def _next_second(self, now: float, second: int) -> bool:
        """Begin to count another second. Return whether the time of a cap is over."""
        self._tell(now)
        if self._first < 0 or second - self._second > _UNUSED:
            self._first, self._counted_since = second, now
            self._taken = self._count = 0
        self._taken += self._count
        self._before = self._count if second - self._second <= _RECENT else 0
        self._second, self._count, self._told = second, 0, 0
        return self._uncap(now)

    def _tell(self, now: float) -> None:
        """Have those counted that were accepted since: once a second, and before a complaint is judged."""
        fresh, self._told = self._count - self._told, self._count
        if fresh:
            self._at_any_rate.accepted(now, fresh, max(_UNUSED, 2 * _MESSAGES * self.interval))

    def _released(self, now: float) -> None:
        """Go on after refusals: the first message that was handed over after them is accepted."""
        if self._refusals >= _BLOCKED and self._counted_since < now:
            taken = (self._taken + self._count) / (now - self._counted_since) * self.interval
            if taken < self.factor:
                self.factor = self._low = max(_FLOOR, taken)
                self._ceiling = self._low / _NEAR
        self._refusals = 0
        self._last = self._counted_since = now
        self._taken = self._count = self._before = self._told = 0
        self._first = self._second = int(now)  # what was used before the rest is not known any more
        self._run = 0.0

    def _grow(self) -> None:
        assert self._ceiling is not None
        approach = max(_APPROACH / self._speed, _MESSAGES * self.interval / self._low)
        curve = self._ceiling + (self._ceiling - self._low) * (self._run / approach - 1.0) ** 3
        if curve >= 1.0 and self._run >= 2 * approach:
            self._ceiling = None  # all of it was used for a while, and nothing refused
        self.factor = min(1.0, max(self.factor, curve))

    def __repr__(self) -> str:
        return f"<RateThrottle {self.pace:.4g}>"


_FIRST_LOOK = 60.0  # seconds after a connection too many until the next one is tried
_LONGEST_LOOK = 120.0  # it costs a connection that is refused, and no recipient
_NEXT = 10.0  # seconds from one that worked to the next


class ConnectionThrottle:
    """The factor of the connections that a receiver lets us use; times as above.

    A receiver that takes too many connections for a fault says how many it takes: those that are open when one more is
    refused. So there is nothing to halve. One more is tried after a minute, then after two, and where it works the next
    one soon.
    """

    __slots__ = ("_look_at", "_looked", "_speed", "_wait", "factor")

    def __init__(self, factor: float = 1.0, speed: float = 1.0) -> None:
        self._speed = speed
        self.factor = min(1.0, max(0.0, factor))
        self._wait = _FIRST_LOOK
        self._look_at = float("-inf")
        self._looked = False

    def refused(self, now: float, working: int, most: int) -> bool:
        """Use as many as were ``working``, of ``most``, when one more was refused. Return whether that is fewer."""
        self._wait = _LONGEST_LOOK if self._looked else _FIRST_LOOK
        self._looked = False
        self._look_at = now + self._wait / self._speed
        factor = max(1, working) / most
        if factor >= self.factor:
            return False
        self.factor = factor
        return True

    def worked(self, now: float, most: int) -> bool:
        """Try one more, of ``most``, if it is time: all that may be used are used. Return whether it changed."""
        if self.factor >= 1.0 or now < self._look_at:
            return False
        self.factor = min(1.0, (int(self.factor * most + 1e-9) + 1) / most)
        self._look_at = now + _NEXT / self._speed
        self._looked = True
        return True

    def __repr__(self) -> str:
        return f"<ConnectionThrottle {self.factor:.4g}>"
