from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from twisted.internet.defer import ensureDeferred

from bulkmail.mail import OwnFault, Refused
from bulkmail.spool import Reader, SqliteStore, open_spool, opening
from bulkmail.spool.opening import open_all
from tests.retrying import RetryPlan

ROWS = 300

# Sends to its parent: the pipe is the receiver, a line in it a message taken ("A n") or put off ("D n").
CHILD = """
import json, os, sys
from bulkmail.settings import Retry
from bulkmail.spool import Attempt, Settlement
from bulkmail.spool.opening import open_all
from bulkmail.spool.place import boot_id

directory, rows, now = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
store, journal, lock, recovered = open_all(directory, boot_id(), Retry(unknown_after="10s"), now)
campaign = store.campaign("spring") or store.create_campaign(
    "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=now)
store.set_state(campaign.id, "running", now)
batch = []

def settle():
    store.settle(batch)
    journal.settled([settlement.recipient_id for settlement in batch])
    batch.clear()

while True:
    stored = store.campaign("spring").input_rows
    if stored < rows:
        numbers = range(stored + 1, stored + 21)
        new = [(n, 0, n, f"u{n}@d{n % 7}.example", f"d{n % 7}.example", "[]", "ok", "") for n in numbers]
        store.add_rows(campaign.id, new, stored + 20, stored + 20 >= rows)
    now += 100
    queues = [row[0] for row in store.due_queues(now, 9)] or [row[0] for row in store.backlog(0, 9)]
    if not queues and stored >= rows:
        break
    for claimed in [row for got in store.claim([(queue, 5) for queue in queues], now).values() for row in got]:
        number = claimed.attempts + 1
        taken = number > 1 or claimed.number % 3
        journal.dot(claimed.id, number)
        os.write(1, f"{'A' if taken else 'D'} {claimed.number}\\n".encode())
        attempt = Attempt(now, number, "delivered" if taken else "deferred", stage="dot")
        settlement = Settlement(
            claimed.id, claimed.queue_id, "delivered" if taken else "deferred", attempt=attempt,
            completed_at=now if taken else 0.0, next_at=0.0 if taken else now + 50)
        journal.reply(claimed.id, number, settlement.packed())
        batch.append(settlement)
        if len(batch) == 7:
            settle()
    settle()
store.close()
os.write(1, b"END\\n")
"""


@pytest.mark.process
def test_killed_again_and_again_it_loses_nobody_and_doubles_only_what_is_ambiguous(tmp_path, kit):
    directory = str(tmp_path / "spool")
    rng = random.Random(7)
    taken: Counter[int] = Counter()
    kills, ended = 0, False
    while not ended:
        command = [sys.executable, "-c", CHILD, directory, str(ROWS), str(1e6 * (kills + 1))]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            for _ in range(rng.randrange(1, 90) if kills < 7 else 10_000):
                line = child.stdout.readline()
                ended = line == b"END\n"
                if ended or not line:
                    break
                taken[int(line[2:])] += line[:1] == b"A"
            if not ended:
                child.kill()
                kills += 1
            for line in child.stdout:  # written before the kill took effect
                ended |= line == b"END\n"
                if line.startswith((b"A", b"D")):
                    taken[int(line[2:])] += line[:1] == b"A"
        assert kills < 20, "the child fails"
    assert kills >= 7
    reader = Reader(directory)
    rows = reader.recipients(1, 0, ROWS + 1)
    attempts = reader.attempts(1, 0, 10 * ROWS)
    reader.close()
    assert [row.n for row in rows] == list(range(1, ROWS + 1))
    assert {row.status for row in rows} == {"delivered"}
    assert all(taken[number] for number in range(1, ROWS + 1)), "lost"
    doubled = {number for number, times in taken.items() if times > 1}
    unanswered = {row.n for row in attempts if row.result == "unknown"}
    assert doubled <= unanswered
    assert len(unanswered) <= kills, "one message in flight per kill"
    assert Counter(row.n for row in attempts) == {row.n: row.attempts for row in rows}


def test_a_second_daemon_is_refused_and_harms_nothing(tmp_path, reactor, kit):
    directory = str(tmp_path / "spool")
    clock = {"clock": lambda: 1.0, "retry": RetryPlan()}
    spool = reactor.wait(ensureDeferred(open_spool(directory, reactor, **clock)))
    journal = os.listdir(os.path.join(directory, "journal"))
    with pytest.raises(Refused, match=f"in use by process {os.getpid()}"):
        reactor.wait(ensureDeferred(open_spool(directory, reactor, **clock)))
    assert os.listdir(os.path.join(directory, "journal")) == journal
    assert reactor.wait(spool.campaigns()) == []
    reactor.wait(ensureDeferred(spool.close()))
    again = reactor.wait(ensureDeferred(open_spool(directory, reactor, **clock)))
    reactor.wait(ensureDeferred(again.close()))


def test_what_is_opened_is_private(tmp_path):
    directory = tmp_path / "spool"
    store, journal, lock, _ = open_all(str(directory), "boot", RetryPlan(), 1.0)
    journal.dot(1, 1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.rglob("*")}
    assert {name for name, mode in modes.items() if mode == 0o700} == {"journal"}
    assert {mode for name, mode in modes.items() if name != "journal"} == {0o600}
    journal.close()
    store.close()
    lock.release()


def test_segments_of_earlier_runs_go_once_they_are_recovered_from(tmp_path):
    for run in range(1, 4):
        store, journal, lock, _ = open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
        assert os.listdir(tmp_path / "journal") == [f"{run:012d}.journal"]
        journal.dot(1, 1)
        journal.close()
        store.close()
        lock.release()


def test_a_database_that_is_gone_while_its_journal_stands_is_refused(tmp_path):
    store, journal, lock, _ = open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
    for part in (journal, store):
        part.close()
    lock.release()
    os.unlink(tmp_path / "spool.sqlite3")
    with pytest.raises(Refused, match="its journal is there"):
        open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
    assert not (tmp_path / "spool.sqlite3").exists()


def test_an_opening_that_fails_half_way_closes_what_it_opened(tmp_path, monkeypatch):
    def full(directory):
        raise OwnFault("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(opening.Journal, "open", full)
        with pytest.raises(OwnFault):
            open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
    store, journal, lock, _ = open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
    journal.close()
    store.close()
    lock.release()


def test_an_opening_that_fails_leaves_nothing_open_and_can_be_tried_again(tmp_path, monkeypatch):
    """A machine that lost its place among others tries for as long as it takes."""
    before = len(os.listdir("/proc/self/fd"))

    def fail(*_args):
        raise OwnFault("the database is gone again")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "recover", fail)
        for _ in range(3):
            with pytest.raises(OwnFault, match="gone again"):
                open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
    assert len(os.listdir("/proc/self/fd")) == before
    store, journal, lock, _ = open_all(str(tmp_path), "boot", RetryPlan(), 1.0)
    assert len(os.listdir(tmp_path / "journal")) == 1
    store.close()
    journal.close()
    lock.release()
