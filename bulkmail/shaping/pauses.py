"""The time in which nothing could be sent through no fault of the recipients: it uses up nobody's patience."""

from __future__ import annotations

_TOGETHER = 60.0
_MOST = 100


class Pauses:
    """Pauses by when they ended, on the wall clock. What happens within a minute, or long ago, is kept as one."""

    def __init__(self) -> None:
        self._ended: list[tuple[float, float]] = []

    def add(self, ended: float, seconds: float) -> None:
        """A pause of ``seconds`` ended at ``ended``."""
        if self._ended and ended - self._ended[-1][0] < _TOGETHER:
            seconds += self._ended.pop()[1]
        self._ended.append((ended, seconds))
        if len(self._ended) > _MOST:
            (_, older), (later, newer) = self._ended[:2]
            self._ended[:2] = [(later, older + newer)]

    def since(self, first: float) -> float:
        """The seconds of all that ended after ``first``."""
        return sum(seconds for ended, seconds in self._ended if ended > first) if self._ended else 0.0

    def __repr__(self) -> str:
        return f"<Pauses {len(self._ended)}, {self.since(float('-inf')):g} s>"
