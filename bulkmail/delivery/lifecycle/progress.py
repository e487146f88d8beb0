"""One line a second for people: readable in a terminal and in a log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.mail import format_duration

_SMOOTH = 0.2
_AT_LEAST_EVERY = 60.0  # seconds between two equal lines of the log


class Progress:
    """Tells how far a campaign is: sent, deferred, failed, rate, time left, busiest destination."""

    def __init__(self, pause: Pause, feeder: Feeder) -> None:
        self._pause = pause
        self._feeder = feeder
        self._seen: dict[int, tuple[float, int, float]] = {}
        self._told: dict[int, tuple[object, float]] = {}

    def news(self, run: Run, now: float) -> str:
        """Return the line for this second; "" where nothing has changed for less than a minute."""
        line = self.line(run, now)
        state = (dict(run.by_status), run.input_rows, run.import_done, run.next_try_at, run.paused, self._pause.paused)
        before, at = self._told.get(run.id, (None, 0.0))
        if state == before and now < at + _AT_LEAST_EVERY:
            return ""
        self._told[run.id] = (state, now)
        return line

    def line(self, run: Run, now: float) -> str:
        """The line for this second."""
        by = run.by_status
        rate = self._rate(run, now)
        waiting = by["deferred"]
        failed = by["bounced"] + by["blocked"] + by["expired"] + by["unknown"]
        left_out = by["suppressed"] + by["duplicate"] + by["invalid"] + by["cancelled"]
        of = f"{run.input_rows:,}" + ("" if run.import_done else " so far")
        parts = [f"{run.name}: sent {by['delivered']:,} of {of}", f"deferred {waiting:,}", f"failed {failed:,}"]
        if left_out:
            parts.append(f"left out {left_out:,}")
        if run.paused or self._pause.paused:
            parts.append(f"PAUSED: {run.paused or self._pause.fault}")
            return ", ".join(parts)
        if by["pending"] == 0 and run.import_done and waiting:
            parts.append(self._waiting(run, waiting))
            return ", ".join(parts)
        parts.append(f"{rate:,.0f}/s")
        if run.import_done and rate >= 1 and by["pending"] and self._feeder.held:
            parts.append(f"about {format_duration(round(by['pending'] / rate) or 1)} left")
        busiest = max(self._feeder.lanes.values(), key=lambda lane: lane.held, default=None)
        if busiest is not None and busiest.held:
            parts.append(f"busiest {busiest.site.name}")
        return ", ".join(parts)

    def in_words(self, run: Run) -> str:
        """A few lines for STATUS.txt."""
        by = run.by_status
        lines = ["This campaign is being sent.", ""]
        of = f"{run.input_rows:,}" if run.import_done else f"{run.input_rows:,} (the list is still being read)"
        lines.append(f"{by['delivered']:,} of {of} were delivered.")
        if by["deferred"]:
            lines.append(f"{by['deferred']:,} could not be delivered yet and will be tried again.")
        failed = by["bounced"] + by["blocked"] + by["expired"]
        if failed:
            lines.append(f"{failed:,} were refused by the receivers.")
        left_out = by["suppressed"] + by["duplicate"] + by["invalid"]
        if left_out:
            lines.append(f"{left_out:,} were left out (suppressed, duplicate or invalid).")
        if run.paused or self._pause.paused:
            lines.append(f"Sending is paused: {run.paused or self._pause.fault}")
        lines += about_lists(run.notices)
        lines += ["", "The report so far is in report/: open index.html, or recipients.csv.", ""]
        return "\n".join(lines)

    def ended(self, run: Run, state: str = "finished") -> str:
        """The last line of a campaign that has ended."""
        self._seen.pop(run.id, None)
        self._told.pop(run.id, None)
        counts = ", ".join(f"{status} {count:,}" for status, count in run.by_status.items() if count)
        return f"{run.name}: {state}, {counts or 'no recipients'}"

    def _waiting(self, run: Run, waiting: int) -> str:
        if run.next_try_at is None:
            return f"waiting: {waiting:,} deferred"
        at = datetime.fromtimestamp(run.next_try_at, UTC).astimezone()
        return f"waiting: {waiting:,} deferred, next try {at:%H:%M:%S}"

    def _rate(self, run: Run, now: float) -> float:
        then, before, rate = self._seen.get(run.id, (now - 1.0, 0, 0.0))
        done = run.final
        if now > then:
            fresh = max(0.0, (done - before) / (now - then))
            rate = fresh if not rate else rate + (fresh - rate) * _SMOOTH
        self._seen[run.id] = (now, done, rate)
        return rate


def about_lists(notices: Sequence[str]) -> list[str]:
    """Return the lines of STATUS.txt about what was noticed in the lists; none where there is nothing."""
    return ["", "Please look at this:", *notices] if notices else []
