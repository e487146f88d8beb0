"""recipients.csv: one row for each input row, in input order. The heart of the report.

take-off.csv and try-again.csv are written in the same pass, so the three agree to the row.

Rows come by the thousand and are worked on as columns; a row costs a few microseconds, most of it the keyed hash of
its token and the CSV writer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from bulkmail.mail import RECIPIENT_COLUMNS, RecipientRow, Status, message_id, token
from bulkmail.report.cells import Times, guarded, reply_cells
from bulkmail.report.columns import InputColumns
from bulkmail.report.files import ReportFile, written_aside
from bulkmail.report.lines import MARK, lines
from bulkmail.report.rows import Files, file_prefixes
from bulkmail.report.selections import TAKE_OFF, TRY_AGAIN, Selection, is_to_be_taken_off, is_to_be_tried_again
from bulkmail.report.tally import Stats
from bulkmail.report.tokens import tokens

CHUNK = 1000


def write_recipients(
    file: ReportFile,
    rows: Iterable[RecipientRow],
    files: Files,
    key: bytes,
    from_domain: str,
    *,
    one_message: bool = False,
    subject: Callable[[RecipientRow, str], str] | None = None,
    variant_of: Callable[[RecipientRow], str] | None = None,
) -> Stats:
    """Write the file, take-off.csv and try-again.csv beside it, each aside and renamed; return what was counted.

    ``rows`` come in input order; ``key`` is the campaign's, for tokens and Message-IDs. With
    ``one_message`` all recipients got the same message. ``subject`` gives the subject of a row's message, for its row
    and token; ``variant_of`` a row's variant, None where there are none. Raises OwnFault.
    """
    stats = Stats()
    columns = InputColumns(files)
    same = message_id(key, 0, from_domain) if one_message else ""
    shape = RecipientCells(files, columns, key, same, from_domain, variant_of)
    place = file.place
    with (
        written_aside(file) as write,
        written_aside(place.file(TAKE_OFF)) as write_take_off,
        written_aside(place.file(TRY_AGAIN)) as write_try_again,
    ):
        write(MARK + lines([RECIPIENT_COLUMNS + columns.names]))
        selections = (
            Selection(files, is_to_be_taken_off, write_take_off),
            Selection(files, is_to_be_tried_again, write_try_again),
        )
        for chunk in _chunks(rows):
            write(lines(shape.rows(chunk, stats)))
            for selection in selections:
                selection.add(chunk)
            if subject is not None and not stats.subject:
                delivered = next((row for row in chunk if row.status == Status.DELIVERED), None)
                stats.subject = "" if delivered is None else subject(delivered, token(key, delivered.n))
    return stats


def _chunks(rows: Iterable[RecipientRow]) -> Iterator[list[RecipientRow]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


class RecipientCells:
    """Turns chunks of the spool's rows into rows of the file."""

    def __init__(
        self,
        files: Files,
        columns: InputColumns,
        key: bytes,
        same: str,
        from_domain: str,
        variant_of: Callable[[RecipientRow], str] | None,
    ) -> None:
        self._variant_of = variant_of
        self._prefixes = guarded(file_prefixes(files))
        self._columns = columns
        self._key = key
        # every Message-ID of a campaign is the same around its token
        sample = token(key, 1)
        self._same = same  # the Message-ID of all messages, "" where each has its own
        self._before, _, self._after = message_id(key, 1, from_domain).partition(sample)
        self._times = Times()

    def rows(self, chunk: list[RecipientRow], stats: Stats) -> Iterable[Sequence[str]]:
        """Return the cells of each row, and count them in ``stats``."""
        columns: Any = RecipientRow._make(zip(*chunk, strict=True))  # each field holds its whole column
        # where no server replied, our own words stand in the report's reply
        replies = [reply or note for reply, note in zip(columns.reply, columns.note, strict=True)]
        came_back = (columns.late_at, columns.unsubscribed_at, columns.complained_at)
        if any(map(any, came_back)):
            stats.add_late(chunk)
        stats.add(columns.email, columns.status, columns.category, columns.smtp_code, replies)
        variants = [""] * len(chunk)
        if self._variant_of is not None:
            variants = [self._variant_of(row) for row in chunk]
            stats.add_variants(variants, chunk)
        key, before, after = self._key, self._before, self._after
        own_tokens = tokens(key, columns.n)
        ours = zip(
            self._labels(columns.file_no, columns.row_in_file),
            guarded(columns.email),
            columns.status,
            columns.category,
            [str(code) if code else "" for code in columns.smtp_code],
            columns.enhanced,
            reply_cells(replies),
            columns.stage,
            guarded(columns.mx_host),
            columns.mx_ip,
            columns.source_ip,
            columns.tls,
            map(str, columns.attempts),
            self._times.cells(columns.first_attempt_at),
            self._times.cells(columns.completed_at),
            [self._same] * len(own_tokens) if self._same else [before + text + after for text in own_tokens],
            own_tokens,
            [str(size) if size else "" for size in columns.bytes],
            columns.tls_policy,
            variants,
            *[self._times.cells(times) if any(times) else [""] * len(times) for times in came_back],
            strict=True,
        )
        if not self._columns.names:
            return ours
        return [[*own, *others] for own, others in zip(ours, self._columns.all_cells(columns), strict=True)]

    def _labels(self, file_numbers: Sequence[int], file_rows: Sequence[int]) -> Iterable[str]:
        if len(self._prefixes) <= 1:
            return map(str, file_rows)
        return [f"{self._prefixes[no]}{row}" for no, row in zip(file_numbers, file_rows, strict=True)]
