"""What a limit counts: the open connections and the two meters of one provider, or of one site without a provider.

All lanes of one provider share one limiter. It answers "when?" and never waits: which lane waits, and in which order
lanes are woken, is decided in the delivery room. ``now`` is always the reactor's clock, in seconds.
"""

from __future__ import annotations

from bulkmail.shaping.limits import Limits
from bulkmail.shaping.meter import Meter
from bulkmail.shaping.shares import WHOLE, Part, limits_of
from bulkmail.shaping.throttle import Throttle


class Limiter:
    """Counts connections, books messages, and goes slower or faster as the receiver asks.

    ``connections``: how many may be open now: the limit, or fewer after a complaint; never under 1.
    ``empty``: taken over from another machine, so nothing of the burst is left. ``factors``: the factors (rate,
    concurrency) that worked before, from 0 to 1. ``part``: the part of the limits that is this machine's; the factors
    apply to the part, so they mean the same to a machine with another part.
    """

    __slots__ = (
        "_booked_until",
        "_concurrency_throttle",
        "_connecting",
        "_messages",
        "_rate_throttle",
        "_whole",
        "connections",
        "limits",
        "open",
        "part",
    )

    def __init__(
        self,
        limits: Limits,
        now: float,
        *,
        empty: bool = False,
        factors: tuple[float, float] = (1.0, 1.0),
        part: Part = WHOLE,
    ) -> None:
        self._whole = limits
        self.part = part
        self.limits = limits = limits_of(limits, part)
        self._booked_until = now
        self.open = 0
        self._messages = Meter(limits.rate, now, empty=empty)
        self._connecting = Meter(limits.connection_rate, now, empty=empty)
        self._rate_throttle = Throttle(factors[0])
        self._concurrency_throttle = Throttle(factors[1], floor=1 / self._whole.connections)
        self._messages.scale(self._rate_throttle.factor)
        self._apply_concurrency()

    def _apply_concurrency(self) -> None:
        self.connections = max(1, int(self.limits.connections * self._concurrency_throttle.factor + 1e-9))

    @property
    def surplus(self) -> int:
        """How many open connections are over the limit since it shrank; they are closed when they fall idle."""
        return max(0, self.open - self.connections)

    @property
    def factors(self) -> tuple[float, float]:
        """The factors (rate, concurrency) in use; 1.0 is the whole limit. A new limiter may start from them."""
        return self._rate_throttle.factor, self._concurrency_throttle.factor

    def reset_factors(self) -> None:
        """Use the whole limit again, as if there had been no complaint."""
        self._rate_throttle = Throttle(1.0)
        self._concurrency_throttle = Throttle(1.0, floor=1 / self._whole.connections)
        self._messages.scale(1.0)
        self._apply_concurrency()

    def may_open(self, now: float) -> float | None:
        """Say when the next connection may be opened: ``now`` or later; None: not before another one has closed."""
        return None if self.open >= self.connections else self._connecting.peek(now)

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
            self.limits = limits_of(self._whole, part)
            self._messages.become(self.limits.rate, now)
            self._connecting.become(self.limits.connection_rate, now)
            self._apply_concurrency()

    def within(self, now: float) -> bool:
        """Whether the limits of the new part are met: connections opened and slots booked before `become` are gone."""
        return self.open <= self.limits.connections and now >= self._booked_until

    def slow_down(self, now: float, signal: str) -> bool:
        """Slow down after a complaint: ``rate`` halves both factors, ``connections`` the concurrency, others nothing.

        Return whether anything changed.
        """
        changed = False
        if signal == "rate" and self._rate_throttle.signal(now):
            self._messages.scale(self._rate_throttle.factor)
            changed = True
        if signal in ("rate", "connections") and self._concurrency_throttle.signal(now):
            self._apply_concurrency()
            changed = True
        return changed

    def speed_up(self, now: float) -> bool:
        """Creep back towards the limits after an accepted message. Return whether anything changed."""
        changed = self._rate_throttle.success(now)
        if changed:
            self._messages.scale(self._rate_throttle.factor)
        if self._concurrency_throttle.success(now):
            self._apply_concurrency()
            changed = True
        return changed

    def __repr__(self) -> str:
        return f"<Limiter {self.open} of {self.connections} connections open, messages {self._messages!r}>"
