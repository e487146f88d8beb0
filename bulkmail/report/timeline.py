"""When things happened, counted in buckets that widen as the campaign lasts: bounded memory, enough for a plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

Bucket = tuple[float, int, int, int]
"""(start in epoch seconds, delivered, failed, deferred)"""

STEPS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_419_200)
"""Bucket widths in seconds; each divides the next one, so that buckets merge without a seam."""

FAILED = frozenset({"bounced", "blocked", "expired"})

_MOST = 2048


class Timeline:
    """Counts statuses by the time they were reached."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._step = 0
        self._counts: Counter[tuple[str, int]] = Counter()

    def add(self, statuses: Iterable[str], times: Iterable[float | None]) -> None:
        """Count a batch of rows; one without a time does not count."""
        width = STEPS[self._step]
        self._counts.update([(status, int(at) // width) for status, at in zip(statuses, times, strict=True) if at])
        while len(self._counts) > self._most and self._step + 1 < len(STEPS):
            self._widen()

    def _widen(self) -> None:
        times = STEPS[self._step + 1] // STEPS[self._step]
        self._step += 1
        wider: Counter[tuple[str, int]] = Counter()
        for (status, bucket), count in self._counts.items():
            wider[status, bucket // times] += count
        self._counts = wider

    def buckets(self) -> list[Bucket]:
        """Return delivered and failed over time, in order; deferrals are not known from where recipients stand now."""
        width = STEPS[self._step]
        found: dict[int, list[int]] = {}
        for (status, bucket), count in self._counts.items():
            if status == "delivered":
                found.setdefault(bucket, [0, 0])[0] += count
            elif status in FAILED:
                found.setdefault(bucket, [0, 0])[1] += count
        return [(float(bucket * width), found[bucket][0], found[bucket][1], 0) for bucket in sorted(found)]


def merged(buckets: Iterable[Bucket], most: int) -> tuple[int, list[Bucket]]:
    """Return the buckets in at most ``most`` (at least 2) of one width, gaps filled with zeros: (width, buckets)."""
    known = [bucket for bucket in buckets if any(bucket[1:])]
    if not known:
        return STEPS[0], []
    first = int(min(bucket[0] for bucket in known))
    last = int(max(bucket[0] for bucket in known))
    width = next((step for step in STEPS if last // step - first // step < most), 0)
    if not width:  # years: a clock was wrong; any width will do
        width = -(-(last - first + 1) // (most - 1))
    start = first // width
    sums = [[0, 0, 0] for _ in range(last // width - start + 1)]
    for at, delivered, failed, deferred in known:
        cell = sums[int(at) // width - start]
        cell[0] += delivered
        cell[1] += failed
        cell[2] += deferred
    return width, [(float((start + n) * width), *cell) for n, cell in enumerate(sums)]  # type: ignore[misc]
