"""What is remembered of IPv4 and IPv6 as ways out of this machine, beside what is remembered of each address.

A machine may have a route for IPv6 that leads nowhere, or lose IPv4 behind its translator. Each receiver would cost
the patience of a connect before the other version is tried (RFC 8305 is about people who wait so; a mailer has 100,000
receivers). So a version over which three addresses in a row could not be connected to, and none could, is *doubtful*
for a while, if the other one worked last: its addresses come second, and get little patience. It is not locked out;
the first success ends it.
Times are seconds on one clock.
"""

from __future__ import annotations

_ENOUGH = 3  # different addresses
_FIRST, _LONGEST = 60.0, 1800.0


def version_of(ip: str) -> int:
    """Return 4 or 6."""
    return 6 if ":" in ip else 4


class FamilyHealth:
    """How well connecting over IPv4 and over IPv6 has gone lately."""

    __slots__ = ("_failed", "_first", "_last", "_longest", "_until", "_wait")

    def __init__(self, first: float = _FIRST, longest: float = _LONGEST) -> None:
        self._first, self._longest = first, longest
        self._failed: dict[int, set[str]] = {4: set(), 6: set()}
        self._until = {4: float("-inf"), 6: float("-inf")}
        self._wait = {4: 0.0, 6: 0.0}
        self._last = 0  # the version that worked last

    def worked(self, ip: str) -> None:
        """Record that an address could be connected to."""
        self._last = version = version_of(ip)
        if self._failed[version] or self._wait[version]:
            self._failed[version].clear()
            self._until[version], self._wait[version] = float("-inf"), 0.0

    def failed(self, ip: str, now: float) -> None:
        """Record that an address could not be connected to; what was under way when doubt began changes nothing."""
        version = version_of(ip)
        if now < self._until[version]:
            return
        failed = self._failed[version]
        failed.add(ip)
        if len(failed) >= _ENOUGH or self._wait[version]:
            self._wait[version] = min(self._longest, self._wait[version] * 2) or self._first
            self._until[version] = now + self._wait[version]
            failed.clear()

    def is_doubtful(self, version: int, now: float) -> bool:
        """Return whether this version fails while the other one is known to work."""
        return self._until[version] > now and self._last == 10 - version

    def __repr__(self) -> str:
        waits = ", ".join(f"IPv{version} failed last for {wait:g} s" for version, wait in self._wait.items() if wait)
        return f"<FamilyHealth {waits or 'well'}>"
