"""A rate as one number: the generic cell rate algorithm (GCRA, ITU-T I.371), used as a booking desk.

The number is the time at which the next event falls due at an even pace. Whoever wants to act books the next slot and
is told when it comes; it may lie in the future, so that nobody polls and nobody overtakes.

Laws (tests/shaping/test_meter.py): any window of ``w`` seconds holds at most ``burst + w / interval`` booked slots;
after the burst the pace is even; slots come in the order in which they were booked.
"""

from __future__ import annotations

from bulkmail.mail import Rate


class Meter:
    """Books slots at a rate. ``now`` is any clock that does not run backwards, in seconds.

    ``empty`` starts without a burst and one interval late: a limit that was taken over from another machine, which may
    have used its own share a moment ago.
    """

    __slots__ = ("_before", "_due", "_factor", "_interval", "_slack", "rate")

    def __init__(self, rate: Rate, now: float, *, empty: bool = False) -> None:
        self.rate = rate
        self._factor = 1.0
        self._interval = rate.interval
        self._slack = (rate.burst - 1) * rate.interval
        self._due = now + rate.burst * rate.interval if empty else now
        self._before: float | None = None

    def peek(self, now: float) -> float:
        """When the next slot comes: ``now`` or later. Books nothing."""
        return max(now, self._due - self._slack)

    def reserve(self, now: float) -> float:
        """Book the next slot and say when it comes: ``now`` or later."""
        self._before = due = self._due
        at = max(now, due - self._slack)
        self._due = max(due, at) + self._interval
        return at

    def give_back(self) -> bool:
        """Return the slot booked last, unused. False, and nothing happens, where there is none to return.

        Only the last one can go back: behind an earlier one others have already been given their times, and to sell
        it again would put two events into one slot.
        """
        if self._before is None:
            return False
        self._due, self._before = self._before, None
        return True

    @property
    def factor(self) -> float:
        """The part of the rate that is used now: 1.0 is all of it."""
        return self._factor

    def scale(self, factor: float) -> None:
        """Use only this part of the rate (over 0, up to 1) from here on; the burst shrinks with it, down to 1.

        Slots that are booked keep their times. A booking made before cannot be given back after.
        """
        self._factor = factor
        self._interval = self.rate.interval / factor
        self._slack = (max(1.0, self.rate.burst * factor) - 1) * self._interval
        self._before = None

    @property
    def booked_until(self) -> float:
        """The last slot that is booked, as far as it lies ahead."""
        return self._due - self._slack - self._interval

    def become(self, rate: Rate, now: float) -> None:
        """From here on this is the rate. Slots that are booked keep their times, and the next one comes behind them.

        What was left of the burst stays, as far as the new one allows; nothing is added to it.
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
