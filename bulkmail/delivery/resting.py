"""The rows of a campaign that wait until its variants were tried on the others: those that are in none of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkmail.mail import REST, Variants

_AGAIN = 10.0  # seconds


class Resting:
    """``after``: seconds from the first attempt, ``begins`` on the wall clock (None before it), until the rest is due;
    ``longest``: until it is due at the latest, however often the wait was extended. ``again``: seconds until a row is
    looked at once more that was due before anything was chosen.
    """

    def __init__(
        self,
        shares: Iterable[Sequence[object]],
        after: float,
        begins: float | None,
        longest: float | None = None,
        again: float = _AGAIN,
    ) -> None:
        self._variants = Variants(shares)
        self._after = after
        self._longest = 2 * after if longest is None else longest
        self._again = again
        self._not_before = 0.0
        self.begins = begins

    def waits(self, email: str) -> bool:
        """Return whether the row with this address belongs to the rest."""
        return self._variants.of(email) == REST

    def is_over(self, now: float) -> bool:
        """Return whether the variants were tried for long enough."""
        return self.begins is not None and now >= max(self.begins + self._after, self._not_before)

    def extend(self, now: float) -> bool:
        """Wait for another tenth of the time; False, and nothing is changed, once it has come to the longest."""
        assert self.begins is not None
        if now >= self.begins + self._longest:
            return False
        self._not_before = now + self._after / 10
        return True

    def until(self, now: float) -> float:
        """Return when a row of the rest is to be looked at again."""
        if self.is_over(now):
            return now + self._again
        return max((now if self.begins is None else self.begins) + self._after, self._not_before)
