"""The work of the report's processes: to write what is in the spool into the files of the report.

It stands below the moving parts, for a process pays for all that its modules import: with them it would begin at 62 MB.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.mail import RecipientRow
from bulkmail.report import Facts, Place, ReportFolder, Timeline, attempts_beyond, clicks_of
from bulkmail.spool import Reading, open_reader

_ROWS = 2000
_ATTEMPTS = 5000


class ReportWorker:
    """Joins the spool's reader and the report's writers, campaign by campaign."""

    def __init__(self) -> None:
        self._folders: dict[int, ReportFolder] = {}
        self._spools: dict[str, Reading] = {}
        self._places: dict[int, str] = {}
        self._timelines: dict[int, Timeline] = {}

    def handle(self, job: tuple[Any, ...]) -> Any:
        """Do a job: open, attempts, live, refresh, close, or beyond (count attempts behind an earlier report's
        position).
        """
        match job:
            case ("open", campaign, spool, place, files, key, domain, one_message, subject, position):
                self._places[campaign] = spool
                self._timelines[campaign] = Timeline()
                self._folders[campaign] = ReportFolder(
                    Place(*place),
                    files,
                    key,
                    domain,
                    tuple(position),
                    one_message=one_message,
                    subject=partial(_subject_of, subject[0], subject[1], [columns for _, columns in files]),
                )
                return None
            case ("attempts", campaign):
                return self._attempts(campaign)
            case ("live", campaign, facts, sync):
                self._folders[campaign].live(self._facts(campaign, facts), sync=sync)
                return None
            case ("refresh", campaign, facts):
                timeline = self._timelines[campaign]
                timeline.follow(partial(self._reader(campaign).attempt_sums, campaign))
                best = {"best_minute": timeline.best_minute, "best_hour": timeline.best_hour}
                told = self._facts(campaign, {**facts, **best, "timeline": timeline.buckets()})
                stats = self._folders[campaign].refresh(told, self._recipients(campaign))
                by_variant = {name: dict(counts) for name, counts in stats.by_variant.items()}
                return {"by_domain": stats.domains.top(), "by_variant": by_variant, **best}
            case ("beyond", place, position):
                return attempts_beyond(Place(*place), tuple(position))
            case ("close", campaign):
                self._folders.pop(campaign).close()
                del self._places[campaign], self._timelines[campaign]
                return None
        raise LookupError(f"no such job: {job[0]}")

    def _reader(self, campaign: int) -> Reading:
        """Open the reader when it is needed, so that a database that is away at the start costs no report."""
        spool = self._places[campaign]
        if spool not in self._spools:
            self._spools[spool] = open_reader(spool)
        return self._spools[spool]

    def _facts(self, campaign: int, facts: dict[str, Any]) -> Facts:
        """Add to the event loop's figures what only the spool counts."""
        row = self._reader(campaign).campaign(facts["campaign"])
        doubled = row.possibly_doubled if row else 0
        reader = self._reader(campaign)
        late, clicks = reader.late_counts(campaign)._asdict(), clicks_of(reader.clicks(campaign))
        return Facts(**facts, possibly_doubled=doubled, late=late, clicks=clicks)

    def _recipients(self, campaign: int) -> Iterator[RecipientRow]:
        reader = self._reader(campaign)
        after = 0
        while rows := reader.recipients(campaign, after, _ROWS):
            after = rows[-1].n
            failpoint("mid-report")
            yield from rows

    def _attempts(self, campaign: int) -> tuple[int, int]:
        """Append all attempts that are in the spool and not in the file; return the position reached."""
        reader, folder = self._reader(campaign), self._folders[campaign]
        while True:
            rows = reader.attempts(campaign, folder.position[1], _ATTEMPTS)
            before = folder.position
            after = folder.add_attempts(rows)
            if not rows and after == before:
                return after


def _subject_of(subject: str, defaults: dict[str, str], columns: list[list[str]], row: RecipientRow, token: str) -> str:
    """Return the subject of the message to a row that got it: its template came to an end then."""
    if "{" not in subject:
        return subject
    from bulkmail.content import subject_for  # noqa: PLC0415 - only one of the two processes needs it

    cells = json.loads(row.fields)
    return subject_for(subject, columns[row.file_no], defaults, cells, email=row.email, token=token)
