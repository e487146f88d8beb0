from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bulkmail.spool import SqliteStore

BULKMAIL = Path(sys.executable).parent / "bulkmail"


def bulkmail(place, *arguments):
    return subprocess.run([BULKMAIL, *arguments], cwd=place, capture_output=True, text=True, timeout=60)


def test_what_has_ended_cannot_be_cancelled(spool, place):
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.set_state(2, "cancelled", 2000.0, exit_status=3)
    store.close()
    ended = bulkmail(place, "cancel", "summer", "--reason", "too late")
    assert ended.returncode == 1
    assert "summer is cancelled already, and cannot be cancelled" in ended.stderr


def test_an_unknown_name(spool, place):
    ended = bulkmail(place, "cancel", "sumer")
    assert ended.returncode == 1
    assert "the nearest is 'summer'" in ended.stderr
