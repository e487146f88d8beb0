"""What a limit counts: the open connections and the two meters of one provider, or of one site without a provider.

All lanes of one provider share one gate. It answers "when?", it never waits: who waits, and in which order they are
woken, is the delivery room's business.
"""

from __future__ import annotations

from bulkmail.shaping.limits import Limits
from bulkmail.shaping.meter import Meter
from bulkmail.shaping.pace import Pace
from bulkmail.shaping.shares import WHOLE, Part, limits_of


class Gate:
    """Counts connections, books messages, and goes slower or faster as the receiver asks.

    ``connections``: how many may be open now: the limit, or less after a complaint; never under 1.
    ``empty``: taken over from another machine, so nothing of the burst is left. ``pace``: the two factors (messages,
    connections) that were found to work before. ``part``: of the limits, while other machines have the rest; the
    factors are of it, so they mean the same to whoever has another one.
    """

    __slots__ = (
        "_booked_until",
        "_connecting",
        "_messages",
        "_rate_pace",
        "_whole",
        "_width_pace",
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
        pace: tuple[float, float] = (1.0, 1.0),
        part: Part = WHOLE,
    ) -> None:
        self._whole = limits
        self.part = part
        self.limits = limits = limits_of(limits, part)
        self._booked_until = now
        self.open = 0
        self._messages = Meter(limits.rate, now, empty=empty)
        self._connecting = Meter(limits.connection_rate, now, empty=empty)
        self._rate_pace = Pace(pace[0])
        self._width_pace = Pace(pace[1], floor=1 / self._whole.connections)
        self._messages.scale(self._rate_pace.factor)
        self._set_width()

    def _set_width(self) -> None:
        self.connections = max(1, int(self.limits.connections * self._width_pace.factor + 1e-9))

    @property
    def surplus(self) -> int:
        """How many open connections are too many since the gate narrowed: to be closed when they fall idle."""
        return max(0, self.open - self.connections)

    @property
    def pace(self) -> tuple[float, float]:
        """The factors (messages, connections) in use; 1.0 is the whole limit. Kept, a new gate starts from them."""
        return self._rate_pace.factor, self._width_pace.factor

    def forget_pace(self) -> None:
        """As if there had been no complaint."""
        self._rate_pace = Pace(1.0)
        self._width_pace = Pace(1.0, floor=1 / self._whole.connections)
        self._messages.scale(1.0)
        self._set_width()

    def may_open(self, now: float) -> float | None:
        """When the next connection may be opened: ``now`` or later. None: only after another one has closed."""
        return None if self.open >= self.connections else self._connecting.peek(now)

    def opened(self, now: float) -> None:
        """A connection is being opened: it counts from here until ``closed``, whether it comes about or not."""
        self.open += 1
        self._connecting.reserve(now)

    def closed(self) -> None:
        """A connection that was counted is gone."""
        assert self.open > 0, "closed more connections than were opened"
        self.open -= 1

    def peek(self, now: float) -> float:
        """When the next message may go: ``now`` or later."""
        return self._messages.peek(now)

    def reserve(self, now: float) -> float:
        """Book the next message and say when it may go: ``now`` or later."""
        return self._messages.reserve(now)

    def give_back(self) -> bool:
        """The message booked last does not go after all. False where its slot cannot be returned."""
        return self._messages.give_back()

    def become(self, part: Part, now: float) -> None:
        """From here on this part of the limits is ours. Nothing of a burst comes with what is gained."""
        if part != self.part:
            self._booked_until = max(self._booked_until, self._messages.booked_until)
            self.part = part
            self.limits = limits_of(self._whole, part)
            self._messages.become(self.limits.rate, now)
            self._connecting.become(self.limits.connection_rate, now)
            self._set_width()

    def within(self, now: float) -> bool:
        """Whether nothing of what was taken before `become` is used any more: connections, and slots booked ahead."""
        return self.open <= self.limits.connections and now >= self._booked_until

    def slow_down(self, now: float, signal: str) -> bool:
        """The receiver complained: ``rate`` halves pace and connections, ``connections`` only these, others nothing.

        Whether anything changed.
        """
        changed = False
        if signal == "rate" and self._rate_pace.signal(now):
            self._messages.scale(self._rate_pace.factor)
            changed = True
        if signal in ("rate", "connections") and self._width_pace.signal(now):
            self._set_width()
            changed = True
        return changed

    def speed_up(self, now: float) -> bool:
        """The receiver took a message: creep back towards the limits. Whether anything changed."""
        changed = self._rate_pace.success(now)
        if changed:
            self._messages.scale(self._rate_pace.factor)
        if self._width_pace.success(now):
            self._set_width()
            changed = True
        return changed

    def __repr__(self) -> str:
        return f"<Gate {self.open} of {self.connections} connections open, messages {self._messages!r}>"
