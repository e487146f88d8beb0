from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from bulkmail.delivery.composing import BATCH, Composing
from bulkmail.delivery.message import Message, Queue
from bulkmail.delivery.run import Run
from bulkmail.spool import Claimed
from bulkmail.workers import WorkerDiedError, WorkerFailedError

RUNS = {n: Run(n, f"c{n}", "/c", {}, "retry", 0.0) for n in (1, 2)}


def message(number, campaign=1):
    identity = campaign << 40 | number
    claimed = Claimed(identity, campaign, 1, f"u{number}@x.example", "[]", 0, 0, 0.0, 1000.0, "pending", "", "")
    return Message(claimed, Queue(1, RUNS[campaign], "x.example"), RUNS[campaign], None)


class Scene:
    def __init__(self, kit):
        self.clock = Clock()
        self.pool = kit.FakePool(self.clock)
        self.composing = Composing(self.pool)
        self.composed, self.spoilt, self.back = [], {}, []
        self.composing.start(self.composed.append, self.spoil, self.back.extend)

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
    # first the batch by itself, then its rows; the other batches were never suspected
    assert len(scene.pool.alone) == 1 + BATCH


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


def test_a_batch_is_of_one_campaign(scene):
    scene.composing.add([message(1), message(2), message(1, 2), message(3)])
    scene.run()
    assert [(job[1], len(job[2])) for job in scene.pool.asked] == [(1, 2), (2, 1), (1, 1)]


def test_workers_are_kept_busy_and_no_more(scene):
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
)
def test_each_message_comes_back_exactly_once(campaigns, poison, bad):
    import types

    from twisted.internet.defer import Deferred

    from bulkmail.workers import WorkerDiedError

    clock = Clock()

    def answer(job, done):
        if any(row[1] in poison for row in job[2]):
            done.errback(WorkerDiedError("gone"))
        else:
            done.callback([(r[0], None if r[1] in bad else b"m", "s@me.example", "bad") for r in job[2]])

    def ask(job, deadline):
        done = Deferred()
        clock.callLater(0.01, answer, job, done)
        return done

    composing = Composing(types.SimpleNamespace(size=2, ask=ask, ask_alone=ask))
    composed, spoilt, back = [], [], []
    composing.start(composed.append, lambda one, _: spoilt.append(one), back.extend)
    messages = [message(n, campaign) for n, campaign in enumerate(campaigns)]
    composing.add(messages)
    clock.pump([0.01] * 300)
    assert back == []
    numbers = set(range(len(messages)))
    assert {one.claimed.number for one in spoilt} == (poison | bad) & numbers
    assert sorted(one.claimed.number for one in [*composed, *spoilt]) == sorted(numbers)


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
        if len(asked) == (3 if "one by one" in when else 1):
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
