from __future__ import annotations

import pytest

from bulkmail.delivery.pause import RelayPause
from bulkmail.mail import OwnFault


@pytest.fixture
def one(world):
    return world()


def test_a_fault_pauses_for_five_seconds_and_is_told_once(one, monkeypatch):
    told = []
    monkeypatch.setattr("bulkmail.delivery.pause._log.error", lambda _, **facts: told.append(facts["text"]))
    one.pause.own_fault("disk full")
    one.pause.own_fault("disk full")
    assert one.pause.paused
    one.run(4.9)
    assert one.pause.paused
    one.run(0.2)
    assert not one.pause.paused
    one.pause.own_fault("disk full")
    assert told == ["disk full"]
    one.run(6)
    one.pause.own_fault("no route out")
    assert told == ["disk full", "no route out"]


def test_the_time_of_a_pause_is_charged_to_nobody(one):
    one.pause.own_fault("disk full")
    one.run(3)
    one.pause.own_fault("another")
    one.run(7)
    assert one.pause.uncharged.since(0) == pytest.approx(5.0)
    one.pause.own_fault("again")
    one.run(7)
    assert one.pause.uncharged.since(0) == pytest.approx(10.0)


def test_nothing_is_sent_in_a_pause_and_all_of_it_after(one):
    one.farm.obliging()
    run = one.campaign({"a.example": 50})
    one.start()
    one.until(lambda: one.farm.sent, 5)
    one.pause.own_fault("no route out")
    sent = len(one.farm.sent)
    one.run(4.5)
    assert len(one.farm.sent) == sent
    one.until(lambda: run.complete, 60)
    assert {attempt[1] for attempt in one.attempts()} == {1}


def test_all_is_well_again_once_a_receiver_answered(one):
    one.farm.obliging()
    one.pause.own_fault("no route out")
    run = one.campaign({"a.example": 1})
    one.run(4.9)
    assert one.pause.fault == "no route out"
    one.send(30)
    assert run.complete
    assert one.pause.fault == ""


def test_a_fault_is_told_while_it_is_met_and_not_for_ever_where_nothing_is_sent(one):
    began = one.clocks.wall()
    one.pause.own_fault("disk full")
    assert (one.pause.recent_fault, one.pause.fault_since) == ("disk full", began)
    one.run(5.1)
    one.pause.own_fault("disk full")
    assert one.pause.fault_since == began
    one.run(5.1)
    assert not one.pause.paused
    assert one.pause.recent_fault == "disk full"
    one.run(20)
    assert one.pause.recent_fault == ""


def test_each_subscriber_hears_of_the_end_of_each_pause(one):
    told = []
    one.pause.on_resume(lambda: told.append(("a", one.pause.paused)))
    one.pause.on_resume(lambda: told.append(("b", one.pause.paused)))
    one.pause.own_fault("disk full")
    one.run(5.1)
    assert told == [("a", False), ("b", False)]


@pytest.mark.parametrize(("seconds", "uncharged"), [(3600.0, 3600.0), (-3600.0, 0.0)])
def test_what_a_clock_was_set_forward_is_charged_to_no_recipient(one, seconds, uncharged):
    one.pause.clock_was_set(seconds)
    assert one.pause.uncharged.since(0) == uncharged


def test_what_waits_for_the_relay_of_a_route_waits_alone(one, monkeypatch):
    told, woken = [], []
    monkeypatch.setattr("bulkmail.delivery.pause._log.error", lambda words, **facts: told.append(words.format(**facts)))
    pause = RelayPause(one.pause, one.clocks)
    one.pause.on_resume(lambda: woken.append(one.clock.seconds()))
    pause.relay_fault("it refuses us", 7.0, "in 7 s")
    assert (pause.paused, one.pause.paused) == (True, False)
    assert told == ["sending through the relay of a route is paused: it refuses us; it is tried again in 7 s"]
    one.run(7.0)
    assert (pause.paused, woken) == (False, [7.0])
    assert (pause.uncharged.since(0), one.pause.uncharged.since(0)) == (pytest.approx(7.0), 0.0)
    pause.own_fault("disk full")
    assert (pause.paused, one.pause.paused, one.pause.fault) == (True, True, "disk full")
    one.run(5.1)
    assert not pause.paused
    assert pause.uncharged.since(0) == pytest.approx(12.0)
    pause.server_answered()
    assert (pause.fault, one.pause.fault) == ("", "disk full")


def test_a_fault_of_the_disk_that_is_over_pauses_once(world):
    """The outcomes are stored before sending goes on: else its first claim would meet the old fault."""
    one = world()
    told, own_fault = [], one.pause.own_fault
    one.pause.own_fault = lambda text: (told.append(one.clock.seconds()), own_fault(text))
    run = one.campaign({"a.example": 300})
    one.farm.obliging()
    one.start()
    one.until(lambda: one.farm.sent, 10)
    one.disk.fault = OwnFault("the disk is full")
    one.until(lambda: one.spool.fault, 10)
    one.run(1.0)
    one.disk.fault, one.disk.delay = None, 0.2
    one.until(lambda: run.complete, 60)
    assert max(told) - min(told) < 5.0
