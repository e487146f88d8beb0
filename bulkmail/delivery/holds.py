"""What keeps one campaign from being sent now, and for how long it was kept: no retry clock counts that time.

A hold is of the campaign as a whole (its provider is ""), at one provider, or at all sites of no known provider
together (`shaping.OTHER`). Where the provider of a site is asked for, "" is one of no known provider. A hold at a
provider is one at the groups of routes there too: at `google`, and so at `partner at google`.
"""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.mail import names_of
from bulkmail.shaping import OTHER
from bulkmail.spool import HeldTime, Hold


def holds_at(provider: str) -> tuple[str, ...]:
    """Return where holds may be that hold at sites of ``provider`` ("": of none)."""
    return ("", *(names_of(provider) or (OTHER,)))


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
    def by_rule(self) -> frozenset[str]:
        """Where a rule has stopped it: providers, "" for all."""
        return frozenset(hold.provider for hold in self.active if hold.kind == "rule")

    @property
    def words(self) -> str:
        """Why nothing of the campaign may be sent, in a line; "" where it may."""
        return "; ".join(hold.words for hold in self.active if not hold.provider)

    @property
    def fault(self) -> str:
        """What is wrong with the campaign's own content, as a hold of that kind says; "" without one."""
        return next((hold.reason for hold in self.active if hold.kind == "fault"), "")

    def at(self, provider: str) -> bool:
        """Return whether nothing of the campaign may be sent to sites of ``provider`` ("": of none)."""
        return bool(self.providers) and not self.providers.isdisjoint(holds_at(provider))

    def seconds(self, provider: str | None, since: float, now: float) -> float:
        """Return for how long between ``since`` and ``now`` (wall clock) nothing could be sent to ``provider``.

        None: for how long nothing of it could be sent at all.
        """
        if not self.active and not self.over:
            return 0.0
        where = ("",) if provider is None else holds_at(provider)
        spans = [(hold.since, now) for hold in self.active if hold.provider in where]
        spans += [(time.began, time.ended) for time in self.over if time.provider in where]
        total, reached = 0.0, since
        for began, ended in sorted(spans):
            if min(ended, now) > max(began, reached):
                total += min(ended, now) - max(began, reached)
                reached = min(ended, now)
        return total
