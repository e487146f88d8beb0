from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from bulkmail.delivery.background import Once, Wakeup, background, until

TIMES = st.floats(0, 10, allow_nan=False).map(lambda x: round(x, 3))


def test_a_failure_nobody_awaits_is_logged_with_what_it_was_doing():
    heard = []
    globalLogPublisher.addObserver(heard.append)
    waited = Deferred()

    async def task():
        await waited
        raise OSError("no such luck")

    try:
        done = background(task(), "counting sheep")
        assert not heard
        waited.callback(None)
    finally:
        globalLogPublisher.removeObserver(heard.append)
    assert done.called
    (event,) = [event for event in heard if "log_failure" in event]
    assert event["what"] == "counting sheep"
    assert "no such luck" in event["log_failure"].getErrorMessage()


def test_what_nobody_tells_of_is_waited_for():
    clock, over, got = Clock(), [], []
    Deferred.fromCoroutine(until(clock, lambda: over)).addCallback(got.append)
    clock.pump([0.05] * 20)
    assert not got
    over.append(True)
    clock.advance(0.05)
    assert got == [None]
    assert not clock.getDelayedCalls()
    Deferred.fromCoroutine(until(clock, lambda: True)).addCallback(got.append)
    assert got == [None, None]


def test_a_fault_that_repeats_is_logged_once():
    heard = []
    failed = Once(lambda line, **fields: heard.append(line.format(**fields)))
    failed("no disk")
    failed("no disk")
    failed("no memory", "{campaign}: {text}", campaign="spring")
    failed("no disk")
    assert heard == ["no disk", "spring: no memory", "no disk"]


def test_many_wishes_are_one_run_in_a_later_turn():
    clock, runs = Clock(), []
    wakeup = Wakeup(clock, lambda: runs.append(clock.seconds()))
    wakeup.now()
    wakeup.now()
    assert runs == []
    clock.advance(0)
    assert runs == [0.0]
    clock.advance(10)
    assert runs == [0.0]


def test_a_wish_during_the_run_is_kept():
    clock, runs = Clock(), []

    def run():
        runs.append(clock.seconds())
        if len(runs) < 3:
            wakeup.now()

    wakeup = Wakeup(clock, run)
    wakeup.now()
    clock.advance(0)
    assert len(runs) == 3


def test_a_run_that_fails_does_not_keep_the_next_wish_from_being_heard():
    clock, runs = Clock(), []

    def run():
        runs.append(1)
        raise ZeroDivisionError

    wakeup = Wakeup(clock, run)
    for _ in range(2):
        wakeup.now()
        try:
            clock.advance(0)
        except ZeroDivisionError:
            continue
    assert len(runs) == 2


def test_the_earliest_wish_wins_and_cancel_forgets():
    clock, runs = Clock(), []
    wakeup = Wakeup(clock, lambda: runs.append(clock.seconds()))
    wakeup.at(5.0)
    wakeup.at(2.0)
    wakeup.at(9.0)
    clock.pump([1.0] * 10)
    assert runs == [2.0]
    wakeup.at(20.0)
    wakeup.cancel()
    wakeup.cancel()
    clock.advance(30)
    assert runs == [2.0]


@given(st.lists(st.tuples(TIMES, st.sampled_from(["now", "at"]), TIMES), max_size=12))
def test_no_wake_up_is_lost(wishes):
    """After each wish there is a run no later than it asked for, and never two in one wish's name."""
    clock, runs, wanted = Clock(), [], []
    wakeup = Wakeup(clock, lambda: runs.append(clock.seconds()))

    def wish(kind, when):
        wanted.append((clock.seconds(), clock.seconds() if kind == "now" else max(when, clock.seconds())))
        wakeup.now() if kind == "now" else wakeup.at(when)

    for at, kind, when in wishes:
        clock.callLater(at, wish, kind, when)
    clock.pump([0.001] * 3 + [0.25] * 90)
    for asked, by in wanted:
        assert any(asked <= ran <= by + 0.251 for ran in runs), (asked, by, runs)
    assert len(runs) <= len(wanted)
