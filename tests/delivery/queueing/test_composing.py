from __future__ import annotations

import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from bulkmail.delivery.holds import Holds
from bulkmail.delivery.message import Message
from bulkmail.delivery.queueing.composing import BATCH, Composing
from bulkmail.delivery.run import Run
from bulkmail.spool import Claimed, Hold
from bulkmail.workers import WorkerDiedError, WorkerFailedError, WorkerLateError

RUNS = {n: Run(n, f"c{n}", "/c", {}, "retry", 0.0) for n in (1, 2)}


def message(number, campaign=1, runs=None):
    runs = runs or RUNS
    identity = campaign << 40 | number
    claimed = Claimed(identity, campaign, 1, f"u{number}@x.example", "[]", 0, 0, 0.0, 1000.0, "pending", "", "")
    return Message(claimed, "x.example", runs[campaign], Lane())


class Lane:
    held = 1

    def hold(self, count, run):
        self.held += count
        assert self.held in (0, 1)


class Scene:
    def __init__(self, kit):
        self.clock = Clock()
        self.pool = kit.FakePool(self.clock)
        self.composed, self.spoilt, self.back, self.paused = [], {}, [], []
        self.only = False
        receiver = types.SimpleNamespace(
            composed=self.composed.append, unrenderable=self.spoil, not_composed=self.back.extend
        )
        self.composing = Composing(self.clock, self.pool, receiver=receiver, withholding=self)

    def doubt(self, run, messages):
        self.back.extend(messages)

    def clear(self, run):
        pass

    def alone(self, run):
        return self.only

    def pause(self, run, reason, messages):
        run.holds = Holds([Hold(run.id, "fault", reason, 0.0)])
        self.paused.append((run.name, reason))
        self.back.extend(messages)

    def spoil(self, one, reason):
        assert one not in self.spoilt
        self.spoilt[one] = reason

    def run(self):
        for _ in range(200):
            self.clock.advance(self.pool.delay)


@pytest.fixture
def scene(kit):
    return Scene(kit)


def test_messages_come_back_with_their_bytes(scene):
    one = message(1)
    scene.composing.add([one])
    assert scene.composed == []
    scene.run()
    assert scene.composed == [one]
    assert (one.size, len(one.wire), one.sender) == (500, 500, "s@me.example")
    (job,) = scene.pool.asked
    assert job == ("compose", 1, [(one.claimed.id, 1, "u1@x.example", 1000.0, 0, "[]")])


def test_a_template_error_costs_one_row(scene):
    scene.pool.bad = {2}
    messages = [message(n) for n in (1, 2, 3)]
    scene.composing.add(messages)
    scene.run()
    assert scene.composed == [messages[0], messages[2]]
    assert scene.spoilt == {messages[1]: "line 3: no such variable"}


def test_a_poison_row_is_found_and_costs_itself_and_nothing_else(scene):
    scene.only = True
    scene.pool.poison = {7}
    messages = [message(n) for n in range(1, 41)]
    scene.composing.add(messages)
    scene.run()
    assert sorted(one.claimed.number for one in scene.composed) == [n for n in range(1, 41) if n != 7]
    ((one, reason),) = scene.spoilt.items()
    assert one.claimed.number == 7
    assert "signal 9" in reason
    assert "\n" not in reason
    assert scene.back == []
    # its rows one by one, in a worker of their own that goes on to the next; the other batches were never suspected
    assert [[row[1] for row in job[2]] for job in scene.pool.asked_alone] == [[n] for n in range(1, BATCH + 1)]
    assert scene.pool.open == []


def test_a_worker_that_reports_an_error_of_its_own_strands_nobody(scene):
    def handle(job):
        raise WorkerFailedError("Traceback ...\nMemoryError: too much\n")

    scene.pool.handle = handle
    one = message(1)
    scene.composing.add([one])
    scene.run()
    assert scene.spoilt[one].endswith("MemoryError: too much")


@pytest.mark.parametrize("how", ["no process", "short answer"])
def test_what_is_no_fault_of_the_rows_gives_them_back(scene, how):
    def handle(job):
        if how == "no process":
            raise OSError("fork: Resource temporarily unavailable")
        return [(job[2][0][0], b"x", "s@me.example", None)]

    scene.pool.handle = handle
    messages = [message(n) for n in (1, 2, 3)]
    scene.composing.add(messages)
    scene.run()
    assert scene.spoilt == {}
    assert [*scene.composed, *scene.back] == messages
    scene.pool.handle = type(scene.pool).handle.__get__(scene.pool)
    scene.composing.add([message(4)])
    scene.run()
    assert scene.composed[-1].claimed.number == 4


