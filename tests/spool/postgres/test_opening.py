from __future__ import annotations

import os
from functools import partial

import pytest
from twisted.internet.defer import ensureDeferred

from bulkmail.mail import Refused
from bulkmail.spool import OneOfMany, open_spool, opening
from bulkmail.spool.postgres.opening import IDENTITY, make_store
from tests.retrying import RetryPlan


def open_all(dsn, folder, name, lease, boot, retry, now):
    make = partial(make_store, dsn, folder, name, lease, boot, None)
    return opening.open_all(folder, boot, retry, now, make)


class Machine:
    def __init__(self, reactor, dsn, folder):
        self.reactor, self.dsn, self.folder, self.now = reactor, dsn, str(folder), 0.0
        self.open()

    def open(self):
        opening = open_spool(
            self.dsn,
            self.reactor,
            clock=lambda: 5000.0 + self.reactor.seconds(),
            retry=RetryPlan(),
            machine=OneOfMany(self.folder, "one", 3.0, lambda: self.now),
        )
        self.spool = self.reactor.wait(ensureDeferred(opening))

    def wait(self, deferred):
        return self.reactor.wait(deferred)

    def close(self):
        self.reactor.wait(ensureDeferred(self.spool.close()))


@pytest.fixture
def machine(reactor, pg_dsn, tmp_path):
    made = Machine(reactor, pg_dsn, tmp_path / "machine")
    yield made
    if not made.spool._closed:
        made.close()


def campaign(machine, rows):
    spool, wait = machine.spool, machine.wait
    made = wait(
        spool.create_campaign("spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", [])], now=1.0)
    )
    wait(spool.add_rows(made.id, rows, None, done=True, now=1.0))
    wait(spool.set_state(made.id, "running", 2.0))
    return made.id


def test_a_recipients_whole_way(machine, kit):
    identity = campaign(machine, [kit.row(n) for n in range(1, 4)])
    [(queue, _, _)] = machine.wait(machine.spool.backlog(0, 10))
    first, second, third = machine.wait(machine.spool.claim(queue, 5))
    for row in (first, second):
        machine.spool.journal.dot(row.id, 1)
    done = machine.spool.settle(kit.outcome(first))
    back = machine.spool.release([third])
    machine.wait(machine.spool.flushed())
    assert done.called
    assert back.called
    machine.spool.settle(kit.outcome(second))
    machine.close()
    machine.open()
    assert machine.spool.recovered.counts == (0, 0, 0)
    assert machine.wait(machine.spool.totals(identity)) == {("", "delivered", ""): 2, ("", "pending", ""): 1}


def test_the_machine_is_the_same_after_a_restart_and_finds_what_it_left(machine, reactor, kit, pg_dsn, tmp_path):
    campaign(machine, [kit.row(1), kit.row(2)])
    [(queue, _, _)] = machine.wait(machine.spool.backlog(0, 10))
    first, _ = machine.wait(machine.spool.claim(queue, 5))
    machine.spool.journal.dot(first.id, 1)
    machine.close()
    machine.open()
    assert machine.spool.recovered.counts == (0, 1, 1), "its own journal tells the two apart"
    other = Machine(reactor, pg_dsn, tmp_path / "other")
    assert other.spool._store.identity != machine.spool._store.identity
    other.close()


def test_one_folder_is_one_process(machine, pg_dsn):
    with pytest.raises(Refused, match="in use by process"):
        open_all(pg_dsn, machine.folder, "one", 3.0, "boot", RetryPlan(), 1.0)


def test_a_copied_folder_is_refused_while_the_original_is_heard_of(machine, pg_dsn, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    (copy / IDENTITY).write_bytes((tmp_path / "machine" / IDENTITY).read_bytes())
    with pytest.raises(Refused, match=f"remove the file {IDENTITY}"):
        open_all(pg_dsn, str(copy), "copy", 3.0, "another boot", RetryPlan(), 1.0)
    assert machine.wait(machine.spool.campaigns()) == []
    os.unlink(copy / IDENTITY)
    store, journal, lock, _ = open_all(pg_dsn, str(copy), "copy", 3.0, "another boot", RetryPlan(), 1.0)
    store.close()
    journal.close()
    lock.release()


def test_after_a_reboot_the_last_life_is_waited_for_and_our_own_does_not_run_out_meanwhile(pg_dsn, tmp_path, kit):
    folder = tmp_path / "machine"
    first = open_all(pg_dsn, str(folder), "one", 3.0, "boot 1", RetryPlan(), 1.0)
    first[0].database.close()  # the machine is switched off
    first[1].close()
    first[2].release()
    store, journal, lock, _ = open_all(pg_dsn, str(folder), "one", 3.0, "boot 2", RetryPlan(), 2.0)
    left = "SELECT state, expires_at > clock_timestamp() + interval '1.5 s' FROM machine ORDER BY epoch"
    assert kit.asked(store, left) == [("recovered", False), ("live", True)]
    store.close()
    journal.close()
    lock.release()


def test_leases_are_good_from_the_first_beat_on(machine):
    while not machine.spool.leases.valid:
        machine.reactor.pump()
    assert machine.spool.leases.members == (machine.spool._store.epoch,)
    machine.now = 3.0
    assert not machine.spool.leases.valid or machine.spool.leases.heartbeat.valid_until > 3.0
