"""Schedules over a world in memory: the spool is real, the connections and the clock are the test's."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from bulkmail.campaign import ScheduleKeys
from bulkmail.delivery.lifecycle.scheduling import Scheduling
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.settings import Retry, Settings

HOUR, DAY = 3600.0, 86400.0


class Scene:
    """``rows``: domain -> how many. ``keys``: of the schedule, instants in seconds from the beginning of the test."""

    def __init__(self, world, rows, each=1.0, **keys):
        self.one = one = world()
        one.farm.obliging()
        self.began, self.each = one.wall(), each
        for key in ("not_before", "not_after"):
            if key in keys:
                keys[key] += self.began
        plain = {**ScheduleKeys().plain(), "zone": "UTC", **keys}
        self.told = one.campaign(rows, run=False)
        self.told.content = {**self.told.content, "schedule": plain, "columns": [["email", "tz"]]}
        self.steering = self.scheduling = None
        self.open_again()

    def open_again(self):
        """A process takes up the campaign."""
        one = self.one
        changed = lambda _: None  # noqa: E731
        self.steering = Steering(spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers=(), changed=changed)
        self.scheduling = Scheduling(
            reactor=one.clock,
            spool=one.spool,
            feeder=one.feeder,
            clocks=one.clocks,
            steering=self.steering,
            changed=changed,
        )
        self.ask(self.scheduling.begin(self.told))
        one.feeder.runs[self.told.id] = self.told
        each_second = LoopingCall(self.scheduling.look)
        each_second.clock = one.clock
        each_second.start(self.each, now=False)
        one.start()

    def ask(self, work):
        got = []
        Deferred.fromCoroutine(work).addBoth(got.append)
        self.one.until(lambda: got, 10)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()

    def left(self):
        """When each message left, in seconds from the beginning."""
        self.one.statuses(self.told)
        return sorted(s.attempt.at - self.began for s in self.one.spool.settlements if s.attempt is not None)


@pytest.fixture
def scene(world):
    return lambda rows, **keys: Scene(world, rows, **keys)


def test_nothing_leaves_before_its_time_and_it_waits_with_one_timer(scene):
    it = scene({"a.example": 50}, not_before=100.0)
    assert it.told.paused == "waiting for its schedule: it waits until Tue 2023-11-14 22:15 UTC"
    assert it.told.holds.whole
    assert len(it.one.clock.getDelayedCalls()) <= 4, "the steering's and the scheduling's; the test's; an idle scan"
    it.one.run(99.9)
    assert it.left() == []
    it.one.run(5.0)
    left = it.left()
    assert len(left) == 50
    assert 100.0 <= left[0] < 100.5
    assert it.told.paused == ""


def test_a_window_that_closes_stops_within_a_second_and_the_next_one_goes_on(scene):
    it = scene({"a.example": 1000}, each=30.0, hours=[[22 * 60 + 14, 22 * 60 + 15]], rate=[10, 1.0, 10])
    it.one.run(70.0)
    assert it.left()
    it.one.run(600.0)
    during = it.left()
    assert 40.0 <= min(during) < 41.0
    assert 98.0 <= max(during) <= 101.0
    assert it.one.feeder.held == 0
    it.one.run(DAY)
    later = [at for at in it.left() if at > 200.0]
    assert DAY + 40.0 <= min(later) < DAY + 41.0
    assert max(later) <= DAY + 101.0


def test_no_retry_clock_runs_while_it_is_closed(world):
    one = world(settings=Settings(retry=Retry(schedule=("10s",), expire_after="60s")))
    it = Scene(lambda: one, {"a.example": 1}, 60.0, hours=[[22 * 60 + 13, 22 * 60 + 14]])
    one.farm.obliging(451)
    one.run(DAY - 20.0)
    during = it.left()
    assert 2 <= len(during) <= 5
    assert one.statuses(it.told) == {"deferred": 1}
    one.run(200.0)
    assert len(it.left()) > len(during), "it was tried again on the next day"
    assert one.statuses(it.told) == {"expired": 1}


def test_what_was_not_sent_in_time_expires_and_what_may_have_arrived_is_unknown(scene):
    it = scene({"a.example": 40, "b.example": 20}, not_after=20.0, rate=[1, 1.0, 1])
    it.one.run(30.0)
    statuses = it.one.statuses(it.told)
    assert 15 <= statuses["delivered"] <= 21
    assert statuses == {"delivered": statuses["delivered"], "expired": 60 - statuses["delivered"]}
    assert it.told.complete
    assert max(it.left()) < 21.0
    assert it.told.by_category == {"schedule": 60 - statuses["delivered"]}
    [note] = it.one.store.database._connection.execute("SELECT DISTINCT note FROM outcome WHERE note <> ''").fetchone()
    assert note.startswith("not delivered by schedule.not_after, ")


def test_a_process_that_comes_too_late_expires_all(scene):
    it = scene({"a.example": 5}, not_after=-1.0)
    it.one.run(5.0)
    assert it.one.statuses(it.told) == {"expired": 5}
    assert it.left() == []


def test_the_rate_of_the_campaign_is_one_for_all_lanes(scene):
    it = scene({f"{n}.example": 10 for n in range(20)}, rate=[2, 1.0, 1])
    it.one.run(50.0)
    left = it.left()
    assert 90 <= len(left) <= 101
    assert all(len([at for at in left if second <= at < second + 10]) <= 22 for second in range(40))
    it.one.run(60.0)
    assert it.one.statuses(it.told) == {"delivered": 200}


def test_another_campaign_does_not_wait_for_one_with_a_rate(scene):
    it = scene({"a.example": 1000}, rate=[1, 1.0, 1])
    other = it.one.campaign({"a.example": 500}, "other")
    it.one.run(20.0)
    assert it.one.statuses(other) == {"delivered": 500}
    assert it.one.statuses(it.told)["delivered"] <= 21


def test_a_day_has_so_many_messages_and_a_restart_forgets_none(scene):
    it = scene({"a.example": 25}, each=60.0, per_day=10)
    it.one.run(65.0)
    assert len(it.left()) == 10
    assert "10 messages were sent today, which is all of `per_day`; it waits until" in it.told.paused
    it.scheduling.close()
    del it.one.feeder.runs[it.told.id]
    it.told.allowance = None
    it.open_again()
    it.one.run(100.0)
    assert len(it.left()) == 10
    it.one.run(2 * DAY + HOUR)
    assert it.one.statuses(it.told) == {"delivered": 25}
    days = [int((it.began + at) // DAY) for at in it.left()]
    assert sorted(Counter(days).values()) == [5, 10, 10]


def test_rows_wait_for_the_window_of_their_own_zone(world):
    one = world()
    one.farm.obliging()
    it = Scene(lambda: one, {"a.example": 0}, 60.0, hours=[[0, 60]], column="tz")
    offsets = {"Etc/GMT-2": 2, "Etc/GMT+3": -3, "": 0, "nowhere": 0}
    rows = [
        (n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example", zone]), "ok", "")
        for n, zone in enumerate([zone for zone in offsets for _ in range(30)], 1)
    ]
    one.store.add_rows(it.told.id, rows, {}, True, 0.0)
    it.told.input_rows = len(rows)
    one.feeder.rescan()
    one.run(1.2 * DAY)
    assert one.statuses(it.told) == {"delivered": 120}
    for settlement in one.spool.settlements:
        zone = rows[(settlement.recipient_id & 0xFFFFFF) - 1][5].split('"')[3]
        hour = (settlement.attempt.at + offsets[zone] * HOUR) % DAY / HOUR
        assert hour < 1.0, f"{zone or 'the default'}: {hour}"


def test_a_schedule_that_was_taken_away_holds_no_longer(scene):
    it = scene({"a.example": 5}, not_before=5000.0)
    it.one.run(5.0)
    it.scheduling.close()
    del it.one.feeder.runs[it.told.id]
    it.told.content = {**it.told.content, "schedule": None}
    it.open_again()
    it.one.run(5.0)
    assert it.one.statuses(it.told) == {"delivered": 5}
