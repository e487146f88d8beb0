from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.guard import Guard
from bulkmail.delivery.holds import Holds
from bulkmail.delivery.lifecycle.progress import Progress, figures_in_words
from bulkmail.delivery.run import Run
from bulkmail.shaping import StopRules
from bulkmail.spool import Hold, LateCounts

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
REST = "The rest for other receivers follows once the first messages there are answered"


class Scene:
    def __init__(self):
        self.pause = SimpleNamespace(recent_fault="", fault_since=None)
        self.feeder = SimpleNamespace(lanes={}, held=0)
        self.progress = Progress(self.pause, self.feeder, SimpleNamespace(wall=lambda: NOW, now=lambda: 100.0))
        self.run = Run(1, "spring", "/c", {}, "retry", 0.0, input_rows=1000, import_done=True)

    def line(self, now=0.0):
        return self.progress.line(self.run, now)

    def count(self, **counts):
        for status, count in counts.items():
            self.run.add_to_totals({("", status, ""): count})


@pytest.fixture
def scene():
    return Scene()


def test_a_line_says_how_far_it_is(scene):
    scene.feeder.held = 5
    scene.feeder.lanes = {
        name: SimpleNamespace(held=held, site=SimpleNamespace(name=name)) for name, held in {"a": 1, "b": 4}.items()
    }
    scene.count(delivered=500, deferred=20, bounced=3, blocked=4, expired=1, unknown=2, suppressed=5, invalid=1)
    line = scene.line(1.0)
    assert line.startswith("spring: sent 500 of 1,000, deferred 20, failed 10, left out 6, ")
    assert line.endswith(", busiest b")


def test_what_came_back_is_in_the_lines_for_people(scene):
    scene.count(delivered=997, bounced=3)
    assert "After" not in " ".join(figures_in_words(scene.run))
    scene.run.late = LateCounts(returned=2, complained=1)
    assert "After the messages were taken, 2 came back later, 1 complained." in figures_in_words(scene.run)


def test_while_the_list_is_read_there_is_no_end_to_reckon(scene):
    scene.run.import_done = False
    scene.feeder.held = 5
    scene.count(delivered=500)
    assert "sent 500 of 1,000 so far" in scene.line(1.0)
    assert "left" not in scene.line(2.0)


def test_the_rate_is_what_became_final_in_a_second_smoothed(scene):
    scene.feeder.held = 1
    scene.line(0.0)
    scene.count(delivered=100)
    assert "100/s, about 9s left" in scene.line(1.0)
    assert ", 80/s" in scene.line(2.0)
    scene.line(2.0)
    assert ", 64/s" in scene.line(3.0)


def test_a_campaign_that_was_resumed_does_not_count_what_was_there(scene):
    scene.feeder.held = 5
    scene.count(delivered=900)
    assert scene.line(10.0).endswith("sent 900 of 1,000, deferred 0, failed 0, 0/s")
    assert scene.line(11.0).endswith(", 0/s")
    assert scene.progress.rate(scene.run) == 0
    scene.count(delivered=2)
    assert scene.line(12.0).endswith(", 2/s, about 49s left")


def test_a_fault_is_told_with_its_reason(scene):
    scene.pause.recent_fault, scene.pause.fault_since = "the disk is full", NOW - 60
    assert scene.line().endswith("FAULTY: the disk is full")
    assert scene.progress.in_words(scene.run).startswith(
        "faulty\n\nNothing is sent since 22:12 UTC: the disk is full. It is tried again, and no recipient is charged.\n"
    )


def test_a_campaign_that_has_stopped_itself_is_told_with_its_reason(scene):
    scene.run.holds = Holds([Hold(1, "fault", "its templates take all memory", NOW)])
    assert scene.line().endswith("STOPPED: its templates take all memory")


def test_what_only_waits_says_until_when(scene):
    scene.count(delivered=990, deferred=10)
    assert scene.line().endswith("waiting: 10 deferred")
    scene.run.next_try_at = NOW + 600
    assert scene.line().endswith("waiting: 10 deferred, next try 22:23 UTC")
    assert scene.progress.in_words(scene.run).startswith("waiting\n")
    assert scene.progress.situation(scene.run).next_attempt_at == NOW + 600


def test_first_messages_without_a_final_answer_are_followed_by_more_before_the_next_try(scene):
    scene.count(pending=800, delivered=90, deferred=110)
    scene.run.next_try_at = NOW + 3600
    guard = scene.run.guard = Guard(StopRules(first=200), lambda: 1000, wait=360.0)
    canary = guard.take("", 200)
    for status, count in {"delivered": 90, "deferred": 110}.items():
        for _ in range(count):
            guard.settled(canary, "", status, "", attempted=True, answered=True)
    found = scene.progress.situation(scene.run)
    assert found.sentence.endswith("next try 23:13 UTC. " + REST + ".")
    assert guard.available("", 90.0) == 0
    found = scene.progress.situation(scene.run)
    assert found.next_attempt_at == NOW + 350
    assert found.sentence.endswith(
        f"next try 22:19 UTC. {REST}; too few had a final answer, so more are tried at 22:19 UTC."
    )


def test_a_time_that_has_passed_is_no_next_try(scene):
    scene.count(delivered=990, deferred=10)
    scene.run.next_try_at = NOW - 1
    assert scene.progress.situation(scene.run).next_attempt_at is None


def test_rows_that_came_back_untried_wait_too(scene):
    scene.count(delivered=990, deferred=2)
    scene.run.next_try_at = NOW + 600
    assert scene.line().endswith("waiting: 2 deferred and 8 not tried yet, next try 22:23 UTC")
    scene.feeder.held = 1
    assert "waiting" not in scene.line()


def test_for_status_txt(scene):
    scene.count(delivered=500, deferred=20, bounced=3, suppressed=5)
    words = scene.progress.in_words(scene.run)
    assert words.startswith("sending\n\nThis campaign is being sent.\n\n500 of 1,000 were delivered.\n")
    assert "500 of 1,000 were delivered." in words
    assert "20 could not be delivered yet and will be tried again." in words
    assert "3 were refused by the receivers." in words
    assert "5 were left out (suppressed, duplicate or invalid)." in words
    assert words.endswith("\n")
    assert "Please look" not in words
    scene.run.notices.append("r.csv:1:7: 2 of 3 rows say no")
    assert "\n\nPlease look at this:\nr.csv:1:7: 2 of 3 rows say no\n\nThe report" in scene.progress.in_words(scene.run)
    scene.run.import_done = False
    assert "(the list is still being read)" in scene.progress.in_words(scene.run)


def test_the_last_line(scene):
    assert scene.progress.ended(Run(2, "none", "/c", {}, "retry", 0.0)) == "none: finished, no recipients"
    scene.line()
    scene.count(delivered=998, bounced=2)
    assert scene.progress.ended(scene.run) == "spring: finished, delivered 998, bounced 2"
    assert scene.progress._seen == {}


def test_the_log_has_a_line_when_something_changed_and_one_a_minute(scene):
    scene.count(delivered=990, deferred=10)
    scene.run.next_try_at = 1_700_000_000.0
    told = [now for now in range(200) if scene.progress.news(scene.run, float(now))]
    assert told == [0, 60, 120, 180]
    scene.count(delivered=1)
    assert scene.progress.news(scene.run, 200.0)
    assert not scene.progress.news(scene.run, 201.0)
    scene.pause.recent_fault = "the disk is full"
    assert "FAULTY" in scene.progress.news(scene.run, 202.0)
