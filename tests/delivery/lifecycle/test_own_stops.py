"""Campaigns that stop by themselves: behind the first attempts, for a list or a template that is wrong."""

from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.workers import WorkerDiedError
from tests.delivery.lifecycle.test_campaigns import Scene


@pytest.fixture
def scene(world, monkeypatch, folder):
    return lambda **options: Scene(world, monkeypatch, folder, **options)


def test_once_ends_after_everybodys_first_attempt(scene):
    one = scene(once=True)
    one.one.farm.connects = True
    one.one.farm.answers = 451
    one.send()
    assert one.until_over(30) == 3
    assert one.reporting.finished[0][3]["deferred"] == 20
    assert {attempt[1] for attempt in one.one.attempts()} == {1}


def test_once_all_are_final_is_a_success(scene):
    one = scene(once=True)
    one.one.farm.obliging()
    one.send()
    assert one.until_over(30) == 0


@pytest.mark.parametrize(
    "trouble",
    [
        Refused([Problem("r.csv", 9, 0, "the part already read has changed")]),
        OwnFault("no room left"),
        WorkerDiedError("the ingest process ended: signal 9"),
        ValueError("rows 5 to 9 do not follow on row 3"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_list_that_cannot_be_read_to_its_end_stops_the_campaign_after_what_was_read(scene, trouble):
    one = scene()
    one.broken = trouble
    one.one.farm.obliging()
    one.send()
    assert one.until_over(60) == 3
    assert one.reporting.finished[0][3]["delivered"] == 10
    assert (one.row().state, one.row().exit_status) == ("stopped", 3)


def test_a_campaign_that_does_not_come_to_an_end_pauses_itself_and_charges_nobody(scene):
    one = scene()
    one.one.farm.obliging()
    one.one.pool.endless_campaigns = {1}
    one.send()
    assert one.until_over(200) == 3
    assert one.one.farm.sent == []
    assert (one.row().state, one.row().exit_status) == ("stopped", 3)
    (finished,) = one.reporting.finished
    assert finished[1] == "stopped"
    assert "the template does not come to an end" in one.sending.withholding.reason("spring")
    assert one.imports[0].stopped
    store = one.one.store
    assert store.totals(1) == {("", "pending", ""): 20}
    assert store.attempts_after(1, 0) == 0

    # the service is started again with another template
    one.one.pool.endless_campaigns, one.rows = set(), []
    one.send(accept_changes=True)
    assert one.until_over() == 0
    assert one.sending.withholding.reason("spring") == ""
    assert store.totals(1) == {("", "delivered", ""): 20}


def test_a_pause_waits_for_what_is_in_flight(scene):
    one = scene()
    one.rows = ["a.example"] * 100
    one.one.farm.connects = True
    one.one.farm.answers = lambda connection: connection.dot()
    one.send()
    one.one.until(lambda: one.one.feeder.open_queues.in_flight, 10)
    (run,) = one.one.feeder.runs.values()
    one.sending.withholding.pause(run, "for a test", [])
    one.one.run(2.0)
    assert not one.results
    assert not one.one.feeder.open_queues.queues
    assert one.one.feeder.held == one.one.feeder.open_queues.in_flight, "what was ready went back"
    one.one.run(8.0)
    assert one.results == [3], "and not for ever"
