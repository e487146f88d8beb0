"""When a campaign stops at a receiver by itself: too many of its last messages there were refused, or complained about.

What counts is what a receiver has said for good: it took the message, or it refused it and the row is `bounced` or
`blocked`. Deferrals, faults of the DNS and expired rows say nothing here, and a full mailbox is its owner's matter. The
last ``of`` outcomes are looked at for each provider, for all sites of no known provider together (`OTHER`), and for the
campaign as a whole. It stops where more of them are bad than the limit allows of ``first`` messages, or of those that
there are once they are more. So it stops at the earliest when no better outcome of the ``first`` could change that any
more. A receiver that has stopped counts no longer in the whole: the others go on.

What comes back later (returned messages, complaints) is no part of such a window: thousands of messages were sent
meanwhile. It is compared with all that the receiver has taken. Complaints stop a campaign from `LEAST_COMPLAINTS` on.

Laws (tests/shaping/test_breaker.py): whatever the order, no campaign stops with fewer bad outcomes than its limit
allows; each stops as soon as its last outcomes have more; after a release old outcomes never stop it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bulkmail.mail import Category, Status

OTHER = "other"
"""The name of all sites of no known provider, together."""
LEAST_COMPLAINTS = 5
"""Fewer stop nothing: 0.3 % of a few hundred messages is not even two, and one person's click is no rate."""

PARTS = 100_000
"""Limits are whole parts of so many: 10 % is 10,000. So sums and products are exact."""

_COUNTED = frozenset({str(Status.DELIVERED), str(Status.BOUNCED), str(Status.BLOCKED)})
_WORDS = {"bounced": "bounced", "blocked": "were blocked", "complained": "were complained about"}


@dataclass(frozen=True)
class StopRules:
    """``first`` messages at a provider before the rest, and how bad the last ``of`` may be; None: that is no matter.

    ``bounced``, ``blocked`` and ``complained`` are parts of `PARTS`.
    """

    first: int = 200
    of: int = 500
    bounced: int | None = 10_000
    blocked: int | None = 5_000
    complained: int | None = 300


class Trip(NamedTuple):
    """A stop at ``provider`` ("": of all): ``bad`` messages ``what``, and at most ``limit`` parts of ``of`` may be.

    ``seen``: the messages among which they are.
    """

    provider: str
    what: str
    bad: int
    seen: int
    of: int
    limit: int

    @property
    def words(self) -> str:
        """Say it as a sentence without its full stop."""
        at = "" if not self.provider else " to other receivers" if self.provider == OTHER else f" to {self.provider}"
        last = "" if self.what == "complained" else "last "
        share = f"{self.limit * 100 / PARTS:g} % of {self.of:,}"
        if self.what != "complained":  # of those a few are let through whatever the share
            share += f", that is {self.limit * self.of // PARTS:,}"
        return f"{self.bad:,} of the {last}{self.seen:,} messages{at} {_WORDS[self.what]}, and the limit is {share}"


class Back(NamedTuple):
    """How many of a campaign's messages at one provider came back later, and were complained about."""

    bounced: int = 0
    blocked: int = 0
    complained: int = 0

    def __sub__(self, other: Back) -> Back:
        return Back(*(mine - its for mine, its in zip(self, other, strict=True)))

    def plus(self, other: Back) -> Back:
        """Return both together."""
        return Back(*(mine + its for mine, its in zip(self, other, strict=True)))


