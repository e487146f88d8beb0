"""The lanes that wait for a slot: those of one campaign in the order in which they came, campaigns by their turns.

A campaign with twenty thousand sites has as many lanes in line. One of another campaign is not behind them: for each
slot that comes free it is a campaign's turn first, and then that of its first lane.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from bulkmail.shaping import Turns, Weighted

W = TypeVar("W")


class Line(Generic[W]):
    """Who waits, each once and for one campaign (None: for whichever; all such are as one campaign)."""

    __slots__ = ("_campaign_of", "_lines", "_turns")

    def __init__(self) -> None:
        self._campaign_of: dict[W, Weighted] = {}
        self._lines: dict[Weighted, dict[W, None]] = {}  # none of them empty
        self._turns: Turns[Weighted] | None = None

    def __len__(self) -> int:
        return len(self._campaign_of)

    def __contains__(self, waiter: object) -> bool:
        return waiter in self._campaign_of

    def add(self, waiter: W, campaign: Weighted | None) -> None:
        """Put it at the end of its campaign's line, if it does not wait yet."""
        if waiter not in self._campaign_of:
            of = campaign or _NONE
            self._campaign_of[waiter] = of
            self._lines.setdefault(of, {})[waiter] = None

    def pop(self) -> W:
        """Take the next one. Raises StopIteration where there is none."""
        campaign = next(iter(self._lines))
        if len(self._lines) > 1:
            self._turns = self._turns or Turns()
            campaign = self._turns.next(self._lines)
            self._turns.use(campaign)
        else:
            self._turns = None
        line = self._lines[campaign]
        waiter = next(iter(line))
        del line[waiter], self._campaign_of[waiter]
        if not line:
            del self._lines[campaign]
        return waiter


class _None:
    weight = 3


_NONE = _None()
