"""Whether a receiver complains because of the rate, or now and then at any rate.

A limit takes what is below it and refuses a part of what is beyond: at 10 % too much every eleventh message, at twice
the rate every second one. A receiver that refuses one message in a hundred for reasons of its own, in the same words,
does so at every rate. Slowing down for that does not help and does not end: where each complaint cuts the rate, it
falls until a hundred messages take as long as the way back.

One complaint looks the same in both cases, so the first ones are always taken for the rate. What tells them apart is
what was taken before: a limit does not refuse at a rate far below the one that it let through for ten seconds. Three
complaints in a row at less than three quarters of that are *out of place*. From then on complaints are *borne*, that
is, they change nothing, until five come among fewer than 60 messages. That is a limit after all, perhaps one that was
lowered: the fifth complaint counts, and what is taken is measured anew, from what got through among these five.

So a limit that stays as it is never has this effect, and one that is lowered costs some more refusals before it is
found. A receiver that refuses one message in a hundred at any rate is sent to at nearly all of the rate that is
allowed; one that refuses more than about one in thirty is slowed down for, whatever its reasons are.

Laws (tests/shaping/test_at_any_rate.py): at a limit that stays as it is nothing is borne; nor is anything before three
complaints in a row are out of place; of five complaints among fewer than 60 messages one is not borne.
"""

from __future__ import annotations

from collections import deque

_SECONDS, _MESSAGES = 10.0, 30  # what is taken of a receiver is measured over both, at least
_OUT_OF_PLACE = 0.75  # of what was taken
_IN_A_ROW = 3
_LIMIT, _AMONG = 5, 60  # complaints, messages


class ComplaintsAtAnyRate:
    """Those of one receiver. Times in seconds, rates in messages a second.

    ``taken``: the highest rate that it let through; 0.0 where that was not measured yet. ``borne``: whether complaints
    are borne now.
    """

    __slots__ = ("_answered", "_began", "_count", "_in_a_row", "_last", "_lately", "borne", "taken")

    def __init__(self) -> None:
        self.taken = 0.0
        self.borne = False
        self._began = self._last = float("-inf")
        self._count = 0  # accepted since then
        self._answered = 0  # in all
        # the last complaints, from the first borne one on: when, and how many were answered in all
        self._lately: deque[tuple[float, int]] = deque(maxlen=_LIMIT)
        self._in_a_row = 0

    def accepted(self, now: float, count: int, longest: float) -> None:
        """Note that ``count`` messages were taken since the last call.

        After ``longest`` seconds without one the measuring begins anew.
        """
        if now - self._last > longest:
            self._began, self._count = now, -count  # the first ones were sent before
        self._last = now
        self._answered += count
        self._count += count
        if now - self._began >= _SECONDS and self._count >= _MESSAGES:
            self.taken = max(self.taken, self._count / (now - self._began))
            self._began, self._count = now, 0

    def refused(self, now: float, rate: float) -> bool:
        """Note a complaint at this rate. Return whether it is borne."""
        self._answered += 1
        if not self.borne:
            self._in_a_row = self._in_a_row + 1 if rate < _OUT_OF_PLACE * self.taken else 0
            self.borne = self._in_a_row >= _IN_A_ROW
            self._lately = deque([(now, self._answered)], _LIMIT)
            return self.borne
        self._lately.append((now, self._answered))
        since, before = self._lately[0]
        among = self._answered - before
        if len(self._lately) == _LIMIT and among < _AMONG:
            self.taken = min(self.taken, (among - _LIMIT + 1) / max(now - since, 1e-9))
            self.borne, self._in_a_row = False, _IN_A_ROW - 1
        return self.borne

    def __repr__(self) -> str:
        return f"<ComplaintsAtAnyRate {'' if self.borne else 'not '}borne, {self.taken:.4g}/s taken>"
