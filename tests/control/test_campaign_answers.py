from __future__ import annotations

import asyncio
import json

import pytest
from pydantic import TypeAdapter

from bulkmail.control.campaign_answers import campaign_answers
from bulkmail.control.http import Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.mail import UnknownName
from bulkmail.spool import SqliteStore, open_reader

BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
def ask(tmp_path):
    """Asks of a spool with one campaign whose rows wait; each answer is as its model says."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    made = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1000.0
    )
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in (1, 2, 3)]
    store.add_rows(made.id, rows, {}, True, 1000.0)
    reader = open_reader(str(tmp_path))

    async def read(work):
        return work(reader)

    answers = campaign_answers(read, lambda: 2000.0)

    def ask(name, query=None, *, campaign="spring", **path):
        operation = BY_NAME[name]
        answer = asyncio.run(answers[name](Call(operation, {"name": campaign, **path}, query or {}, None)))
        return TypeAdapter(operation.answer).validate_python(answer) and answer

    yield ask
    reader.close()
    store.close()


def test_what_is_told_of_one_campaign(ask):
    assert ask("recent")["attempts"] == 0
    assert ask("over_time")["provider"] == ""
    assert ask("over_time_of", provider="google")["provider"] == "google"
    assert [one["row"] for one in ask("rows", status="pending")["rows"]] == ["3", "2", "1"]
    assert [one["row"] for one in ask("rows", {"before": "3"}, status="pending")["rows"]] == ["2", "1"]


@pytest.mark.parametrize("name", ["recent", "over_time", "over_time_of", "rows"])
def test_the_nearest_campaign_is_told(ask, name):
    with pytest.raises(UnknownName, match="the nearest is 'spring'"):
        ask(name, campaign="sprin", status="pending", provider="google")
