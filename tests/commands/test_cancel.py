from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bulkmail.spool import SqliteStore

BULKMAIL = Path(sys.executable).parent / "bulkmail"


@pytest.fixture
def bulkmail(place, run_python):
    return lambda *arguments: run_python([BULKMAIL, *arguments], cwd=place)


def test_what_has_ended_cannot_be_cancelled(spool, bulkmail):
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.set_state(2, "cancelled", 2000.0, exit_status=3)
    store.close()
    ended = bulkmail("cancel", "summer", "--reason", "too late")
    assert ended.returncode == 1
    assert "summer is cancelled already, and cannot be cancelled" in ended.stderr


def test_an_unknown_name(spool, bulkmail):
    ended = bulkmail("cancel", "sumer")
    assert ended.returncode == 1
    assert "the nearest is 'summer'" in ended.stderr
