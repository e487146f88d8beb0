"""Whether and when a recipient is tried again: a value returned by one pure function.

The n-th failure waits the n-th interval of the schedule, and the last one repeats (RFC 5321 4.5.4.1 in spirit:
quickly at first, then patiently). All times are on the wall clock, in seconds, because they outlive the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bulkmail.mail import Category, Fate, Outcome, Status
from bulkmail.shaping.classify import LONGEST_NAMED, Verdict, status_of

JITTER = 0.1
_PATIENT_AFTER = 3


class RetrySettings(Protocol):
    """The operator's ``retry`` settings, in seconds."""

    @property
    def schedule(self) -> Sequence[float]:
        """The wait after the n-th failure; the last one repeats."""

    @property
    def expire_after(self) -> float:
        """The time after its first attempt at which a recipient is given up."""

    @property
    def unknown_after(self) -> float:
        """The wait after a lost final reply."""

    @property
    def unknown_attempts(self) -> int:
        """How many copies of a message are sent without a reply before it is given up as ``unknown``."""

    @property
    def greylist_after(self) -> float:
        """The wait after greylisting, where the reply names no time."""


class Dice(Protocol):
    """What is used of ``random.Random``."""

    def random(self) -> float:
        """Return a number from 0 up to, not including, 1."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the recipient: its new status, why, and when it is tried again (None: never)."""

    status: Status
    category: Category | None = None
    next_at: float | None = None


_DELIVERED = Decision(Status.DELIVERED)


def _jittered(seconds: float, rng: Dice | None) -> float:
    """Add up to a tenth, so that recipients that failed together are not retried together."""
    return seconds if rng is None else seconds * (1 + JITTER * rng.random())


def interval(retry: RetrySettings, failures: int, rng: Dice | None) -> float:
    """Return the seconds to wait after the n-th failure (from 1), with jitter where ``rng`` is given."""
    assert failures >= 1, "the first failure is number 1"
    return _jittered(retry.schedule[min(failures, len(retry.schedule)) - 1], rng)


def longest_wait(retry: RetrySettings) -> float:
    """Return the longest time in seconds that any decision makes a recipient wait."""
    return (1 + JITTER) * max(*retry.schedule, retry.unknown_after, retry.greylist_after, LONGEST_NAMED)


def after_unknown(retry: RetrySettings, *, attempts: int, copies: int, rng: Dice | None = None) -> float | None:
    """Return the seconds to wait after an attempt whose final reply was lost (RFC 1047); None: no further copy is sent.

    ``attempts`` and ``copies`` (the ambiguous attempts) count this one. After the first copy the wait is
    ``unknown_after``; after the next ones it is the schedule's, where that is longer.
    """
    if copies >= retry.unknown_attempts:
        return None
    wait = _jittered(retry.unknown_after, rng)
    return wait if copies <= 1 else max(wait, interval(retry, attempts, rng))


def _wait(verdict: Verdict, attempts: int, *, retry: RetrySettings, rng: Dice, speed: float) -> float:
    if verdict.signal != "greylist":
        return interval(retry, attempts, rng)
    named = retry.greylist_after if verdict.wait is None else verdict.wait / speed
    if attempts > _PATIENT_AFTER:
        # a server that greylists for ever, or says "in 1 second" each time, gets the ordinary patience
        return max(_jittered(named, rng), interval(retry, attempts, rng))
    return _jittered(named, rng)


def decide(
    outcome: Outcome,
    verdict: Verdict,
    *,
    attempts: int,
    copies: int,
    waiting_since: float,
    now: float,
    retry: RetrySettings,
    on_unknown: str,
    rng: Dice,
    speed: float = 1.0,
) -> Decision:
    """Decide what follows from one attempt.

    ``attempts`` counts this one, so the first is 1. ``copies``: the ambiguous attempts, this one included if its final
    reply was lost. ``waiting_since``: the time of the first attempt, later by the seconds that are not charged (pauses,
    faults of our own). ``on_unknown``: ``retry`` or ``keep``. ``speed`` divides a time that the receiver named, as the
    settings' own times have been divided already (a rehearsal). ``now`` and ``waiting_since``: the wall clock, in
    seconds.

    Where the next attempt would fall after ``expire_after``, the recipient expires now. If a copy may have arrived it
    is ``unknown`` instead: the report must not say that it did not. So it is after ``unknown_attempts`` copies.
    """
    assert outcome.fate is not Fate.UNTRIED, "an untried recipient is not an attempt; nothing is decided about it"
    if outcome.fate is Fate.ACCEPTED:
        return _DELIVERED
    if outcome.fate is Fate.UNKNOWN:
        wait = None if on_unknown == "keep" else after_unknown(retry, attempts=attempts, copies=copies, rng=rng)
    elif verdict.permanent:
        return Decision(status_of(verdict), verdict.category)
    else:
        wait = _wait(verdict, attempts, retry=retry, rng=rng, speed=speed)
    if wait is None or now + wait > waiting_since + retry.expire_after:
        return Decision(Status.UNKNOWN if copies else Status.EXPIRED, verdict.category)
    return Decision(Status.DEFERRED, verdict.category, now + wait)
