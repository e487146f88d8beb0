"""What a campaign is doing now, in a word and a sentence: the same in status, summary.json, STATUS.txt and the page.

`situation` decides it from facts, wherever these come from: a process that sends, or the spool of one that has ended.
All who tell people or programs how a campaign stands, tell what this module has decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple


class Word(StrEnum):
    """The state of a campaign in one word."""

    READY = "ready"  # in the spool, and not started yet
    SENDING = "sending"
    WAITING = "waiting"  # every row was tried; some are tried again later
    PAUSED = "paused"  # by a person
    CHECKING = "checking"  # before it is asked for an approval
    REFUSED = "refused"  # something of it is to be corrected before it is sent
    APPROVAL = "waiting for approval"
    SCHEDULED = "scheduled"  # its schedule lets nothing be sent now
    STOPPED = "stopped"  # by a rule, or together with its process; a start goes on
    FAULTY = "faulty"  # a fault of our own keeps it from sending
    DEAD = "dead"  # its process has ended without stopping it
    CANCELLING = "cancelling"  # what is on the wire ends, the other rows are being settled
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def wrong(self) -> bool:
        """Whether a person has to do something before anything is sent."""
        return self in (Word.REFUSED, Word.STOPPED, Word.FAULTY, Word.DEAD)


_HELD = {
    "refused": (Word.REFUSED, "Refused"),
    "paused": (Word.PAUSED, "Paused"),
    "rule": (Word.STOPPED, "Stopped by a rule"),
    "fault": (Word.STOPPED, "Stopped"),
    "checking": (Word.CHECKING, "Being checked"),
    "approval": (Word.APPROVAL, "Waiting for approval"),
    "schedule": (Word.SCHEDULED, "Scheduled"),
    "winner": (Word.PAUSED, "Waiting for a choice"),
}
"""The kinds of holds, each with its word and what a sentence begins with; of several the first one is told."""
_OVER = (Word.READY, Word.CANCELLING, Word.FINISHED, Word.CANCELLED)
_WORTH_TELLING = 60.0  # seconds
_NAMED = 3  # providers
_OTHER = (Word.PAUSED, "Paused")  # a hold of any other kind keeps it from being sent just so


class Held(NamedTuple):
    """Why nothing is sent of a campaign, or of one provider's part of it. Times are epoch seconds.

    ``kind``: refused, paused (by a person), rule, fault (its messages cannot be composed), checking, approval,
    schedule or winner.
    """

    kind: str = "paused"
    provider: str = ""  # "": of the whole campaign
    reason: str = ""
    who: str = ""
    since: float | None = None
    until: float | None = None  # None: until it is resumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a campaign. Times are epoch seconds.

    ``state``: the spool's. ``alive``: whether a process is there that sends it, None where that cannot be known.
    ``fault``: what keeps that process from sending. ``resting``: no row is due before ``next_try_at``.
    """

    state: str
    alive: bool | None
    pending: int = 0
    deferred: int = 0
    input_complete: bool = True
    held: Sequence[Held] = ()
    settled: bool = False  # no row of the list is left to be sent
    resting: bool = False
    only_held: bool = False  # what is left is at providers where it is held
    first_at: Sequence[str] = ()  # providers whose first messages are to be answered before the rest is sent there
    first_again_at: float | None = None  # when more of them are sent, where too few had a final answer
    fault: str = ""
    fault_since: float | None = None
    next_try_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    last_sign: float | None = None  # when the process that has ended was last heard of
    report_whole: bool = True  # whether the last report of one that has ended was written to its end
    planned_from: float | None = None  # the instant its plan begins with
    planned_end: float | None = None  # as it was planned then
    expected_end: float | None = None  # as it goes now
    late_because: str = ""  # why it ends later than it was planned to


