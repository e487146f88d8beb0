"""The stream of events as the API gives it, from a spool in either database."""

from __future__ import annotations

import asyncio

import pytest

from bulkmail.control.event_answers import FEW, MOST, event_answers
from bulkmail.control.http import Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.spool import EventBounds, SqliteStore, open_reader

EVENTS = next(operation for operation in OPERATIONS if operation.name == "events")
ROUNDS = 600  # each stops the campaign and starts it again


@pytest.fixture(params=["file", "postgres"], scope="module")
def address(request, tmp_path_factory):
    """A spool with 1,201 events."""
    if request.param == "postgres":
        from bulkmail.spool.postgres.store import PostgresStore

        place = request.getfixturevalue("pg_server").fresh()
        store = PostgresStore(place, identity="m", name="m", boot="b")
    else:
        place = str(tmp_path_factory.mktemp("spool"))
        store = SqliteStore(f"{place}/spool.sqlite3")
    store.remember_events(EventBounds(1e6, 10_000))
    made = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1.0
    )
    for n in range(ROUNDS):
        store.set_state(made.id, "running", 2.0 * n)
        store.set_state(made.id, "stopped", 2.0 * n + 1)
    store.set_state(made.id, "running", 2.0 * ROUNDS)
    store.close()
    return place


def ask(address, **query):
    async def read(work):
        reader = open_reader(address)
        try:
            return work(reader)
        finally:
            reader.close()

    answer = asyncio.run(event_answers(read)["events"](Call(EVENTS, {}, query, None)))
    return EVENTS.answer.model_validate(answer).model_dump()


def numbers(answer):
    return [event["seq"] for event in answer["events"]]


def test_they_are_read_behind_a_number_and_bounded(address):
    first = ask(address)
    assert (numbers(first), first["oldest"], first["newest"]) == (list(range(1, FEW + 1)), 1, 2 * ROUNDS + 1)
    assert numbers(ask(address, after="40", most="3")) == [41, 42, 43]
    assert numbers(ask(address, most="999999999")) == list(range(1, MOST + 1))
    assert numbers(ask(address, after=str(MOST), most=str(MOST))) == list(range(MOST + 1, 2 * ROUNDS + 2))
    assert numbers(ask(address, after=str(2 * ROUNDS + 1))) == numbers(ask(address, after="9" * 18)) == []
    assert numbers(ask(address, most="0")) == []


def test_a_spool_without_events(tmp_path):
    SqliteStore(f"{tmp_path}/spool.sqlite3").close()
    assert ask(str(tmp_path)) == {"events": [], "oldest": 1, "newest": 0}
