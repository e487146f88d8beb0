"""How far a campaign is, for people: one line a second in a terminal or a log, and a few lines for STATUS.txt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.forecast import first_messages, forecast
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.mail import Held, Situation, Standing, Status, Word, format_duration, situation
from bulkmail.report import late_words

_log = Logger("bulkmail")

_SMOOTH = 0.2
_AT_LEAST_EVERY = 60.0  # seconds between two equal lines of the log
NOTICED = "Please look at this:"
"""The line of STATUS.txt above what was noticed in the lists."""

_WORDS = {  # what STATUS.txt says to the campaign's author
    Word.SENDING: "This campaign is being sent.",
    Word.WAITING: "This campaign was sent; what could not be delivered yet is tried again.",
}


class Progress:
    """Tells how far a campaign is: its situation, sent, deferred, failed, rate, time left, busiest destination.

    Rates are measured since this start: what an earlier process has sent is not counted. ``zone``: of the times told.
    """

    def __init__(self, pause: Pause, feeder: Feeder, clocks: Clocks, zone: tzinfo = UTC) -> None:
        self._pause = pause
        self._feeder = feeder
        self._clocks = clocks
        self._zone = zone
        self._seen: dict[int, tuple[float, int, float]] = {}
        self._told: dict[int, tuple[object, float]] = {}

    def look(self) -> None:
        """Log the line of each campaign where it has changed."""
        now = self._clocks.now()
        for run in list(self._feeder.runs.values()):
            if not run.over and (line := self.news(run, now)):
                _log.info("{line}", line=line, campaign=run.name)

    def news(self, run: Run, now: float) -> str:
        """Return the line for this second; "" where nothing has changed for less than a minute."""
        line = self.line(run, now)
        found = self.situation(run)
        doing = (found.word, found.reason, found.next_attempt_at)
        state = (dict(run.by_status), run.input_rows, run.import_done, doing)
        before, at = self._told.get(run.id, (None, 0.0))
        if state == before and now < at + _AT_LEAST_EVERY:
            return ""
        self._told[run.id] = (state, now)
        return line

    def situation(self, run: Run, state: str = "running", ended_at: float | None = None) -> Situation:
        """Return what the campaign is doing now. ``state``: the spool's."""
        by, now = run.by_status, self._clocks.wall()
        next_try = run.next_try_at if run.next_try_at is not None and run.next_try_at > now else None
        first = first_messages(run)
        again = run.guard.again_at if run.guard is not None and first else None
        first_again = None if again is None else now + max(0.0, again - self._clocks.now())
        if next_try is not None and first_again is not None:
            next_try = min(next_try, first_again)
        expected = forecast(run, self.rate(run), self._feeder.lanes.values(), now)
        return situation(
            Standing(
                state=state,
                alive=True,
                pending=by["pending"],
                deferred=by["deferred"],
                settled=run.complete,
                resting=next_try is not None and not self._feeder.held,
                input_complete=run.import_done,
                only_held=self.only_held(run),
                first_at=first,
                first_again_at=first_again,
                held=[
                    Held(one.kind, one.provider, one.reason, one.who, one.since, one.until) for one in run.holds.active
                ],
                fault=self._pause.recent_fault,
                fault_since=self._pause.fault_since if self._pause.recent_fault else None,
                next_try_at=next_try,
                started_at=run.started_at,
                ended_at=ended_at,
                planned_from=None if run.plan is None else run.plan.begins_at,
                planned_end=None if run.plan is None else run.plan.ends_at,
                expected_end=expected.ends_at,
                late_because=expected.because,
            ),
            now,
            self._zone,
        )

    def only_held(self, run: Run) -> bool:
        """Return whether all that is left of a campaign is at providers where it is held."""
        if not run.holds.providers or run.holds.whole or not run.import_done:
            return False
        waits = any(
            count and status == Status.DEFERRED and not run.holds.at(provider)
            for (provider, status, _), count in run.totals.items()
        )
        queues = self._feeder.open_queues
        found = run in queues.parked.values() and all(queue.run is not run for queue in queues.queues.values())
        return found and not waits

    def line(self, run: Run, now: float) -> str:
        """Return the line for this second."""
        by = run.by_status
        self._measure(run, now)
        failed = by["bounced"] + by["blocked"] + by["expired"] + by["unknown"]
        left_out = by["suppressed"] + by["duplicate"] + by["invalid"] + by["cancelled"]
        of = f"{run.input_rows:,}" + ("" if run.import_done else " so far")
        parts = [f"{run.name}: sent {by['delivered']:,} of {of}", f"deferred {by['deferred']:,}", f"failed {failed:,}"]
        if left_out:
            parts.append(f"left out {left_out:,}")
        found = self.situation(run)
        if found.word is Word.WAITING:
            parts.append(found.sentence[0].lower() + found.sentence[1:].rstrip("."))
            return ", ".join(parts)
        if found.word is not Word.SENDING:
            parts.append(f"{found.word.upper()}: {found.reason}" if found.reason else found.word.upper())
            return ", ".join(parts)
        parts.append(f"{self.rate(run):,.0f}/s")
        left = self.seconds_left(run)
        if left is not None:
            parts.append(f"about {format_duration(left)} left")
        if first := first_messages(run):
            parts.append(f"waits for the first answers of {', '.join(first)}")
        busiest = max(self._feeder.lanes.values(), key=lambda lane: lane.held, default=None)
        if busiest is not None and busiest.held:
            parts.append(f"busiest {busiest.site.name}")
        return ", ".join(parts)

    def in_words(self, run: Run) -> str:
        """Return the lines of STATUS.txt: the state in its first one, then what it means, and how far it is."""
        found = self.situation(run)
        lines = [str(found.word), "", _WORDS.get(found.word, found.sentence)]
        if found.word in _WORDS and len(found.sentence) > len("It is being sent."):
            lines.append(found.sentence)
        lines += ["", *figures_in_words(run), *about_lists(run.notices)]
        lines += ["", "The report so far is in report/: open index.html, or recipients.csv.", ""]
        return "\n".join(lines)

    def ended(self, run: Run, state: str = "finished") -> str:
        """Return the last line of a campaign that has ended."""
        self._seen.pop(run.id, None)
        self._told.pop(run.id, None)
        counts = ", ".join(f"{status} {count:,}" for status, count in run.by_status.items() if count)
        return f"{run.name}: {state}, {counts or 'no recipients'}"

    def rate(self, run: Run) -> float:
        """Outcomes a second, smoothed, as of the last `line`."""
        return self._seen.get(run.id, (0.0, 0, 0.0))[2]

    def seconds_left(self, run: Run) -> int | None:
        """Return seconds until every row was tried at this rate; None where that cannot be told."""
        rate, pending = self.rate(run), run.by_status["pending"]
        if not (run.import_done and rate >= 1 and pending and self._feeder.held) or first_messages(run):
            return None
        return round(pending / rate) or 1

    def _measure(self, run: Run, now: float) -> None:
        done = run.final
        then, before, rate = self._seen.get(run.id, (now, done, 0.0))
        if now > then:
            fresh = max(0.0, (done - before) / (now - then))
            rate = fresh if not rate else rate + (fresh - rate) * _SMOOTH
        self._seen[run.id] = (now, done, rate)