def test_rows_that_no_worker_can_compose_now_are_given_back_and_the_reason_is_told_once(scene):
    told = []
    globalLogPublisher.addObserver(told.append)
    scene.pool.handle = lambda _: "the campaign's folder /c cannot be opened"
    messages = [message(n) for n in range(1, 41)]
    try:
        scene.composing.add(messages)
        scene.clock.pump([0.1] * 10)
    finally:
        globalLogPublisher.removeObserver(told.append)
    assert set(scene.back) == set(messages)
    assert (scene.composed, scene.spoilt) == ([], {})
    assert [event["text"] for event in told] == ["the campaign's folder /c cannot be opened"]


def test_a_batch_is_of_one_campaign_and_campaigns_take_turns(scene):
    scene.composing.add([message(n) for n in range(1, 41)] + [message(n, 2) for n in range(1, 21)] + [message(41)])
    scene.run()
    asked = [(job[1], len(job[2])) for job in scene.pool.asked]
    assert [[size for run, size in asked if run == one] for one in (1, 2)] == [[3, 16, 16, 6], [3, 16, 1]]
    assert asked[:2] == [(1, 3), (2, 3)], "a few rows show how long each takes"
    assert [one.claimed.number for one in scene.composed if one.claimed.campaign_id == 1] == list(range(1, 42))


def test_workers_are_kept_busy_and_no_more(scene):
    scene.only = True
    scene.composing.add([message(n) for n in range(1, 20 * BATCH)])
    assert len(scene.pool.asked) == scene.pool.size * 3
    back = scene.composing.take_back()
    assert len(back) == 20 * BATCH - 1 - scene.pool.size * 3 * BATCH
    scene.run()
    assert len(scene.composed) == scene.pool.size * 3 * BATCH
    assert scene.composing.take_back() == []


@given(
    st.lists(st.integers(1, 2), max_size=80),
    st.sets(st.integers(0, 79), max_size=6),
    st.sets(st.integers(0, 79), max_size=6),
    st.sets(st.integers(0, 79), max_size=6),
)
def test_each_message_comes_back_exactly_once(campaigns, poison, bad, endless):
    clock = Clock()

    def answer(job, done):
        if any(row[1] in poison for row in job[2]):
            done.errback(WorkerDiedError("gone"))
        else:
            done.callback([(r[0], None if r[1] in bad else b"m", "s@me.example", "bad") for r in job[2]])

    def ask(job, deadline, **_):
        done = Deferred(lambda done: done.errback(WorkerLateError("late")))
        if any(row[1] in endless for row in job[2]):
            clock.callLater(deadline, lambda: done.called or done.cancel())
        else:
            clock.callLater(0.01, answer, job, done)
        return done

    alone = types.SimpleNamespace(ask=ask, close=lambda: None)
    composed, spoilt, back, paused, waiting = [], [], [], [], []

    def pause(run, _reason, some):
        run.holds = Holds([Hold(run.id, "fault", "endless", 0.0)])
        paused.extend(some)

    def clear(run):
        if run.paused:
            return
        some, waiting[:] = waiting[:], []
        composing.add(some)

    held = types.SimpleNamespace(doubt=lambda _, some: waiting.extend(some), pause=pause, clear=clear)
    held.alone = lambda _: False
    receiver = types.SimpleNamespace(
        composed=composed.append, unrenderable=lambda one, _: spoilt.append(one), not_composed=back.extend
    )
    pool = types.SimpleNamespace(size=2, ask=ask, alone=lambda: alone)
    composing = Composing(clock, pool, receiver=receiver, withholding=held)
    runs = {n: Run(n, f"c{n}", "/c", {}, "retry", 0.0) for n in (1, 2)}
    messages = [message(n, campaign, runs) for n, campaign in enumerate(campaigns)]
    composing.add(messages)
    clock.pump([0.01] * 100 + [1.0] * 500)
    assert back == []
    numbers = set(range(len(messages)))
    assert {one.claimed.number for one in [*spoilt, *paused]} >= (poison | bad | endless) & numbers - {
        one.claimed.number for one in paused
    }
    assert {one.claimed.number for one in spoilt} <= poison | bad | endless
    assert sorted(one.claimed.number for one in [*composed, *spoilt, *paused]) == sorted(numbers)
    assert paused == [] or len(endless) > 2


def test_a_row_whose_worker_somebody_killed_is_tried_again_but_not_for_ever(scene):
    """The system was short of memory, or an operator had enough of a process: that need not be the row's doing."""
    handle = scene.pool.handle

    def killed(job):
        raise WorkerDiedError("the worker ended: signal 9", killed=True)

    scene.pool.handle = killed
    one, two = message(1), message(2)
    for times in range(1, 5):
        scene.composing.add([one, two])
        scene.run()
        assert (scene.back, scene.spoilt) == ([one, two] * times, {})
    scene.pool.handle = lambda job: killed(job) if any(row[1] == 2 for row in job[2]) else handle(job)
    scene.composing.add([one, two])
    scene.run()
    assert scene.composed == [one]
    assert "signal 9" in scene.spoilt[two]
    scene.pool.handle = killed
    scene.composing.add([one])
    scene.run()
    assert scene.back[-1] is one, "it was innocent, and is not counted from before"


