"""Events as other systems get them, from a spool of each kind of campaign."""

from __future__ import annotations

import json

import pytest

from bulkmail.mail import LateEvent, LateResult, message_id, token
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival, Attempt, EventBounds, Reader, Settlement
from bulkmail.spool.opening import open_all
from bulkmail.stream import EVENT_FIELDS, EventStream
from tests.retrying import RetryPlan

KEY = b"k" * 32


@pytest.fixture
def store(tmp_path):
    made, journal, lock, _ = open_all(str(tmp_path), "boot", RetryPlan(), 1.0, events=EventBounds(1e6, 1000))
    yield made
    made.close(), journal.close(), lock.release()


def campaign(store, name, content, files=(("r.csv", ["email"]),)):
    given = {"from": "Shop <news@example.com>", **content}
    made = store.create_campaign(name, f"/c/{name}", key=KEY, content=given, digests={}, files=files, now=1.0)
    rows = [(n, n % len(files), n, f"u{n}@a.example", "a.example", "[]", "ok", "") for n in (1, 2)]
    store.add_rows(made.id, rows, {}, True, 1000.0)
    store.set_state(made.id, "running", 1000.0)
    return made.id


def deliver(store, identity):
    queue = next(queue for queue, of, _ in store.backlog(0, 10) if of == identity)
    for row in store.claim([(queue, 10)], 1001.0)[queue]:
        place = ("dot", "mx.a.example", "192.0.2.1", "10.0.0.1", "TLSv1.3")
        said = ("delivered", "", 250, "2.0.0", "2.0.0 Ok\x1b[2J", *place)
        attempt = Attempt(1002.25, 1, *said, tls_policy="verify")
        store.settle(
            [Settlement(row.id, queue, "delivered", "", "google", attempt, completed_at=1002.25, bytes=77, site="mx.a")]
        )


def test_an_event_has_all_that_is_known(store, tmp_path):
    identity = campaign(store, "spring", {}, (("a.csv", ["email"]), ("b.csv", ["email"])))
    deliver(store, identity)
    reader = Reader(str(tmp_path))
    stream = EventStream(reader)
    started, first, second = stream.read(0, 10)
    assert {name: value for name, value in started.items() if value is not None} == {
        "seq": 1, "at": "1970-01-01T00:16:40.000Z", "event": "campaign_started", "campaign": "spring"
    }  # fmt: skip
    assert tuple(first) == EVENT_FIELDS
    assert first == {
        "seq": 2,
        "at": "1970-01-01T00:16:42.250Z",
        "event": "delivered",
        "campaign": "spring",
        "row": "b.csv:1",
        "email": "u1@a.example",
        "token": token(KEY, 1),
        "variant": None,
        "provider": "google",
        "site": "mx.a",
        "mx_host": "mx.a.example",
        "mx_ip": "192.0.2.1",
        "source_ip": "10.0.0.1",
        "tls": "TLSv1.3",
        "tls_policy": "verify",
        "smtp_code": 250,
        "enhanced_code": "2.0.0",
        "category": None,
        "reply": "2.0.0 Ok\x1b[2J",
        "stage": "dot",
        "attempt": 1,
        "message_id": message_id(KEY, 1, "example.com"),
        "bytes": 77,
        "address_hash": None,
    }
    assert "\x1b" not in json.dumps(first), "terminal codes leave escaped"
    assert stream.read(2, 10) == [second]
    assert stream.span() == (1, 3)
    reader.close()


def test_one_message_for_all_and_variants(store, tmp_path):
    deliver(store, campaign(store, "letter", {"same_for_all": True}))
    shares = [["a", 400_000, False], ["b", 100_000, False]]
    deliver(store, campaign(store, "test", {"variants": {"shares": shares, "letters": {}}}))
    reader = Reader(str(tmp_path))
    events = EventStream(reader).read(0, 10)
    of = {name: [one for one in events if one["campaign"] == name and one["row"]] for name in ("letter", "test")}
    assert {one["message_id"] for one in of["letter"]} == {message_id(KEY, 0, "example.com")}
    assert len({one["token"] for one in of["letter"]}) == 2
    assert {one["variant"] for one in of["letter"]} == {None}
    assert {one["variant"] for one in of["test"]} <= {"a", "b", "rest"}
    assert None not in {one["variant"] for one in of["test"]}
    reader.close()


def test_of_a_removed_campaign_is_told_what_is_left(store, tmp_path):
    identity = campaign(store, "spring", {})
    deliver(store, identity)
    store.set_state(identity, "finished", 2000.0)
    while not store.remove_campaign(identity):
        pass
    reader = Reader(str(tmp_path))
    events = EventStream(reader).read(0, 10)
    assert [one["event"] for one in events] == ["campaign_started", "delivered", "delivered", "campaign_finished"]
    assert (events[1]["row"], events[1]["email"], events[1]["site"]) == ("1", None, "mx.a")
    reader.close()


def test_what_comes_back_of_a_removed_campaign_is_told_with_its_token(store, tmp_path):
    made = store.create_campaign("autumn", "/c/autumn", content={}, digests={}, files=[("r.csv", ["email"])], now=1.0)
    store.add_rows(made.id, [(1, 0, 1, "u1@a.example", "a.example", "[]", "ok", "")], {}, True, 1000.0)
    store.set_state(made.id, "running", 1000.0)
    deliver(store, made.id)
    store.set_state(made.id, "finished", 2000.0)
    while not store.remove_campaign(made.id):
        pass
    left = LateEvent(LateResult.UNSUBSCRIBED, 3000.0, reply="one-click")
    store.record_late([Arrival(token(made.key, 1), left, AutoSuppression())])
    reader = Reader(str(tmp_path))
    *_, last = EventStream(reader).read(0, 10)
    [hashed] = reader.hashes(["u1@a.example"])
    reader.close()
    assert {name: value for name, value in last.items() if value is not None and name != "seq"} == {
        "at": "1970-01-01T00:50:00.000Z",
        "event": "unsubscribed",
        "campaign": "autumn",
        "row": "1",
        "token": token(made.key, 1),
        "reply": "one-click",
        "address_hash": f"{hashed:016x}",
    }
