"""What is remembered of hosts and sites that failed, so that the same failure is not repeated twice a second.

With two MX hosts of which one is dead, 100 connections and a connect timeout of 30 s carry 6 messages a second. So a
dead address is remembered and tried last. It is never locked out: a site whose addresses are all remembered dead is
still tried; only the site's own timer delays it. A failure is remembered beyond its back-off, until the address works:
where a site has more addresses than an attempt may try, the others come first. Times are seconds on one clock.
"""

from __future__ import annotations

from collections import OrderedDict

from bulkmail.shaping.families import FamilyHealth
from bulkmail.shaping.retry import Dice, RetrySettings, interval

_FIRST = 60.0
_LONGEST = 1800.0
_SIZE = 65536


class HostMemory:
    """Addresses that failed, each with a back-off that doubles from 1 to 30 minutes.

    Failures of connections that were already under way count once, so that ten of them at once are one failure. A
    success clears an address. The oldest of more than ``size`` are forgotten. ``families``: what is remembered of IPv4
    and IPv6 as such.
    """

    __slots__ = ("_dead", "_first", "_longest", "_size", "families")

    def __init__(self, size: int = _SIZE, first: float = _FIRST, longest: float = _LONGEST) -> None:
        self._dead: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> until, the back-off it took
        self.families = FamilyHealth(first, longest)
        self._size = size
        self._first = first
        self._longest = longest

    def __len__(self) -> int:
        return len(self._dead)

    def failed(self, host: str, now: float, *, connected: bool | None = None) -> float:
        """Record a failure; the address is remembered dead until the time returned.

        ``connected``: whether it could be connected to at all; None where that was not tried.
        """
        if connected is False:
            self.families.failed(host, now)
        elif connected:
            self.families.worked(host)
        until, wait = self._dead.get(host, (float("-inf"), 0.0))
        if now >= until:
            recent = wait > 0 and now < until + self._longest
            wait = min(self._longest, wait * 2) if recent else self._first
            until = now + wait
            self._dead[host] = (until, wait)
        self._dead.move_to_end(host)
        if len(self._dead) > self._size:
            self._dead.popitem(last=False)
        return until

    def worked(self, host: str) -> None:
        """Forget the failures of an address that worked."""
        self._dead.pop(host, None)
        self.families.worked(host)

    def dead_until(self, host: str, now: float) -> float | None:
        """Return until when the address is remembered dead; None where it is not."""
        until = self._dead.get(host, (now, 0.0))[0]
        return until if until > now else None

    def failed_until(self, host: str) -> float | None:
        """Return when the back-off of its last failure ends, or ended; None where no failure is remembered."""
        known = self._dead.get(host)
        return None if known is None else known[0]

    def __repr__(self) -> str:
        return f"<HostMemory of {len(self._dead)} addresses>"


class SiteHealth:
    """One site's timer: after an attempt that reached none of its hosts, the site is suspended by the retry schedule.

    One timer for the site, not one for each of its messages. ``down_since``: when the outage began; the retry clock of
    recipients that were never tried starts there. Both arguments are what an earlier process knew. Times are on the
    wall clock, in seconds.
    """

    __slots__ = ("down_since", "failures", "suspended_until")

    def __init__(self, down_since: float | None = None, failures: int = 0) -> None:
        self.failures = failures
        self.suspended_until: float | None = None
        self.down_since = down_since

    def failed(self, now: float, retry: RetrySettings, rng: Dice) -> float:
        """Record that no host of the site could be used; the site is suspended until the time returned.

        A failure of an attempt that was under way when the suspension began changes nothing.
        """
        if self.suspended_until is None or now >= self.suspended_until:
            self.failures += 1
            if self.down_since is None:
                self.down_since = now
            self.suspended_until = now + interval(retry, self.failures, rng)
        return self.suspended_until

    def relieved(self, now: float) -> None:
        """Begin the outage anew: until now its recipients were sent to from elsewhere, so none has waited."""
        self.down_since = now

    def worked(self) -> None:
        """End the outage: a host of the site took a conversation as far as MAIL."""
        self.failures, self.suspended_until, self.down_since = 0, None, None

    def __repr__(self) -> str:
        if self.suspended_until is None:
            return "<SiteHealth well>" if self.down_since is None else f"<SiteHealth down since {self.down_since:.3f}>"
        return f"<SiteHealth {self.failures} failures, suspended until {self.suspended_until:.3f}>"