class Situation(NamedTuple):
    """What a campaign is doing now. Times are epoch seconds, None where there is none.

    ``sentence`` says all of it for people; ``reason`` is why nothing is sent, "" where something is. ``since``: from
    when on it is so. ``alive``: whether a process is there that sends it; None where that cannot be known.
    ``planned_end_at``: when it was to end as planned at its start; ``expected_end_at``: when it ends as it goes now.
    """

    word: Word
    sentence: str
    reason: str
    since: float | None
    next_attempt_at: float | None
    alive: bool | None
    fault: str
    planned_end_at: float | None = None
    expected_end_at: float | None = None

    @property
    def wrong(self) -> bool:
        """Whether a person has to do something before anything is sent."""
        return self.word.wrong or bool(self.fault)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for a pipe."""
        return {**self._asdict(), "word": str(self.word)}


def situation(known: Standing, now: float, zone: tzinfo = UTC) -> Situation:
    """Decide what the campaign is doing at ``now``; times in the sentence are in ``zone``."""
    word, reason, since = _word(known)
    return Situation(
        word=word,
        sentence=_sentence(word, reason, since, known, now, zone) + _planned(word, known, now, zone),
        reason=reason,
        since=since,
        next_attempt_at=_next_attempt(word, known),
        alive=None if word in (Word.FINISHED, Word.CANCELLED, Word.READY) else known.alive,
        fault=known.fault if known.alive is not False else "",
        planned_end_at=known.planned_end,
        expected_end_at=None if word in _OVER else known.expected_end,
    )


def is_late(begins_at: float | None, planned: float | None, expected: float | None) -> bool:
    """Return whether a campaign should end later than planned: by a minute, and by a tenth of the planned time."""
    if begins_at is None or planned is None or expected is None:
        return False
    return expected - planned > max(_WORTH_TELLING, 0.1 * (planned - begins_at))


def _next_attempt(word: Word, known: Standing) -> float | None:
    """Return when a row is tried next; where the schedule holds the campaign, not before it opens."""
    if word in (Word.FINISHED, Word.CANCELLED):
        return None
    whole = _of_the_whole(known)
    opens = whole.until if whole is not None and word is Word.SCHEDULED else None
    return known.next_try_at if opens is None else max(opens, known.next_try_at or opens)


def clock(at: float, now: float, zone: tzinfo = UTC) -> str:
    """Return a time for people, in ``zone``: ``14:05 UTC``, with the day where it is not today's."""
    then = datetime.fromtimestamp(at, zone)
    day = "" if then.date() == datetime.fromtimestamp(now, zone).date() else f"{then:%-d %B}, "
    return f"{day}{then:%H:%M %Z}".rstrip()


def _word(known: Standing) -> tuple[Word, str, float | None]:
    if known.state in (Word.FINISHED, Word.CANCELLED):
        return Word(known.state), "", known.ended_at
    if known.state == Word.CANCELLING:
        return Word.CANCELLING, "", None
    whole = _of_the_whole(known)
    if whole is not None:
        word, begins = _HELD.get(whole.kind, _OTHER)
        if word is Word.REFUSED and known.state != Word.READY:
            word = Word.STOPPED
        return word, whole.reason or begins.lower(), whole.since
    if known.state == Word.READY:
        return Word.READY, "", None
    if known.state == Word.STOPPED:
        return Word.STOPPED, "it was stopped before its end", known.ended_at
    if known.alive is False:
        return Word.DEAD, "no process is sending it", known.last_sign
    if known.fault:
        return Word.FAULTY, known.fault, known.fault_since
    if (part := _of_what_is_left(known)) is not None:
        word, begins = _HELD.get(part.kind, _OTHER)
        return word, f"{part.provider}: {part.reason or begins.lower()}", part.since
    if known.input_complete and (known.resting if known.pending else known.deferred):
        return Word.WAITING, "", None
    return Word.SENDING, "", known.started_at


def _of_the_whole(known: Standing) -> Held | None:
    """Return the hold that is told of those of the whole campaign."""
    kinds = list(_HELD)
    whole = [held for held in known.held if not held.provider]
    return min(whole, key=lambda held: kinds.index(held.kind) if held.kind in _HELD else len(kinds), default=None)


def _of_what_is_left(known: Standing) -> Held | None:
    """Return the hold that is told where all that is left is held at providers."""
    kinds = list(_HELD)
    parts = [held for held in known.held if held.provider] if known.only_held else []
    return min(parts, key=lambda held: kinds.index(held.kind) if held.kind in _HELD else len(kinds), default=None)


