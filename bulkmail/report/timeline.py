"""When things happened, counted in spans that widen as the campaign lasts: bounded memory, enough for a plot.

The plots of the operator's page and the bars of the report's page are drawn from the same sums of attempts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from bulkmail.mail import LateResult, Status

AttemptSum = tuple[int, int, str, str, int, int]
"""(greatest attempt's id, number of the span, provider, result, milliseconds within which it was accepted, attempts)"""

Spans = Mapping[int, Counter[tuple[str, int]]]
"""number of a span since the epoch -> (result, milliseconds within which it was accepted) -> attempts"""

Bucket = tuple[float, int, int, int]
"""(start in epoch seconds, delivered, failed, deferred)"""

Best = tuple[float, int]
"""(start of a minute or an hour of the clock in epoch seconds, messages accepted of the attempts that began in it)"""

STEPS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_419_200)
"""Bucket widths in seconds; each divides the next one, so that buckets merge without a seam."""

_MOST = 128
_MINUTE, _HOUR = 60, 3600
_READ = STEPS.index(_MINUTE)  # attempts are read in spans of a minute at the most: the best one is looked for
_RECENT = 256  # minutes or hours that are still counted: attempts are stored when they end, hours after they began
_LATE = frozenset(map(str, LateResult))


class _Peak:
    """Finds the span of ``width`` seconds with the most. Only the last `_RECENT` spans are counted further."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.best: Best | None = None
        self._recent: dict[int, int] = {}  # number of a span -> accepted

    def add(self, number: int, accepted: int) -> None:
        """Count what was accepted in a span. Of equal ones the first that had so many stays the best."""
        count = self._recent[number] = self._recent.get(number, 0) + accepted
        if self.best is None or count > self.best[1]:
            self.best = (float(number * self.width), count)
        if len(self._recent) > _RECENT:
            del self._recent[min(self._recent)]


class Timeline:
    """The attempts of a campaign, summed in spans of time as they are stored. ``most``: so many spans that have any.

    Each attempt is read once, so to stay up to date costs what is new. A timeline is rebuilt from the attempts.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._step = 0
        self._last = 0  # the id of the last attempt in it
        self._sums: dict[str, dict[int, Counter[tuple[str, int]]]] = {"": {}}  # by provider, "" for all of them
        self._minutes, self._hours = _Peak(_MINUTE), _Peak(_HOUR)

    @property
    def best_minute(self) -> Best | None:
        """The minute in which the most was accepted; None where nothing was."""
        return self._minutes.best

    @property
    def best_hour(self) -> Best | None:
        """The hour in which the most was accepted; None where nothing was."""
        return self._hours.best

    def follow(self, read: Callable[[int, int], Sequence[AttemptSum]]) -> None:
        """Add all attempts that are not in it yet. What came back later was no attempt and is left out.

        ``read(after, width)``: sums of some attempts behind an id, in spans of ``width`` seconds; none at the end.
        """
        while found := read(self._last, width := STEPS[min(self._step, _READ)]):
            times = STEPS[self._step] // width
            for last, number, provider, result, within, attempts in found:
                self._last = max(self._last, last)
                if result not in _LATE:
                    for of in ("", provider):
                        spans = self._sums.setdefault(of, {})
                        spans.setdefault(number // times, Counter())[result, within] += attempts
                if result == Status.DELIVERED:
                    for peak in (self._minutes, self._hours):
                        peak.add(number * width // peak.width, attempts)
            while len(self._sums[""]) > self._most and self._step + 1 < len(STEPS):
                times = STEPS[self._step + 1] // STEPS[self._step]
                self._sums = {of: _widened(spans, times) for of, spans in self._sums.items()}
                self._step += 1

    def spans(self, width: int, provider: str = "") -> tuple[int, Spans]:
        """Return the attempts to a provider ("": to all) in spans of ``width`` seconds, one of `STEPS`.

        Where its own are wider already, they are of that width, which is returned with them.
        """
        own = STEPS[self._step]
        wide = max(width, own)
        return wide, _widened(self._sums.get(provider, {}), wide // own)

    def buckets(self) -> list[Bucket]:
        """Return delivered, failed and deferred attempts over time, in order."""
        width, spans = self.spans(STEPS[0])
        found = []
        for number in sorted(spans):
            counts: Counter[str] = Counter()
            for (result, _), attempts in spans[number].items():
                counts[result] += attempts
            found.append((float(number * width), counts["delivered"], counts["failed"], counts["deferred"]))
        return found


def _widened(spans: Spans, times: int) -> dict[int, Counter[tuple[str, int]]]:
    """Return the same sums in spans so many times as wide."""
    found: dict[int, Counter[tuple[str, int]]] = {}
    for number, counts in spans.items():
        found.setdefault(number // times, Counter()).update(counts)
    return found


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
