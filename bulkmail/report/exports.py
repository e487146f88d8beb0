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
    inputs = InputColumns(files, (), guard=list)
    prefixes, times = file_prefixes(files), Times()

    def when(column: Sequence[float | None]) -> list[str | None]:
        return [text or None for text in times.cells(column)]

    for batch in rows:
        if not batch:
            continue
        columns: Any = RecipientRow._make(zip(*batch, strict=True))  # each field holds its whole column
        replies = [reply or note for reply, note in zip(columns.reply, columns.note, strict=True)]
        own = zip(
            [f"{prefixes[no]}{row}" for no, row in zip(columns.file_no, columns.row_in_file, strict=True)],
            columns.email,
            columns.status,
            columns.category,
            columns.smtp_code,
            columns.enhanced,
            replies,
            *(columns.stage, columns.mx_host, columns.mx_ip, columns.source_ip, columns.tls, columns.attempts),
            when(columns.first_attempt_at),
            when(columns.completed_at),
            [same or message_id(key, n, domain) for n in columns.n],
            tokens(key, columns.n),
            columns.bytes,
            [variant_of(row) for row in batch] if variant_of else [""] * len(batch),
            *map(when, (columns.late_at, columns.unsubscribed_at, columns.complained_at)),
            strict=True,
        )
        parts = []
        for values, cells in zip(own, inputs.all_cells(columns), strict=True):
            told: dict[str, Any] = {
                name: value or (None if name != "attempts" else 0)
                for name, value in zip(RECIPIENT_COLUMNS, values, strict=True)
            }
            told["fields"] = dict(zip(inputs.names, cells, strict=True))
            parts.append(json.dumps(told).encode("ascii") + b"\n")
        yield b"".join(parts)
