from __future__ import annotations

import os
import subprocess
import sys

from bulkmail.spool import Reader, Sign
from bulkmail.spool.opening import open_all
from bulkmail.spool.signs import Signs, read_signs
from tests.retrying import RetryPlan

HOLDER = """
import sys, time
from bulkmail.spool.place import Lock
lock = Lock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_the_last_sign_of_each_machine_is_kept(store):
    assert isinstance(store, Signs)
    for at in (1000.0, 1005.0):
        store.give_sign(Sign("mta1", 42, at, "the disk is full", 990.0))
    store.give_sign(Sign("mta2", 43, 1001.0))
    with store.database.transaction("begin_reading"):
        found = {sign.machine: sign for sign in read_signs(store.database)}
    assert found["mta1"][:5] == ("mta1", 42, 1005.0, "the disk is full", 990.0)
    assert found["mta2"][:5] == ("mta2", 43, 1001.0, "", None)


def test_the_process_of_a_folder_is_alive_as_long_as_it_has_the_lock(tmp_path):
    folder = tmp_path / "spool"
    store, journal, lock, _ = open_all(str(folder), "boot", RetryPlan(), 1000.0)
    store.give_sign(Sign("mta1", os.getpid(), 1000.0, "no resolver", 999.0))
    reader = Reader(str(folder))
    assert reader.signs() == [Sign("mta1", os.getpid(), 1000.0, "no resolver", 999.0, alive=True)]
    store.close()
    journal.close()
    lock.release()
    assert reader.signs() == [Sign("mta1", os.getpid(), 1000.0, "no resolver", 999.0, alive=False)]
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert reader.signs() == [Sign("", other.pid, alive=True)], "what another process said is not this one's"
        other.kill()
        other.wait()
        assert [sign.alive for sign in reader.signs()] == [False], "after kill -9, at once"
    finally:
        other.kill()
        other.communicate()
        reader.close()
