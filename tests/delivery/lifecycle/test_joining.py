"""Helping with campaigns that another machine opened: the spool is real, the leases are the test's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import ensureDeferred, succeed

from bulkmail.delivery.lifecycle.joining import Joining
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.spool import Recovered


class Pool:
    def __init__(self):
        self.told = []

    def set_up(self, key, job):
        self.told.append(job)

    def tear_down(self, key, job):
        self.told.append(job)


class Leases:
    def __init__(self):
        self.over = False
        self.holders = {}
        self.recovered = []

    def take(self, key):
        return succeed(self.holders.setdefault(key, "me") == "me")

    def holder(self, key):
        return succeed(self.holders.get(key, ""))

    def let_go(self, keys):
        for key in keys:
            self.holders.pop(key, None)
        return succeed(None)

    def recover_others(self, retry, now):
        self.recovered.append(retry.unknown_after)
        return succeed(Recovered())


def answer(work):
    """What a coroutine gives that waits for nothing but what is there."""
    got = []
    ensureDeferred(work).addBoth(got.append)
    assert len(got) == 1
    return got[0]


@pytest.fixture
def scene(world):
    one = world()
    one.farm.obliging()
    made = SimpleNamespace(one=one, pool=Pool(), leases=Leases(), changed=[])
    made.steering = Steering(
        spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers={"google"}, changed=made.changed.append
    )
    made.joining = Joining(
        spool=one.spool,
        leases=made.leases,
        feeder=one.feeder,
        clocks=one.clocks,
        pause=one.pause,
        compose=made.pool,
        retry=one.settings.retry,
        scheduling=Scheduling(
            reactor=one.clock,
            spool=one.spool,
            feeder=one.feeder,
            clocks=one.clocks,
            steering=made.steering,
            changed=made.changed.append,
        ),
        changed=made.changed.append,
    )
    return made


def test_a_running_campaign_is_joined_with_what_the_spool_knows_of_it(scene):
    told = scene.one.campaign({"a.example": 10}, run=False)
    scene.joining.look()
    scene.one.run(5.0)
    run = scene.one.feeder.runs[told.id]
    assert (run.name, run.helped, run.shared, run.content) == ("spring", True, True, {"name": "spring"})
    assert scene.pool.told == [("load", told.id, {"name": "spring"})]
    assert scene.one.statuses(told) == {"delivered": 10}
    scene.joining.look()
    scene.one.run(1.0)
    assert len(scene.pool.told) == 1, "joined once"


def test_what_does_not_run_any_more_is_left(scene):
    told = scene.one.campaign({"a.example": 1}, run=False)
    idle = scene.one.campaign({"a.example": 1}, "idle", run=False)
    scene.one.store.set_state(idle.id, "stopped", 1.0)
    scene.joining.look()
    scene.one.run(2.0)
    assert list(scene.one.feeder.runs) == [told.id]
    run = scene.one.feeder.runs[told.id]
    scene.one.store.set_state(told.id, "finished", 2.0)
    scene.joining.look()
    scene.joining.look()
    scene.one.run(2.0)
    assert scene.one.feeder.runs == {}
    assert run.over
    assert scene.pool.told[-1] == ("forget", told.id)


def test_a_campaign_that_was_changed_is_joined_anew(scene):
    """The machine that has it was killed and started again with --accept-changes: it was `running` all the time."""
    told = scene.one.campaign({"a.example": 10}, run=False)
    scene.one.farm.answers = None  # nobody answers
    scene.joining.look()
    scene.one.run(5.0)
    before = scene.one.feeder.runs[told.id]
    scene.one.store.update_content(
        told.id, {"name": "other"}, {"html": "new"}, [("r.csv", ["email"])], on_unknown="retry"
    )
    scene.joining.look()
    scene.one.run(2.0)
    after = scene.one.feeder.runs[told.id]
    assert (before.over, after.over, after.content) == (True, False, {"name": "other"})
    assert [job[0] for job in scene.pool.told] == ["load", "forget", "load"]
    scene.joining.look()
    scene.one.run(2.0)
    assert scene.one.feeder.runs[told.id] is after


def test_our_own_campaigns_are_not_joined_and_a_joined_one_can_become_ours(scene):
    told = scene.one.campaign({"a.example": 1}, run=False)
    scene.joining.look()
    scene.one.run(2.0)
    assert told.id in scene.one.feeder.runs
    assert answer(scene.joining.take_over("spring")) == ""
    assert scene.one.feeder.runs == {}
    scene.joining.look()
    scene.one.run(2.0)
    assert scene.one.feeder.runs == {}
    answer(scene.joining.give_up("spring"))
    assert scene.leases.holders == {}
    scene.joining.look()
    scene.one.run(2.0)
    assert told.id in scene.one.feeder.runs


def test_a_campaign_has_one_machine_with_its_folder(scene):
    scene.leases.holders["campaign spring"] = "mta7"
    assert answer(scene.joining.take_over("spring")) == "mta7"


def test_what_all_machines_have_sent_is_what_the_spool_counts(scene):
    told = scene.one.campaign({"a.example": 10}, run=False)
    scene.joining.look()
    scene.one.run(5.0)
    run = scene.one.feeder.runs[told.id]
    assert run.delivered == 0, "what this machine alone sees is not the count"
    scene.one.add(told.id, ["b.example"], first=11)
    scene.joining.each_second()
    scene.one.run(1.0)
    assert (run.delivered, run.final, run.input_rows) == (10, 10, 11)
    assert scene.changed == [], "its end is for the machine that has the folder to see"


def test_for_our_own_campaign_its_end_is_seen_in_the_spools_count(scene):
    run = scene.one.campaign({"a.example": 10})
    run.shared = True
    scene.one.start()
    scene.one.run(5.0)
    assert not run.complete
    scene.joining.each_second()
    scene.one.run(1.0)
    assert run.complete
    assert scene.changed == [run]


def test_the_dead_are_looked_for_now_and_then(scene):
    scene.one.run(10.0)
    for _ in range(2):
        scene.joining.each_second()
        scene.one.run(2.0)
    assert scene.leases.recovered == [900.0], "at most every five seconds"
    scene.leases.over = True
    scene.one.run(10.0)
    count = len(scene.leases.recovered)
    scene.joining.each_second()
    scene.one.run(1.0)
    assert len(scene.leases.recovered) == count


def test_a_fault_of_the_spool_pauses_and_is_tried_again(scene, kit):
    from bulkmail.mail import OwnFault

    told = scene.one.campaign({"a.example": 1}, run=False)
    scene.one.disk.fault = OwnFault("the database is gone")
    scene.joining.look()
    scene.joining.each_second()
    scene.one.run(0.5)
    assert scene.one.pause.fault == "the database is gone"
    scene.one.disk.fault = None
    scene.one.run(10.0)
    assert told.id in scene.one.feeder.runs
