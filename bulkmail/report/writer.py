"""A campaign's report folder: what is written when.

Three things with three prices. ``refresh`` reads every recipient and writes recipients.csv and index.html; how long to
wait until the next one is ``refresh_wait``. ``live`` writes summary.json from figures that are at hand, every second;
a long refresh need not hold it up when another process does the one or the other (``Stats.parts`` goes through a
pipe). ``add_attempts`` appends to attempts.csv, as often as there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from bulkmail.mail import AttemptRow, RecipientRow
from bulkmail.report.attempts import NOTHING, AttemptsFile, Position
from bulkmail.report.facts import Facts
from bulkmail.report.files import Place, write_text
from bulkmail.report.page import write_page
from bulkmail.report.recipients import write_recipients
from bulkmail.report.rows import Files
from bulkmail.report.summary import write_summary
from bulkmail.report.tally import Stats
from bulkmail.report.variants import variant_of

RECIPIENTS = "recipients.csv"
ATTEMPTS = "attempts.csv"
SUMMARY = "summary.json"
PAGE = "index.html"
REHEARSAL = "REHEARSAL.txt"

_SMALL = 10_000
_FRESH = 5.0
_SHARE = 20.0  # a long refresh may take a twentieth of the time
_SHORTEST_WAIT = 1.0

_REHEARSED = """\
REHEARSAL

Nothing in this folder was sent to real recipients. The mail servers were simulated on this machine, and so were their
answers; the addresses and messages are the campaign's own.
"""


def refresh_wait(rows: int, last_duration: float) -> float:
    """Return the seconds from the end of one refresh to the start of the next.

    Up to 10,000 rows the file is never more than 5 seconds old, the time of writing included twice: what happens just
    after a refresh began is in the next one. Beyond, a refresh waits 20 times what the last one took.
    """
    if rows <= _SMALL:
        return max(_SHORTEST_WAIT, _FRESH - 1.0 - 2 * last_duration)
    return max(_SHORTEST_WAIT, _SHARE * last_duration)


class ReportFolder:
    """The folder of one campaign: ``report`` or ``rehearsal`` in the campaign's own. Made when it is first written to.

    All methods raise OwnFault when the disk does not take what is written; what stood there before then still does.
    """

    def __init__(
        self,
        place: Place,
        files: Files,
        key: bytes,
        from_domain: str,
        position: Position = NOTHING,
        *,
        one_message: bool = False,
        subject: Callable[[RecipientRow, str], str] | None = None,
    ) -> None:
        self._place = place
        self._files = files
        self._key = key
        self._from_domain = from_domain
        self._one_message = one_message  # the same for all recipients, and so is its Message-ID
        self._subject = subject  # of the message to a row
        self._position = position
        self._attempts: AttemptsFile | None = None
        self._stats: Stats | None = None

    @property
    def position(self) -> Position:
        """What is known to be in attempts.csv; the next attempts wanted are those after the id in it."""
        return self._attempts.position if self._attempts else self._position

    def refresh(self, facts: Facts, recipients: Iterable[RecipientRow]) -> Stats:
        """Write recipients.csv and the page, both from one pass over ``recipients``."""
        stats = write_recipients(
            self._place.file(RECIPIENTS),
            recipients,
            self._files,
            self._key,
            self._from_domain,
            one_message=self._one_message,
            subject=self._subject,
            variant_of=variant_of(facts.variants),
        )
        self._stats = stats
        write_page(self._place.file(PAGE), facts, stats)
        if facts.rehearsal:
            write_text(self._place.file(REHEARSAL), _REHEARSED)
        return stats

    def live(self, facts: Facts, *, sync: bool = False) -> dict[str, Any]:
        """Write summary.json; categories and domains are those of the last refresh where ``facts`` has none.

        Raises ValueError when the statuses cannot sum to the input's rows. ``sync`` for the last one.
        """
        if self._stats is not None:
            facts = replace(
                facts,
                by_category=facts.by_category or self._stats.by_category,
                by_domain=facts.by_domain or self._stats.domains.top(),
                by_variant=facts.by_variant or self._stats.by_variant,
            )
        return write_summary(self._place.file(SUMMARY), facts, sync=sync)

    def add_attempts(self, rows: Iterable[AttemptRow]) -> Position:
        """Append attempts and return the new position; (0, 0) asks for all of them again."""
        if self._attempts is None:
            known = self._position
            self._attempts = AttemptsFile(self._place.file(ATTEMPTS), self._files, known)
            if self._attempts.position != known:
                return self._attempts.position
        return self._attempts.append(rows)

    def close(self) -> None:
        """Sync the attempts to the disk and close their file."""
        if self._attempts is not None:
            self._attempts.sync()
            self._position = self._attempts.position
            self._attempts.close()
            self._attempts = None
