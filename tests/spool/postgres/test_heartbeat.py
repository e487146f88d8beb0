from __future__ import annotations

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed (pip install bulkmail[postgres])")

from bulkmail.spool.postgres.database import connect
from bulkmail.spool.postgres.heartbeat import Heartbeat, HeartbeatResult


class Patient:
    def __init__(self, reactor, dsn, store, lease=8.0):
        self.reactor, self.now = reactor, 100.0
        self.beats, self.heard = [], []
        self.heartbeat = Heartbeat(
            dsn,
            epoch=store.epoch,
            lease=lease,
            reactor=reactor,
            monotonic=lambda: self.now,
            beat=self.beats.append,
            notified=self.heard.append,
        )

    def until(self, condition):
        while not condition():
            self.reactor.pump()


@pytest.fixture
def store(pg_dsn, kit):
    made = kit.open_postgres(pg_dsn, lease=8.0)
    yield made
    made.close()


@pytest.fixture
def patient(reactor, pg_dsn, store):
    made = Patient(reactor, pg_dsn, store)
    yield made
    made.heartbeat.stop()
    if made.heartbeat._thread.is_alive():
        made.heartbeat._thread.join(10)


def test_a_beat_makes_the_leases_good_for_less_than_the_database_thinks(patient, pg_dsn, store):
    with connect(pg_dsn) as connection:
        assert patient.heartbeat.beat_once(connection)
    assert patient.heartbeat.valid_until == 106.0
    patient.reactor.pump()
    assert patient.beats == [HeartbeatResult((store.epoch,))]


def test_a_life_that_is_over_beats_no_more(patient, pg_dsn, store):
    store.database.execute("end_incarnation", (store.epoch,))
    with connect(pg_dsn) as connection:
        assert not patient.heartbeat.beat_once(connection)
    assert patient.heartbeat.valid_until == 0.0
    patient.reactor.pump()
    assert patient.beats == [HeartbeatResult(over=True)]


def test_what_others_commit_is_heard(patient, kit, store):
    patient.heartbeat.start()
    patient.until(lambda: patient.beats)
    assert patient.heard == [""], "what was missed before it listened"
    kit.campaign(store, rows=[kit.row(1)])
    patient.until(lambda: len(patient.heard) == 3)
    assert patient.heard == ["", "rows", "states"]


def test_who_is_silent_is_declared_gone_by_one_that_was_heard_for_long_enough(patient, pg_dsn, store, kit):
    other = kit.open_postgres(pg_dsn, "machine-2")
    late = "UPDATE machine SET expires_at = clock_timestamp() - interval '1 s' WHERE epoch = %s"
    long = "UPDATE machine SET heard_since = heard_since - interval '1 h' WHERE epoch = %s"
    store.database.connection.execute(late.encode(), (other.epoch,))
    with connect(pg_dsn) as connection:
        patient.heartbeat.beat_once(connection)
        patient.reactor.pump()
        assert patient.beats == [HeartbeatResult((store.epoch, other.epoch))]
        connection.execute(long.encode(), (store.epoch,))
        patient.heartbeat.beat_once(connection)
        patient.reactor.pump()
    assert patient.beats[1] == HeartbeatResult((store.epoch,), ("machine-2",))
    other.close()


def test_a_server_that_is_gone_is_told_and_comes_back(own_pg_server, reactor, kit):
    dsn = own_pg_server.fresh()
    store = kit.open_postgres(dsn, lease=8.0)
    patient = Patient(reactor, dsn, store)
    patient.heartbeat.start()
    patient.until(lambda: patient.beats)
    own_pg_server.stop()
    patient.until(lambda: patient.beats[-1].fault)
    own_pg_server.start()
    patient.until(lambda: not patient.beats[-1].fault)
    assert patient.heard[-1] == "", "what was missed meanwhile"
    patient.heartbeat.stop()
    patient.heartbeat._thread.join(10)
    store.close()


def test_whatever_goes_wrong_it_beats_again(patient, monkeypatch):
    beat_once, fails = patient.heartbeat.beat_once, [ValueError("a bug"), OSError("no more files")]

    def failing(connection):
        if fails:
            raise fails.pop()
        return beat_once(connection)

    monkeypatch.setattr(patient.heartbeat, "beat_once", failing)
    patient.heartbeat.start()
    patient.until(lambda: patient.beats and not patient.beats[-1].fault)
    assert [beat.fault for beat in patient.beats[:2]] == ["no more files", "a bug"]