@pytest.mark.parametrize("when", ["it waits", "a worker has it", "its rows are tried one by one"])
def test_a_run_that_is_left_to_others_is_given_back_and_not_judged(scene, when):
    """The workers have forgotten the campaign by then: what they say of it is nothing about its rows."""

    def forgotten(job):
        asked.append(job)
        if len(asked) == (2 if "one by one" in when else 1):
            run.over = True
        raise WorkerFailedError("LookupError: campaign 1 is not loaded in this worker")

    asked, run = [], Run(1, "c1", "/c", {}, "retry", 0.0)
    messages = [message(n) for n in range(1, 4)]
    for one in messages:
        one.run = run
    run.over = when == "it waits"
    scene.pool.handle = forgotten
    scene.composing.add(messages)
    scene.run()
    assert (scene.back, scene.spoilt, scene.composed) == (messages, {}, [])


@pytest.fixture
def runs(monkeypatch):
    """Campaigns of this test alone: it pauses them."""
    made = {n: Run(n, f"c{n}", "/c", {}, "retry", 0.0) for n in (1, 2)}
    monkeypatch.setitem(RUNS, 1, made[1])
    monkeypatch.setitem(RUNS, 2, made[2])
    return made


def until(scene, condition, seconds):
    """Let time pass until ``condition()``; how many seconds it took."""
    began = scene.clock.seconds()
    while not condition():
        assert scene.clock.seconds() < began + seconds, "in time"
        scene.clock.advance(0.1)
    return scene.clock.seconds() - began


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("later", [0.0, 2.0, 40.0, 100.0, 200.0])
def test_a_campaign_whose_rows_never_come_back_holds_up_no_other_and_is_paused(scene, runs, size, later):
    scene.pool.size = size
    scene.pool.endless_campaigns = {1}
    held = [message(n) for n in range(1, 1001)]
    scene.composing.add(held)
    scene.clock.pump([0.1] * round(later * 10))
    for _ in range(5):
        some = [message(n, 2) for n in range(1, 41)]
        scene.composing.add(some)
        before = len(scene.composed)
        took = until(scene, lambda n=before: len(scene.composed) == n + 40, 10)
        assert took < 6.0
    until(scene, lambda: scene.paused, 130)
    ((name, reason),) = scene.paused
    assert name == "c1"
    assert "the template does not come to an end: 3 rows in a row" in reason
    assert "row 3" in reason
    assert sorted(one.claimed.number for one in scene.back) == list(range(1, 1001)), (
        "all are given back, none is charged"
    )
    assert scene.spoilt == {}
    assert all(one.run is runs[2] for one in scene.composed)
    assert scene.pool.open == []
    assert len(scene.pool.asked_alone) <= 3 + 40, "one at a time"


def test_suspects_of_a_campaign_are_composed_one_at_a_time(scene, runs):
    scene.pool.endless_campaigns = {1, 2}
    scene.composing.add([message(n) for n in range(1, 100)] + [message(n, 2) for n in range(1, 100)])
    until(scene, lambda: scene.pool.open, 40)
    while scene.pool.open:
        assert len(scene.pool.open) <= 2
        scene.clock.advance(0.5)
    assert sorted(name for name, _ in scene.paused) == ["c1", "c2"]


def test_two_rows_that_never_come_back_cost_themselves_only(scene, runs):
    scene.only = True
    scene.pool.endless = {3, 4, 30, 31}
    messages = [message(n) for n in range(1, 101)]
    scene.composing.add(messages)
    until(scene, lambda: len(scene.composed) + len(scene.spoilt) == 100, 600)
    assert {one.claimed.number for one in scene.spoilt} == {3, 4, 30, 31}
    assert all("did not come to an end within 30 s" in reason for reason in scene.spoilt.values())
    assert scene.paused == []
    assert scene.back == []


def test_three_that_come_one_at_a_time_pause_it_too(scene, runs):
    scene.pool.endless_campaigns = {1}
    for number in (1, 2, 3):
        scene.composing.add([message(number)])
        scene.clock.pump([1.0] * 70)
    assert [one.claimed.number for one in scene.spoilt] == [1, 2]
    assert [one.claimed.number for one in scene.back] == [3]
    assert len(scene.paused) == 1


def test_what_is_late_is_taken_back_at_a_stop(scene, runs):
    scene.pool.endless_campaigns = {1}
    messages = [message(n) for n in range(1, 65)]
    scene.composing.add(messages)
    until(scene, lambda: len(scene.pool.asked_alone) == 2, 120)
    back = scene.composing.take_back()
    scene.clock.pump([1.0] * 40)
    assert sorted(one.claimed.number for one in [*back, *scene.back]) == list(range(1, 65))
    assert scene.spoilt == {}


