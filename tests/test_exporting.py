"""A campaign's stream, from the spool, while it is sent and in each form."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bulkmail.exporting import FORMATS, export
from bulkmail.mail import BulkmailError
from bulkmail.spool import Attempt, Journalled, Reader, Settlement, SqliteStore
from tests.retrying import RetryPlan


def made(path, rows):
    """A spool with a campaign of so many rows, half of which are delivered."""
    store = SqliteStore(str(path / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    content = {"from": "Shop <news@example.com>", "envelope_from": None, "headers": {}}
    identity = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content=content, digests={}, files=[("r.csv", ["email", "plan"])], now=1.0
    ).id
    given = [
        (n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example", "plus"]), "ok", "")
        for n in range(1, rows + 1)
    ]
    store.add_rows(identity, given, {}, True, 1000.0)
    store.set_state(identity, "running", 1000.0)
    (queue, *_), *_ = store.backlog(0, 1)
    claimed = store.claim([(queue, rows // 2)], 1001.0)[queue]
    attempt = Attempt(1002.0, 1, "delivered", "", 250, "2.0.0", "2.0.0 Ok", "dot", "mx", "192.0.2.1")
    store.settle([Settlement(row.id, queue, "delivered", "", "", attempt, completed_at=1002.0) for row in claimed])
    store.close()
    return Reader(str(path))


def test_each_form_while_the_campaign_is_sent(tmp_path):
    reader = made(tmp_path, 10)
    csv_, json_, pmta = (
        b"".join(export(reader, "spring", form)).decode("utf-8-sig") for form in FORMATS if form != "parquet"
    )
    rows = list(csv.DictReader(io.StringIO(csv_, newline="")))
    objects = [json.loads(line) for line in json_.splitlines()]
    records = list(csv.DictReader(io.StringIO(pmta, newline="")))
    reader.close()
    assert [row["status"] for row in rows] == [one["status"] for one in objects] == ["delivered"] * 5 + ["pending"] * 5
    assert [row["email"] for row in rows[:5]] == [one["rcpt"] for one in records]
    assert {one["orig"] for one in records} == {"news@example.com"}
    assert (
        [one["envId"] for one in records] == [one["token"] for one in objects[:5]] == [row["token"] for row in rows[:5]]
    )
    assert rows[0]["plan"] == objects[0]["fields"]["plan"] == "plus"


def test_as_parquet_it_is_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (the extra `parquet`)")
    reader = made(tmp_path, 10)
    table = parquet.read_table(io.BytesIO(b"".join(export(reader, "spring", "parquet")))).to_pylist()
    objects = [json.loads(line) for line in b"".join(export(reader, "spring", "jsonl")).splitlines()]
    reader.close()
    assert [(one["row"], one["status"], one["token"]) for one in table] == [
        (one["row"], one["status"], one["token"]) for one in objects
    ]
    assert (table[0]["completed_at"].timestamp(), table[9]["completed_at"]) == (1002.0, None)


def test_a_campaign_that_is_not_there(tmp_path):
    reader = made(tmp_path, 2)
    with pytest.raises(BulkmailError, match="did you mean spring"):
        export(reader, "sprung", "csv")
    reader.close()


@pytest.mark.parametrize(
    ("form", "asked", "reads"),
    [("csv", "recipients", [0, 1, 2, 3, 4]), ("jsonl", "recipients", [1, 2, 3, 4]), ("pmta", "attempts", [0, 1, 2, 3])],
)
def test_a_part_is_read_when_it_is_wanted(tmp_path, form, asked, reads, monkeypatch):
    reader = made(tmp_path, 12)
    monkeypatch.setattr("bulkmail.listing._ROWS", 3)
    monkeypatch.setattr("bulkmail.exporting._ATTEMPTS", 2)
    real, calls = getattr(reader, asked), []
    setattr(reader, asked, lambda *values: calls.append(values) or real(*values))
    seen = [len(calls) for _ in export(reader, "spring", form)]
    reader.close()
    assert seen == reads, "no more is read than is passed on"
