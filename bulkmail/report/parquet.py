"""The rows of a campaign as Apache Parquet, with types: what a data warehouse reads without being told how.

pyarrow is an extra, for it is larger than all the rest (docs/decisions/0203-parquet-by-an-extra.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from bulkmail.mail import RECIPIENT_COLUMNS, BulkmailError, RecipientRow
from bulkmail.report.columns import InputColumns
from bulkmail.report.exports import EMPTY, Batches, Told, VariantOf
from bulkmail.report.rows import Files

GROUP = 20_000  # rows of a row group, which are held in memory
_EXTRA = "a report as Parquet takes the extra `parquet`: pip install 'bulkmail[parquet]'"
_NUMBERS = {"smtp_code": "int16", "attempts": "int32", "bytes": "int64"}
_TIMES = ("first_attempt_at", "completed_at", "late_at", "unsubscribed_at", "complained_at")


def parquet_export(
    rows: Batches, files: Files, key: bytes, domain: str, same: str, variant_of: VariantOf
) -> Iterator[bytes]:
    """Return what yields the columns of recipients.csv with types, in parts; null for what is empty.

    Times are milliseconds in UTC, the input's own cells are texts as they stand there. ``same``: the Message-ID of
    all, "" where each has its own. Raises BulkmailError where pyarrow is not installed.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise BulkmailError(_EXTRA) from None
    arrow.set_memory_pool(arrow.system_memory_pool())  # its own one keeps what is free: 20 MB more
    inputs = InputColumns(files, guard=list)
    told_of = Told(files, key, domain, same, variant_of, _milliseconds)
    types = [arrow.type_for_alias(_NUMBERS.get(name, "string")) for name in RECIPIENT_COLUMNS]
    for name in _TIMES:
        types[RECIPIENT_COLUMNS.index(name)] = arrow.timestamp("ms", "UTC")
    names = [*RECIPIENT_COLUMNS, *inputs.names]
    schema = arrow.schema(list(zip(names, [*types, *[arrow.string()] * len(inputs.names)], strict=True)))

    def table(batch: list[RecipientRow]) -> Any:
        columns: Any = RecipientRow._make(zip(*batch, strict=True))
        given = [
            [value or empty for value in column]
            for column, empty in zip(told_of.columns(batch, columns), EMPTY, strict=True)
        ]
        cells = list(zip(*inputs.all_cells(columns), strict=True)) if inputs.names else []
        arrays = [_array(arrow, column, kind) for column, kind in zip([*given, *cells], schema.types, strict=True)]
        return arrow.Table.from_arrays(arrays, schema=schema)

    return _written(arrow, parquet, schema, (table(batch) for batch in rows if batch))


def _written(arrow: Any, parquet: Any, schema: Any, tables: Iterator[Any]) -> Iterator[bytes]:
    sink = _Sink()
    with parquet.ParquetWriter(arrow.PythonFile(sink, mode="w"), schema) as writer:
        for group in _groups(tables):
            whole = arrow.concat_tables(group)
            writer.write_table(whole, row_group_size=whole.num_rows)
            yield sink.take()
    yield sink.take()


def _groups(tables: Iterator[Any]) -> Iterator[list[Any]]:
    """Yield tables by row groups."""
    group: list[Any] = []
    rows = 0
    for table in tables:
        group.append(table)
        rows += table.num_rows
        if rows >= GROUP:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _array(arrow: Any, column: Sequence[Any], kind: Any) -> Any:
    try:
        return arrow.array(column, kind)
    except UnicodeEncodeError:  # half a character, which UTF-8 has no form for
        return arrow.array([text and text.encode("utf-8", "replace").decode("utf-8") for text in column], kind)


def _milliseconds(times: Sequence[float | None]) -> list[int | None]:
    return [int(at * 1000 + 0.5) if at else None for at in times]


class _Sink:
    """A file that is only written to, as pyarrow wants one; what is written is taken from it in parts."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Do nothing: bytes are written where `take` is called."""

    def close(self) -> None:
        """Do nothing, as well."""

    def take(self) -> bytes:
        """Take what was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
