"""Who is next where several campaigns share one thing, each by its weight; and how much of it one of them may hold.

The order is that of start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), which shares like deficit round
robin and needs no cost before it is known: what has used the least for its weight is next. A flow that had nothing to
use begins where the others are: it has neither saved up turns nor to wait for what they were given before.

What is held for long (open queues, claimed messages) is bounded as a switch bounds the buffers of its ports (Choudhury
and Hahne, dynamic thresholds, 1998): a flow may hold a multiple of what is free, so there is always room for one more
flow, and those that hold much give way as others come.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, Literal, Protocol, TypeVar

Priority = Literal["low", "normal", "high", "transactional"]

WEIGHTS: dict[Priority, int] = {"low": 1, "normal": 3, "high": 9, "transactional": 27}
"""The weight of each priority: of two neighbours the higher one gets three times as much."""

SMALL = 500
"""A campaign of no more rows is small: it has `AHEAD` times its weight, which costs a large one next to nothing."""
AHEAD = 9

_HELD = 7
"""How many times what is free one flow may hold: alone 7/8 of all, two of them 7/15 each."""
_MOST_ENDS = 64


class Weighted(Hashable, Protocol):
    """What shares: a campaign."""

    @property
    def weight(self) -> int:
        """Its weight, of `WEIGHTS`."""


F = TypeVar("F", bound=Weighted)


class Turns(Generic[F]):
    """The turns at one thing.

    ``reached``: where the flows are that use it now, in units of a flow of weight 1.
    """

    __slots__ = ("_ends", "reached")

    def __init__(self) -> None:
        self.reached = 0.0
        self._ends: dict[F, float] = {}  # of those that are further than the others

    def start(self, flow: F) -> float:
        """Return where its next turn begins: the flow with the least is next, and `reached` is then that."""
        return max(self.reached, self._ends.get(flow, 0.0))

    def next(self, flows: Iterable[F]) -> F:
        """Return the flow whose turn it is, the first of equals. Raises ValueError where there is none."""
        flow = min(flows, key=self.start)
        self.reached = self.start(flow)
        return flow

    def use(self, flow: F, cost: float = 1.0) -> float:
        """Have a flow use the thing, for ``cost`` in whatever unit; returns where that turn began."""
        begun = self.start(flow)
        if len(self._ends) >= _MOST_ENDS:
            self._ends = {one: end for one, end in self._ends.items() if end > self.reached}
        self._ends[flow] = begun + cost / flow.weight
        return begun

    def idle(self, flow: F) -> bool:
        """Return whether it is not ahead of the others: nothing need be known of it."""
        return self._ends.get(flow, 0.0) <= self.reached


def room_for(held: int, free: int) -> int:
    """Return how many more a flow may hold that holds ``held``, where ``free`` are free; never more than these."""
    return max(0, (_HELD * free - held + _HELD) // (_HELD + 1))


def share_of(weight: int, weights: int, whole: int, least: int) -> int:
    """Return the part of ``whole`` that a flow of this weight holds among others, ``weights`` in all; or ``least``."""
    return max(least, whole * weight // weights)
