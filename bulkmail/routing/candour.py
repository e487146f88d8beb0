"""Whether a nameserver's "no such name" may be believed as it comes, or is to be checked first.

A resolver that says so of everything (a filter whose licence ran out, a forwarder that lost its upstream) would bounce a
whole list in seconds. Anything found is a proof that it does not; after too many names in a row that are said not to
exist, or when the last proof is old, a name is asked for that must exist.
"""

from __future__ import annotations

from collections.abc import Iterable

IN_A_ROW = 10
PROOF_HOLDS = 60.0


class Candour:
    """One resolver's, on a monotonic clock."""

    __slots__ = ("_denied", "_proven")

    def __init__(self) -> None:
        self._proven = float("-inf")
        self._denied = 0

    def proven(self, now: float) -> None:
        """Something was found."""
        self._proven = now
        self._denied = 0

    def doubtful(self, now: float) -> bool:
        """One more name is said not to exist: whether that needs a check first."""
        self._denied += 1
        return self._denied > IN_A_ROW or now - self._proven > PROOF_HOLDS

    def __repr__(self) -> str:
        return f"<Candour, {self._denied} denied in a row>"


def lies(witnesses: Iterable[bool | None]) -> bool:
    """What names that must exist say of a resolver: each was found, denied, or (None) not answered for.

    One found clears it. Where none was even answered for, it knows some zones only, and what it says of those stands.
    """
    seen = list(witnesses)
    return True not in seen and False in seen