def figures_in_words(run: Run) -> list[str]:
    """Return the figures of a campaign as sentences, for STATUS.txt."""
    by = run.by_status
    of = f"{run.input_rows:,}" if run.import_done else f"{run.input_rows:,} (the list is still being read)"
    lines = [f"{by['delivered']:,} of {of} {_was(by['delivered'])} delivered."]
    if by["deferred"]:
        lines.append(f"{by['deferred']:,} could not be delivered yet and will be tried again.")
    failed = by["bounced"] + by["blocked"] + by["expired"]
    if failed:
        lines.append(f"{failed:,} {_was(failed)} refused by the receivers.")
    if by["unknown"]:
        lines.append(f"For {by['unknown']:,} it is not known whether the message arrived.")
    if came_back := late_words(run.late._asdict()):
        lines.append(f"After the messages were taken, {came_back}.")
    left_out = by["suppressed"] + by["duplicate"] + by["invalid"]
    if left_out:
        lines.append(f"{left_out:,} {_was(left_out)} left out (suppressed, duplicate or invalid).")
    if by["cancelled"]:
        lines.append(f"{by['cancelled']:,} {_was(by['cancelled'])} cancelled before being sent.")
    return lines


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def about_lists(notices: Sequence[str]) -> list[str]:
    """Return the lines of STATUS.txt about what was noticed in the lists; none where there is nothing."""
    return ["", NOTICED, *notices] if notices else []
