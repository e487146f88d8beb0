"""recipients.csv: one row for each input row, in input order. The heart of the report.

Rows come by the thousand and are worked on as columns; a row costs a few microseconds, most of it the keyed hash of
its token and the CSV writer itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from bulkmail.mail import message_id, token
from bulkmail.report.cells import Times, guarded, reply_cells
from bulkmail.report.columns import OURS, InputColumns
from bulkmail.report.files import ReportFile, written_aside
from bulkmail.report.lines import lines
from bulkmail.report.rows import Files, file_prefixes
from bulkmail.report.tally import Stats
from bulkmail.report.tokens import tokens

CHUNK = 1000


def write_recipients(
    file: ReportFile,
    rows: Iterable[Sequence[Any]],
    files: Files,
    key: bytes,
    from_domain: str,
    *,
    one_message: bool = False,
) -> Stats:
    """Write the file aside and rename it; returns what was counted on the way. Raises OwnFault.

    ``rows`` are RecipientRow tuples in input order; ``key`` is the campaign's, for tokens and Message-IDs. With
    ``one_message`` everybody got the same one.
    """
    stats = Stats()
    columns = InputColumns(files)
    shape = _Shape(files, columns, key, message_id(key, 0, from_domain) if one_message else "", from_domain)
    with written_aside(file) as write:
        write(lines([OURS + columns.names]))
        for chunk in _chunks(rows):
            write(lines(shape.rows(chunk, stats)))
    return stats


def _chunks(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


class _Shape:
    """Turns chunks of RecipientRow tuples into rows of the file."""

    def __init__(self, files: Files, columns: InputColumns, key: bytes, same: str, from_domain: str) -> None:
        self._prefixes = guarded(file_prefixes(files))
        self._columns = columns
        self._key = key
        # every Message-ID of a campaign is the same around its token
        sample = token(key, 1)
        self._same = same  # the Message-ID of everybody's message, "" where each has its own
        self._before, _, self._after = message_id(key, 1, from_domain).partition(sample)
        self._times = Times()

    def rows(self, chunk: list[Sequence[Any]], stats: Stats) -> Iterable[Sequence[str]]:
        (
            numbers,
            file_numbers,
            file_rows,
            emails,
            statuses,
            categories,
            codes,
            enhanced,
            replies,
            stages,
            hosts,
            ips,
            source_ips,
            tls,
            attempts,
            first,
            completed,
            sizes,
            fields,
        ) = zip(*chunk, strict=True)
        stats.add(emails, statuses, categories, codes, replies, completed)
        key, before, after = self._key, self._before, self._after
        own_tokens = tokens(key, numbers)
        ours = zip(
            self._labels(numbers, file_numbers, file_rows),
            guarded(emails),
            statuses,
            categories,
            [str(code) if code else "" for code in codes],
            enhanced,
            reply_cells(replies),
            stages,
            guarded(hosts),
            ips,
            source_ips,
            tls,
            map(str, attempts),
            self._times.cells(first),
            self._times.cells(completed),
            [self._same] * len(own_tokens) if self._same else [before + text + after for text in own_tokens],
            own_tokens,
            [str(size) if size else "" for size in sizes],
            strict=True,
        )
        if not self._columns.names:
            return ours
        return [[*own, *others] for own, others in zip(ours, self._others(file_numbers, fields), strict=True)]

    def _labels(self, numbers: Sequence[int], file_numbers: Sequence[int], file_rows: Sequence[int]) -> Iterable[str]:
        if len(self._prefixes) <= 1:
            return map(str, numbers)
        return [f"{self._prefixes[no]}{row}" for no, row in zip(file_numbers, file_rows, strict=True)]

    def _others(self, file_numbers: Sequence[int], fields: Sequence[str]) -> list[list[str]]:
        others: list[list[str]] = []
        for no, group in groupby(zip(file_numbers, fields, strict=True), key=itemgetter(0)):
            others += self._columns.cells(no, [text for _, text in group])
        return others