# slow ones


class SlowPool:
    """Two workers, each one job after the other. ``seconds``: what a row of a campaign takes."""

    size = 2

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds
        self.free_at, self.loads, self.batches = [0.0, 0.0], [0.0, 0.0], []

    def ask(self, job, deadline, *, load, worked, apart):
        at = 0 if apart else min((0, 1), key=lambda n: self.loads[n])
        took = self.seconds[job[1]] * len(job[2])
        began = max(self.clock.seconds(), self.free_at[at])
        self.free_at[at] = began + took
        self.loads[at] += load
        self.batches.append((job[1], len(job[2])))
        done = Deferred()
        self.clock.callLater(self.free_at[at] - self.clock.seconds(), self._answer, at, load, worked, took, job, done)
        return done

    def _answer(self, at, load, worked, took, job, done):
        self.loads[at] -= load
        worked(took)
        done.callback([(row[0], b"m", "s@me.example", None) for row in job[2]])


def slow_scene(scene, seconds, runs):
    pool = SlowPool(scene.clock, seconds)
    receiver = types.SimpleNamespace(
        composed=scene.composed.append, unrenderable=scene.spoil, not_composed=scene.back.extend
    )
    scene.composing = Composing(scene.clock, pool, receiver=receiver, withholding=scene)
    return pool, runs


def test_a_slow_campaign_takes_no_place_from_a_fast_one(scene, runs):
    """200 rows of 5 ms take half a second of two workers; beside the slow one they have one of them for themselves."""
    pool, _ = slow_scene(scene, {1: 0.7, 2: 0.005}, runs)
    scene.composing.add([message(n, 2) for n in range(1, 17)])
    scene.clock.pump([0.01] * 20)
    scene.composing.add([message(n, 1) for n in range(1, 500)])
    scene.clock.pump([0.05] * 400)
    slow = sum(one.run is runs[1] for one in scene.composed)
    assert slow >= 20, "it goes on meanwhile"
    assert {rows for run, rows in pool.batches[-5:] if run == 1} == {1}, "in batches that are soon over"
    for _ in range(3):
        before, began = len(scene.composed), scene.clock.seconds()
        scene.composing.add([message(n, 2) for n in range(1, 201)])
        while sum(one.run is runs[2] for one in scene.composed[before:]) < 200:
            scene.clock.advance(0.01)
        assert scene.clock.seconds() - began < 1.3, "one worker takes 1 s for them"


def test_workers_time_is_shared_by_weight_and_not_rows(scene, runs):
    runs[2].content = {"priority": "low"}
    slow_scene(scene, {1: 0.01, 2: 0.03}, runs)
    scene.composing.add([message(n, campaign) for campaign in (1, 2) for n in range(1, 4001)])
    scene.clock.pump([0.1] * 200)
    spent = [sum(one.run is runs[n] for one in scene.composed) * seconds for n, seconds in ((1, 0.01), (2, 0.03))]
    assert spent[0] / spent[1] == pytest.approx(3, rel=0.15)
    assert sum(spent) == pytest.approx(40, rel=0.05), "and no worker is ever idle"


def test_two_slow_campaigns_use_all_workers(scene, runs):
    pool, _ = slow_scene(scene, {1: 0.2, 2: 0.2}, runs)
    scene.composing.add([message(n, campaign) for campaign in (1, 2) for n in range(1, 1000)])
    scene.clock.pump([0.1] * 300)
    assert len(scene.composed) * 0.2 == pytest.approx(2 * 30, rel=0.2)
    assert min(pool.free_at) >= 29


def test_what_stood_behind_a_batch_that_killed_its_worker_is_not_suspected(scene, runs):
    """A second campaign's batch waited in the same worker; it is composed, not looked at row by row."""
    scene.only = True
    asked = []

    def ask(job, deadline, **_):
        done = Deferred()
        asked.append((job[1], done))
        return done

    scene.pool.ask = ask
    scene.composing.add([message(n, 1) for n in range(1, 17)] + [message(n, 2) for n in range(1, 17)])
    (first, guilty), (second, behind) = asked
    assert (first, second) == (1, 2)
    guilty.errback(WorkerDiedError("ended: signal 11"))
    behind.errback(WorkerDiedError("ended: signal 11", begun=False))
    assert [run for run, _ in asked] == [1, 2, 2]
    asked[-1][1].callback([(n, b"m", "s@me.example", None) for n in range(16)])
    assert len(scene.composed) == 16
    scene.clock.pump([0.1] * 30)
    assert {job[1] for job in scene.pool.asked_alone} == {1}
    assert scene.spoilt == {}
