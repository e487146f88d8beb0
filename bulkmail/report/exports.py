"""The rows of a campaign as one stream: recipients.csv without its folder, and as JSON, one object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bulkmail.mail import RECIPIENT_COLUMNS, RecipientRow, message_id
from bulkmail.report.cells import Times
from bulkmail.report.columns import InputColumns
from bulkmail.report.lines import MARK, lines
from bulkmail.report.recipients import RecipientCells
from bulkmail.report.rows import Files, file_prefixes
from bulkmail.report.tally import Stats
from bulkmail.report.tokens import tokens

Batches = Iterable[list[RecipientRow]]
VariantOf = Callable[[RecipientRow], str] | None

EMPTY = tuple(0 if name == "attempts" else None for name in RECIPIENT_COLUMNS)
"""By column, what is told of a cell without a value: null, but of a count 0."""


def csv_export(
    rows: Batches, files: Files, key: bytes, domain: str, same: str, variant_of: VariantOf
) -> Iterator[bytes]:
    """Yield what recipients.csv would hold, in parts; ``same``: the Message-ID of all, "" where each has its own."""
    columns = InputColumns(files)
    cells = RecipientCells(files, columns, key, same, domain, variant_of)
    yield MARK + lines([RECIPIENT_COLUMNS + columns.names])
    for batch in rows:
        if batch:
            yield lines(cells.rows(batch, Stats()))


def json_export(
    rows: Batches, files: Files, key: bytes, domain: str, same: str, variant_of: VariantOf
) -> Iterator[bytes]:
    """Yield the same as JSON, one object a line: null for what is empty, the input's own cells under ``fields``."""
    inputs, times = InputColumns(files, (), guard=list), Times()

    def when(column: Sequence[float | None]) -> list[str | None]:
        return [text or None for text in times.cells(column)]

    told_of = Told(files, key, domain, same, variant_of, when)
    for batch in rows:
        if not batch:
            continue
        columns: Any = RecipientRow._make(zip(*batch, strict=True))  # each field holds its whole column
        parts = []
        for values, cells in zip(
            zip(*told_of.columns(batch, columns), strict=True), inputs.all_cells(columns), strict=True
        ):
            told: dict[str, Any] = {
                name: value or empty for name, value, empty in zip(RECIPIENT_COLUMNS, values, EMPTY, strict=True)
            }
            told["fields"] = dict(zip(inputs.names, cells, strict=True))
            parts.append(json.dumps(told).encode("ascii") + b"\n")
        yield b"".join(parts)


class Told:
    """What is told of rows, by columns. ``when``: makes what is told of a column of times, in epoch seconds."""

    def __init__(
        self,
        files: Files,
        key: bytes,
        domain: str,
        same: str,
        variant_of: VariantOf,
        when: Callable[[Sequence[float | None]], list[Any]],
    ) -> None:
        self._prefixes = file_prefixes(files)
        self._key = key
        self._domain = domain
        self._same = same
        self._variant_of, self._when = variant_of, when

    def columns(self, batch: list[RecipientRow], columns: Any) -> list[Sequence[Any]]:
        """Return the columns of RECIPIENT_COLUMNS, in their order. ``columns``: the batch, by columns."""
        prefixes, key, when, variant_of = self._prefixes, self._key, self._when, self._variant_of
        return [
            [f"{prefixes[no]}{row}" for no, row in zip(columns.file_no, columns.row_in_file, strict=True)],
            columns.email,
            columns.status,
            columns.category,
            columns.smtp_code,
            columns.enhanced,
            [reply or note for reply, note in zip(columns.reply, columns.note, strict=True)],
            *(columns.stage, columns.mx_host, columns.mx_ip, columns.source_ip, columns.tls, columns.attempts),
            when(columns.first_attempt_at),
            when(columns.completed_at),
            [self._same or message_id(key, n, self._domain) for n in columns.n],
            tokens(key, columns.n),
            columns.bytes,
            columns.tls_policy,
            [variant_of(row) for row in batch] if variant_of else [""] * len(batch),
            *map(when, (columns.late_at, columns.unsubscribed_at, columns.complained_at)),
        ]
