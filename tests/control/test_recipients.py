from __future__ import annotations

import json

from pydantic import TypeAdapter

from bulkmail.control.campaign_models import RecipientAnswer
from bulkmail.control.recipients import find_recipients
from bulkmail.spool import Attempt, Reader, Settlement
from bulkmail.spool.opening import open_all
from tests.retrying import RetryPlan


def test_all_that_is_known_of_an_address(tmp_path):
    folder = str(tmp_path / "spool")
    store, journal, lock, _ = open_all(folder, "boot", RetryPlan(), 1000.0)
    for name, files in (("spring", ["r.csv"]), ("summer", ["a.csv", "b.csv"])):
        made = store.create_campaign(
            name, "/c", key=b"k" * 32, content={}, digests={}, files=[(one, ["email"]) for one in files], now=1000.0
        )
        rows = [(1, len(files) - 1, 7, "Ann@a.example", "a.example", json.dumps(["Ann@a.example"]), "ok", "")]
        store.add_rows(made.id, rows, {}, True, 1000.0)
        store.set_state(made.id, "running", 1000.0)
    (row,) = store.claim([(1, 1)], 1001.0)[1]
    attempt = Attempt(1002.0, 1, "deferred", "greylisted", 450, "4.2.0", "4.2.0 later", "rcpt", "mx.a.example")
    store.settle([Settlement(row.id, 1, "deferred", "greylisted", attempt=attempt, next_at=2000.0)])
    store.close()
    journal.close()
    lock.release()
    reader = Reader(folder)
    found = find_recipients(reader, "ann@A.example")
    TypeAdapter(list[RecipientAnswer]).validate_python(found)
    assert found[0] == {
        "campaign": "spring",
        "row": "7",
        "email": "Ann@a.example",
        "status": "deferred",
        "category": "greylisted",
        "attempts": 1,
        "reply": "4.2.0 later",
        "smtp_code": 450,
        "enhanced_code": "4.2.0",
        "stage": "rcpt",
        "mx_host": "mx.a.example",
        "first_attempt_at": "1970-01-01T00:16:42.000Z",
        "completed_at": None,
        "next_attempt_at": "1970-01-01T00:33:20.000Z",
        "late_at": None,
        "unsubscribed_at": None,
        "complained_at": None,
        "note": "",
        "history": [
            {
                "at": "1970-01-01T00:16:42.000Z",
                "attempt": 1,
                "result": "deferred",
                "category": "greylisted",
                "smtp_code": 450,
                "reply": "4.2.0 later",
                "stage": "rcpt",
                "mx_host": "mx.a.example",
                "mx_ip": "",
                "source_ip": "",
                "tls": "",
                "duration_ms": 0,
                "next_attempt_at": "1970-01-01T00:33:20.000Z",
            }
        ],
    }
    assert found[1]["history"] == []
    assert [(one["campaign"], one["row"], one["status"]) for one in found[1:]] == [("summer", "b.csv:7", "pending")]
    assert find_recipients(reader, "bob@a.example") == []
    reader.close()