def _sentence(word: Word, reason: str, since: float | None, known: Standing, now: float, zone: tzinfo) -> str:
    at = "" if since is None else clock(since, now, zone)
    tried_next = "" if known.next_try_at is None else f", next try {clock(known.next_try_at, now, zone)}"
    whole = _of_the_whole(known)
    match word:
        case Word.READY:
            return "It has not been started yet."
        case Word.FINISHED:
            return f"It is finished{at and ' since '}{at}: every row of the list has its final status.{_report(known)}"
        case Word.CANCELLING:
            return "It is being cancelled: what is on the wire ends, and all other rows are settled as cancelled."
        case Word.CANCELLED:
            return f"It was cancelled{at and ' at '}{at}; what was not sent is not sent any more.{_report(known)}"
        case _ if whole is not None:
            ended = " No process is running." if known.alive is False else ""
            return f"{_held(whole, now, zone)}.{ended}"
        case Word.STOPPED | Word.PAUSED if known.state != Word.STOPPED:
            return f"All that can be sent is sent.{_of_parts(known, now, zone)}"
        case Word.STOPPED:
            parts = _of_parts(known, now, zone)
            return f"It was stopped before its end{at and ' at '}{at}; the next start goes on.{parts}"
        case Word.DEAD:
            heard = f"; it was last heard of at {at}" if at else ""
            return f"Nothing is sent: its process has ended without stopping it{heard}. The next start goes on."
        case Word.FAULTY:
            return f"Nothing is sent{at and ' since '}{at}: {reason}. It is tried again, and no recipient is charged."
        case Word.WAITING:
            deferred = f"{known.deferred:,} deferred" if known.deferred or not known.pending else ""
            untried = f"{known.pending:,} not tried yet" if known.pending else ""
            left = " and ".join(filter(None, (deferred, untried)))
            return f"Waiting: {left}{tried_next}.{_of_first(known, now, zone)}{_of_parts(known, now, zone)}"
        case _ if known.settled:
            return "Every row has its final status, and the last report is being written."
        case _:
            return f"It is being sent.{_of_first(known, now, zone)}{_of_parts(known, now, zone)}"


def _report(known: Standing) -> str:
    if known.report_whole:
        return ""
    return " Its last report is not whole yet" + ("; the next start writes it." if known.alive is False else ".")


def _held(held: Held, now: float, zone: tzinfo) -> str:
    words = _HELD.get(held.kind, _OTHER)[1] + (f" by {held.who}" if held.who else "")
    if held.kind == "schedule" and held.reason:
        return f"{words}: {held.reason}"  # which says until when, by the clocks of the schedule's zone
    if held.since is not None:
        words += f" since {clock(held.since, now, zone)}"
    if held.until is not None:
        words += f" until {clock(held.until, now, zone)}"
    elif held.kind == "paused":
        words += " until it is resumed"
    return f"{words}: {held.reason.rstrip('.')}" if held.reason else words  # behind it stands a full stop


def _planned(word: Word, known: Standing, now: float, zone: tzinfo) -> str:
    """Return when it was planned to end, and when it is expected to; "" where the plan was shorter than a minute."""
    planned, expected, began = known.planned_end, known.expected_end, known.planned_from
    if word in _OVER or planned is None or began is None or planned - began < _WORTH_TELLING:
        return ""
    words = f"Planned to end {clock(planned, now, zone)}"
    if expected is not None and is_late(began, planned, expected):
        words += f", now expected {clock(expected, now, zone)}"
        words += f", because {known.late_because}" if known.late_because else ""
    return f" {words}."


def _of_first(known: Standing, now: float, zone: tzinfo) -> str:
    names = list(known.first_at)
    if len(names) > _NAMED:
        names[_NAMED:] = [f"{len(names) - _NAMED} others"]
    words = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    if not words:
        return ""
    again = known.first_again_at
    more = "" if again is None else f"; too few had a final answer, so more are tried at {clock(again, now, zone)}"
    return f" The rest for {words} follows once the first messages there are answered{more}."


def _of_parts(known: Standing, now: float, zone: tzinfo) -> str:
    parts = [held for held in known.held if held.provider]
    return "".join(f" {held.provider}: {_held(held, now, zone)}." for held in parts)
