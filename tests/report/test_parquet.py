from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime

import pytest

from bulkmail.mail import RECIPIENT_COLUMNS, BulkmailError, message_id, token
from bulkmail.report import json_export, parquet_export
from bulkmail.report.parquet import GROUP
from tests.report.test_exports import FILES, KEY, row

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (the extra `parquet`)")


def written(rows, files=FILES, same="", variant_of=None):
    return b"".join(parquet_export(rows, files, KEY, "x.example", same, variant_of))


def read(data):
    return parquet.read_table(io.BytesIO(data))


def test_the_columns_have_types():
    table = read(written([[row(1)]]))
    assert table.column_names == [*RECIPIENT_COLUMNS, "input_status", "plan"]
    types = {field.name: str(field.type) for field in table.schema}
    assert {types.pop(name) for name in ("smtp_code",)} == {"int16"}
    assert (types.pop("attempts"), types.pop("bytes")) == ("int32", "int64")
    times = {name for name, kind in types.items() if kind == "timestamp[ms, tz=UTC]"}
    assert times == {"first_attempt_at", "completed_at", "late_at", "unsubscribed_at", "complained_at"}
    assert {kind for name, kind in types.items() if name not in times} == {"string"}


def test_it_says_what_the_json_says():
    batches = [
        [row(1, first_attempt_at=1764000000.0005)],
        [],
        [row(2, 1, ("x",), status="pending", smtp_code=None, reply="", note="why", attempts=0, late_at=3.0, bytes=0)],
    ]
    (*_, same) = found = read(written(batches, same="<same@x>", variant_of=lambda one: f"v{one.n}")).to_pylist()
    objects = b"".join(json_export(batches, FILES, KEY, "x.example", "<same@x>", lambda one: f"v{one.n}"))
    for one, told in zip(found, map(json.loads, objects.splitlines()), strict=True):
        for name in RECIPIENT_COLUMNS:
            value = one[name]
            if isinstance(value, datetime):
                value = value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            assert value == told[name], name
        assert [one["input_status"], one["plan"]] == list(told["fields"].values())
    assert (same["smtp_code"], same["attempts"], same["bytes"], same["reply"]) == (None, 0, None, "why")
    assert found[0]["token"] == token(KEY, 1)
    assert read(written(batches)).to_pylist()[1]["message_id"] == message_id(KEY, 2, "x.example")


def test_row_groups_are_written_as_they_are_full():
    half = GROUP // 2
    parts = list(
        parquet_export(
            ([row(n) for n in range(at, at + half)] for at in (1, half + 1, 2 * half + 1)), FILES, KEY, "x", "", None
        )
    )
    assert len(parts) == 3, "two groups, and what a file ends with: nothing else is gathered"
    whole = parquet.ParquetFile(io.BytesIO(b"".join(parts)))
    assert [whole.metadata.row_group(n).num_rows for n in range(whole.num_row_groups)] == [2 * half, half]
    assert whole.read(["row"])["row"].to_pylist()[-1] == f"a.csv:{3 * half}"


def test_a_campaign_without_rows_and_cells_that_are_no_text():
    assert read(written([])).num_rows == 0
    (one,) = read(written([[row(1, cells=("u@a.example", "half \ud800", "\0"))]])).to_pylist()
    assert (one["input_status"], one["plan"]) == ("half ?", "\0")


def test_without_pyarrow_it_says_what_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BulkmailError, match=r"pip install 'bulkmail\[parquet\]'"):
        parquet_export([], FILES, KEY, "x.example", "", None)
