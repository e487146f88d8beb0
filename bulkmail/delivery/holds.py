"""What keeps one campaign from being sent now, and for how long it was kept: no retry clock counts that time."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.spool import HeldTime, Hold


class Holds:
    """The holds of one campaign; a value, which `lifecycle.steering` replaces when they change.

    ``active``: those in force. ``providers``: where they are, "" for the campaign as a whole. ``over``: from when to
    when earlier ones were.
    """

    __slots__ = ("active", "over", "providers")

    def __init__(self, active: Iterable[Hold] = (), over: Iterable[HeldTime] = ()) -> None:
        self.active = tuple(active)
        self.over = tuple(over)
        self.providers = frozenset(hold.provider for hold in self.active)

    def __repr__(self) -> str:
        return f"<Holds {'; '.join(hold.words for hold in self.active) or 'none'}>"

    @property
    def whole(self) -> bool:
        """Whether nothing of the campaign may be sent."""
        return "" in self.providers

    @property
    def words(self) -> str:
        """Why nothing of the campaign may be sent, in a line; "" where it may."""
        return "; ".join(hold.words for hold in self.active if not hold.provider)

    @property
    def fault(self) -> str:
        """What is wrong with the campaign's own content, as a hold of that kind says; "" without one."""
        return next((hold.reason for hold in self.active if hold.kind == "fault"), "")

    def at(self, provider: str) -> bool:
        """Whether nothing of the campaign may be sent to sites of ``provider`` ("": of none)."""
        return "" in self.providers or provider in self.providers

    def seconds(self, provider: str, since: float, now: float) -> float:
        """Return for how long between ``since`` and ``now`` (wall clock) nothing could be sent to ``provider``."""
        if not self.active and not self.over:
            return 0.0
        spans = [(hold.since, now) for hold in self.active if hold.provider in ("", provider)]
        spans += [(time.began, time.ended) for time in self.over if time.provider in ("", provider)]
        total, reached = 0.0, since
        for began, ended in sorted(spans):
            if min(ended, now) > max(began, reached):
                total += min(ended, now) - max(began, reached)
                reached = min(ended, now)
        return total
