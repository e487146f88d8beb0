"""The stop of a process that sends a campaign."""

from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault
from tests.delivery.lifecycle.test_campaigns import Scene


@pytest.fixture
def scene(world, monkeypatch, folder):
    return lambda **options: Scene(world, monkeypatch, folder, **options)


def test_stopping_settles_everything_and_says_that_rows_remain(scene):
    one = scene()
    one.one.farm.connects = True
    one.one.farm.answers = lambda connection: one.one.clock.callLater(2.0, connection.answer, 250)
    one.send()
    one.one.until(lambda: one.one.feeder.open_queues.in_flight, 10)
    flying = one.one.feeder.open_queues.in_flight
    one.stop()
    assert one.until_over() == 3
    assert one.stopped == [None]
    name, state, status, counts = one.reporting.finished[0]
    assert (state, status) == ("stopped", 3)
    assert counts["delivered"] == flying, "what was in flight finished"
    assert counts["pending"] == one.row().input_rows - flying
    assert (one.row().state, one.row().exit_status, name) == ("stopped", 3, "spring")
    one.one.check_empty()
    assert one.imports[0].stopped


def test_what_does_not_finish_in_time_is_cut(scene):
    one = scene()
    one.one.farm.connects = True
    one.one.farm.answers = lambda connection: connection.dot()
    one.send()
    one.one.until(lambda: one.one.feeder.open_queues.in_flight, 10)
    began = one.one.clock.seconds()
    one.stop()
    assert one.until_over() == 3
    assert 5.0 <= one.one.clock.seconds() - began < 7.0
    assert one.reporting.finished[0][3]["deferred"] >= 1
    assert {attempt[2] for attempt in one.one.attempts()} == {"unknown"}


def test_a_second_signal_does_not_wait(scene):
    one = scene()
    one.one.farm.connects = True
    one.one.farm.answers = lambda _: None
    one.send()
    one.one.until(lambda: one.one.feeder.open_queues.in_flight, 10)
    one.stop()
    one.one.run(0.5)
    one.stopping.hurry()
    began = one.one.clock.seconds()
    assert one.until_over() == 3
    assert one.one.clock.seconds() - began < 1.0


def test_a_stop_while_the_list_is_being_opened_ends_it(scene):
    """Nobody would tell a campaign that begins after the stop that it is over."""
    one = scene()
    one.open_takes = 10.0
    one.send()
    one.one.run(1)
    one.stop()
    assert one.until_over() == 3
    assert one.row().state == "stopped"
    assert one.one.farm.made == []


def test_stopping_twice_is_stopping_once(scene):
    one = scene()
    one.send()
    one.one.run(1)
    one.stop()
    first = one.stopped
    one.stop()
    one.one.run(5)
    assert (first, one.stopped) == ([None], [None])
    assert len(one.reporting.finished) == 1


def test_with_a_full_disk_it_can_be_stopped_all_the_same(scene):
    """Outcomes that cannot be stored are in the journal; waiting for the disk would need a kill -9."""
    one = scene()
    one.one.farm.obliging()
    one.one.farm.answers = lambda connection: one.one.clock.callLater(1.0, connection.answer, 250)
    one.send()
    one.one.until(lambda: one.one.feeder.open_queues.in_flight, 10)
    one.one.disk.fault = OwnFault("the disk is full")
    one.one.run(3)
    one.stop()
    assert one.until_over(30) == 3
    assert one.one.journal.replies
