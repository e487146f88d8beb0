"""A rate as one number: the generic cell rate algorithm (GCRA, ITU-T I.371), used as a booking desk.

The number is the time at which the next event falls due at an even pace. The caller books the next slot and is told
when it comes. The slot may lie in the future, so no caller polls, and none overtakes another.

Laws (tests/shaping/test_meter.py): any window of ``w`` seconds holds at most ``burst + w / interval`` booked slots;
after the burst the slots come at an even pace, in the order in which they were booked.
"""

from __future__ import annotations

from bulkmail.mail import Rate


class Meter:
    """Books slots at a rate. ``now`` is any clock that does not run backwards, in seconds.

    ``empty`` starts without a burst and one interval late: for a limit taken over from another machine, which may have
    used it a moment ago.
    """

    __slots__ = ("_due", "_factor", "_interval", "_slack", "rate")

    def __init__(self, rate: Rate, now: float, *, empty: bool = False) -> None:
        self.rate = rate
        self._factor = 1.0
        self._interval = rate.interval
        self._slack = (rate.burst - 1) * rate.interval
        self._due = now + rate.burst * rate.interval if empty else now

    def peek(self, now: float) -> float:
        """Say when the next slot comes, ``now`` or later, without booking it."""
        return max(now, self._due - self._slack)

    def reserve(self, now: float) -> float:
        """Book the next slot and say when it comes: ``now`` or later."""
        at = max(now, self._due - self._slack)
        self._due = max(self._due, at) + self._interval
        return at

    @property
    def factor(self) -> float:
        """The factor of the rate that is used now: 1.0 is all of it."""
        return self._factor

    def scale(self, factor: float) -> None:
        """Use only this factor of the rate (over 0, up to 1) from now on; the burst shrinks with it, down to 1.

        Slots that are booked keep their times.
        """
        self._factor = factor
        self._interval = self.rate.interval / factor
        self._slack = (max(1.0, self.rate.burst * factor) - 1) * self._interval

    def restart(self, at: float) -> None:
        """Void the slots that are booked and were not used: the next one comes at ``at``, without a burst."""
        self._due = at + self._slack

    @property
    def booked_until(self) -> float:
        """The time of the last booked slot, in seconds; meaningful while it lies ahead."""
        return self._due - self._slack - self._interval

    def become(self, rate: Rate, now: float) -> None:
        """Use another rate from now on. Booked slots keep their times, and the next one comes behind them.

        What was left of the burst stays, up to the new burst; nothing is added to it.
        """
        last = self.booked_until
        left = max(0.0, now - last) / self._interval
        self.rate = rate
        self.scale(self._factor)
        burst = self._slack + self._interval
        self._due = max(now, last) + burst - min(left * self._interval, burst)

    def __repr__(self) -> str:
        used = "" if self._factor == 1.0 else f" at {self._factor:.4g}"
        return f"<Meter {self.rate}{used}, next slot from {self._due - self._slack:.3f}>"
