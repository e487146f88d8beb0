"""The first messages of a campaign at a receiver, whose outcomes are known before the rest is claimed.

A canary gives out as many *slots* as it has first messages. A claimed message takes one, and gives it back where it
comes back without an attempt. The canary is passed once nine tenths of the first messages are answered, and half of
them are final: the receiver has taken them or refused them for good. A receiver that defers (greylisting, RFC 6647)
must not hold the campaign for ever: once every slot is answered and fewer are final, the canary waits as long as a
greylisting receiver asks for, gives out all slots once more (what was deferred is claimed first), and is passed after
three rounds whatever came of them.

Laws (tests/shaping/test_canary.py): before it is passed no more messages have had an attempt or are under way than its
rounds have slots; it is passed after three rounds at the latest.
"""

from __future__ import annotations

GREYLISTED = 360.0
"""Seconds between two rounds: greylisting receivers mostly ask for five minutes."""

_ROUNDS = 3
_ANSWERED = 0.9  # of the first messages: one server that does not answer must not hold the others
_FINAL = 0.5
_ALL = 1 << 30


class Canary:
    """``first`` messages, of which ``final`` and ``deferred`` ones had an answer before this process began.

    ``now``: any clock that does not run backwards, in seconds. ``wait``: seconds between two rounds.
    """

    __slots__ = ("_again_at", "_answered", "_first", "_round", "_slots", "_wait", "final", "passed", "under_way")

    def __init__(self, first: int, *, wait: float = GREYLISTED, final: int = 0, deferred: int = 0) -> None:
        self.under_way = 0
        self.final = final
        self._first = first
        self._wait = wait
        self._answered = final + deferred
        self.passed = self._enough()
        self._slots = max(0, first - final - deferred)
        self._round = 1
        self._again_at: float | None = None

    def __repr__(self) -> str:
        state = "passed" if self.passed else f"round {self._round}, {self._slots} left"
        return f"<Canary {state}, {self.final} of {self._first} final, under way {self.under_way}>"

    @property
    def waits(self) -> bool:
        """Whether nothing further is given out before answers have come, or before the next round."""
        return not (self.passed or self._slots)

    @property
    def again_at(self) -> float | None:
        """When the next round begins, because too few of this one's messages had a final answer; else None."""
        return self._again_at

    def available(self, now: float) -> int:
        """Return how many messages may be taken now; asking may begin the next round."""
        if not (self._slots or self.under_way or self.passed):
            if self._again_at is None:
                self._again_at = now + self._wait
            elif now >= self._again_at:
                self._again_at = None
                self._round += 1
                self._slots = self._first
                self.passed = self._round > _ROUNDS
        return _ALL if self.passed else self._slots

    def next_at(self, now: float) -> float | None:
        """Return when the next round begins; None where answers are waited for, or nothing is."""
        return None if self.available(now) else self._again_at

    def take(self, count: int) -> None:
        """Take ``count`` slots, of those that are available."""
        self._slots = max(0, self._slots - count)
        self.under_way += count

    def give_back(self, count: int) -> None:
        """Take back the slots of ``count`` messages that had no attempt."""
        self.under_way -= count
        self._slots += count

    def answered(self, *, final: bool) -> bool:
        """Count an attempt; return whether more may be asked for now: the canary is passed, or a round is over."""
        self.under_way -= 1
        self._answered += 1
        self.final += final
        if self.passed:
            return False
        self.passed = self._enough()
        return self.passed or not (self._slots or self.under_way)

    def _enough(self) -> bool:
        return self._answered >= self._first * _ANSWERED and self.final >= self._first * _FINAL
