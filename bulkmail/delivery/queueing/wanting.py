"""Which lanes want messages of which campaign, and in which order they are fed where there is not enough for all.

Where connections are scarce, a lane whose turn goes on (`Supply.keeps_turn`) comes before those that wait for theirs.
Else each of five thousand lanes would get a handful of messages in a circle, and have lost its connection to another
one when it comes round.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from bulkmail.delivery.queueing.supply import Supply
from bulkmail.delivery.run import Run

_NONE: Container[Supply] = ()


class _Line:
    """The supplies that want messages of one campaign: those whose turn goes on, and the others as they came."""

    __slots__ = ("in_turn", "waiting")

    def __init__(self) -> None:
        self.in_turn: dict[Supply, None] = {}
        self.waiting: dict[Supply, None] = {}

    def __contains__(self, supply: object) -> bool:
        return supply in self.waiting or supply in self.in_turn

    def __len__(self) -> int:
        return len(self.in_turn) + len(self.waiting)


class Wanting:
    """The supplies whose lanes could take more messages.

    ``now()``: the reactor's clock. ``scarce()``: whether few connections of the process are left.
    """

    def __init__(self, now: Callable[[], float], scarce: Callable[[], bool]) -> None:
        self._now = now
        self._scarce = scarce
        self._lines: dict[Run, _Line] = {}  # none of them empty

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def weights(self) -> int:
        """The sum of the weights of the campaigns that messages are wanted of."""
        return sum(run.weight for run in self._lines)

    def of(self, run: Run) -> Container[Supply]:
        """Return the supplies that want messages of a campaign."""
        return self._lines.get(run, _NONE)

    def in_order(self) -> dict[Run, list[Supply]]:
        """Return the supplies that want messages of each campaign; the last of a list is next."""
        return {run: [*reversed(line.waiting), *reversed(line.in_turn)] for run, line in self._lines.items()}

    def add(self, supply: Supply, run: Run) -> None:
        """Note that the lane could take more messages of a campaign."""
        line = self._lines.get(run)
        if line is None:
            line = self._lines[run] = _Line()
        elif supply in line:
            return
        first = self._scarce() and supply.keeps_turn(self._now())
        (line.in_turn if first else line.waiting)[supply] = None

    def fed(self, supply: Supply, run: Run, messages: int) -> None:
        """Note that the lane gets so many messages of a campaign, and wants no more of it now."""
        self._discard(supply, run)
        supply.use_turn(messages, self._now())

    def discard(self, supply: Supply) -> None:
        """Note that the lane wants nothing, of any campaign."""
        for run in list(self._lines):
            self._discard(supply, run)

    def clear(self) -> None:
        """Forget all of them."""
        self._lines.clear()

    def _discard(self, supply: Supply, run: Run) -> None:
        line = self._lines[run]
        line.in_turn.pop(supply, None)
        line.waiting.pop(supply, None)
        if not line:
            del self._lines[run]
