"""Time in which nothing could be sent through no fault of the recipients: it is not charged to their retry time."""

from __future__ import annotations

_TOGETHER = 60.0
_MOST = 100


class UnchargedTime:
    """Pauses by their ends, on the wall clock, in seconds.

    Pauses that end within a minute of each other are merged, and so are the oldest of more than a hundred.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[float, float]] = []

    def add(self, ended: float, seconds: float) -> None:
        """Record a pause of ``seconds`` that ended at ``ended``."""
        if self._ended and ended - self._ended[-1][0] < _TOGETHER:
            seconds += self._ended.pop()[1]
        self._ended.append((ended, seconds))
        if len(self._ended) > _MOST:
            (_, older), (later, newer) = self._ended[:2]
            self._ended[:2] = [(later, older + newer)]

    def since(self, first: float) -> float:
        """Return the seconds of all pauses that ended after ``first``."""
        return sum(seconds for ended, seconds in self._ended if ended > first) if self._ended else 0.0

    def __repr__(self) -> str:
        return f"<UnchargedTime {len(self._ended)}, {self.since(float('-inf')):g} s>"


class Beside(UnchargedTime):
    """The pauses of a part, beside those of the whole."""

    def __init__(self, whole: UnchargedTime) -> None:
        super().__init__()
        self._whole = whole

    def since(self, first: float) -> float:
        """Return the seconds of all pauses of either that ended after ``first``."""
        return super().since(first) + self._whole.since(first)