class _Window:
    """The last outcomes: (provider, status) each."""

    __slots__ = ("bad", "outcomes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.outcomes: deque[tuple[str, str]] = deque()
        self.bad = {"bounced": 0, "blocked": 0}

    def add(self, outcome: tuple[str, str]) -> None:
        self.outcomes.append(outcome)
        if outcome[1] in self.bad:
            self.bad[outcome[1]] += 1
        if len(self.outcomes) > self.size and (left := self.outcomes.popleft()[1]) in self.bad:
            self.bad[left] -= 1

    def drop(self, provider: str) -> None:
        kept = [outcome for outcome in self.outcomes if outcome[0] != provider]
        self.outcomes.clear()
        self.bad = {"bounced": 0, "blocked": 0}
        for outcome in kept:
            self.add(outcome)


class Breaker:
    """Of one campaign. ``stopped``: the providers where it has stopped, "" for all."""

    def __init__(self, rules: StopRules) -> None:
        self.rules = rules
        self.stopped: set[str] = set()
        self._all = _Window(rules.of)
        self._windows: dict[str, _Window] = {}
        self._back: dict[str, Back] = {}  # as last told
        self._forgiven: dict[str, Back] = {}

    def __repr__(self) -> str:
        seen = {name: (len(window.outcomes), window.bad) for name, window in self._windows.items()}
        return f"<Breaker {seen}, stopped at {sorted(self.stopped) or 'none'}>"

    def settled(self, provider: str, status: str, category: str = "", *, judge: bool = True) -> Trip | None:
        """Count one outcome at ``provider`` ("": none known); return where the campaign stops now, if it does."""
        provider = provider or OTHER
        if category == Category.QUOTA:
            return None
        if status not in _COUNTED or provider in self.stopped or "" in self.stopped:
            return None
        window = self._windows.get(provider)
        if window is None:
            window = self._windows[provider] = _Window(self.rules.of)
        outcome = provider, status
        window.add(outcome)
        self._all.add(outcome)
        if status not in window.bad or not judge:
            return None  # one more delivered makes nothing worse
        return self._judged(window, provider) or self._judged(self._all, "")

    def came_back(self, back: Mapping[str, Back], accepted: Mapping[str, int]) -> list[Trip]:
        """Compare what came back by provider, in all so far, with the messages accepted there, in all so far."""
        self._back = {name or OTHER: found for name, found in back.items()}
        taken = {name or OTHER: count for name, count in accepted.items()}
        trips = []
        rest, rest_taken = Back(), 0
        for name, found in self._back.items():
            if name not in self.stopped and "" not in self.stopped:
                fresh = found - self._forgiven.get(name, Back())
                trip = self._weighed(name, fresh, taken.get(name, 0))
                if trip is None:
                    rest = rest.plus(fresh)
                else:
                    trips.append(trip)
        rest_taken = sum(count for name, count in taken.items() if name not in self.stopped)
        if "" not in self.stopped and (trip := self._weighed("", rest, rest_taken)) is not None:
            trips.append(trip)
        return trips

    def begin(
        self, outcomes: Iterable[tuple[str, str, str]], forgiven: Mapping[str, Back], stopped: Iterable[str] = ()
    ) -> None:
        """Go on where an earlier process was: its last outcomes in order, and what had come back at releases.

        ``outcomes``: (provider, status, category) each.
        """
        for provider, status, category in outcomes:
            self.settled(provider, status, category, judge=False)
        self._forgiven = dict(forgiven)
        for provider in stopped:
            self._stop(provider)

    def hold(self, provider: str) -> None:
        """Count nothing of this provider ("": nothing at all): it was stopped, perhaps by another machine."""
        self._stop(provider)

    def release(self, provider: str) -> None:
        """Begin anew at this provider ("": at all): what was counted, and came back so far, stops it no more."""
        self.stopped.discard(provider)
        for name in list(self._windows) if not provider else [provider]:
            self._windows.pop(name, None)
            self._all.drop(name)
        for name, found in self._back.items():
            if provider in ("", name):
                self._forgiven[name] = found

    def _judged(self, window: _Window, provider: str) -> Trip | None:
        seen, rules = len(window.outcomes), self.rules
        of = max(seen, rules.first)
        for what, limit in (("bounced", rules.bounced), ("blocked", rules.blocked)):
            count = window.bad[what]
            if limit is not None and count * PARTS > limit * of:
                self._stop(provider)
                return Trip(provider, what, count, seen, of, limit)
        return None

    def _weighed(self, provider: str, back: Back, accepted: int) -> Trip | None:
        rules = self.rules
        of = max(accepted, rules.first)
        limits = {"bounced": rules.bounced, "blocked": rules.blocked, "complained": rules.complained}
        for what, limit in limits.items():
            count = getattr(back, what)
            least = LEAST_COMPLAINTS if what == "complained" else 0
            if limit is not None and count >= least and count * PARTS > limit * of:
                self._stop(provider)
                return Trip(provider, what, count, max(accepted, count), of, limit)
        return None

    def _stop(self, provider: str) -> None:
        self.stopped.add(provider)
        if provider:
            self._windows.pop(provider, None)
            self._all.drop(provider)
