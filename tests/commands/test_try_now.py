from __future__ import annotations

import json
import time

import pytest

from bulkmail import cli
from bulkmail.spool import Attempt, Settlement, SqliteStore


@pytest.fixture
def put_off(spool):
    """The spool of the other tests; a row of it was put off for an hour, and of another one the reply was lost."""
    now = time.time()
    store = SqliteStore(str(spool / "spool.sqlite3"))
    for row, result in zip(store.claim([(1, 2)], now - 60)[1], ("deferred", "unknown"), strict=True):
        attempt = Attempt(now - 50, 1, result, mx_host="mx.a.example", next_attempt_at=now + 3600)
        store.settle([Settlement(row.id, 1, "deferred", provider="google", attempt=attempt, next_at=now + 3600)])
    store.close()
    return spool


def due(spool):
    store = SqliteStore(str(spool / "spool.sqlite3"))
    found = store.next_due(1)
    store.close()
    return found


def test_without_a_service_they_are_due_in_the_spool(put_off, capsys):
    assert cli.main(["try-now", "spring", "--provider", "yahoo"]) == 0
    assert capsys.readouterr().out.startswith("spring: 0 deferred rows are tried at once.\n")
    assert due(put_off) > time.time()
    assert cli.main(["try-now", "spring", "--site", "MX.a.example", "--provider", "google", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["doubtful"], told["kept_back"]) == (1, 1, [])
    assert due(put_off) <= time.time()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sprig"], "there is no campaign 'sprig'; the nearest is 'spring'"),
        (["spring", "--provider", "gogle"], "there is no provider 'gogle'; the nearest is 'google'"),
    ],
)
def test_what_is_asked_for_has_to_be_there(put_off, capsys, words, said):
    assert cli.main(["try-now", *words]) == 1
    assert said in capsys.readouterr().err
