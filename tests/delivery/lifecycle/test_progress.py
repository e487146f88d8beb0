from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.delivery.run import Run


class Scene:
    def __init__(self):
        self.pause = SimpleNamespace(paused=False, fault="")
        self.feeder = SimpleNamespace(lanes={}, held=0)
        self.progress = Progress(self.pause, self.feeder)
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
    scene.count(delivered=900)
    scene.line(10.0)
    assert scene.progress._rate(scene.run, 11.0) < 1000


def test_a_pause_is_told_with_its_reason(scene):
    scene.pause.paused, scene.pause.fault = True, "the disk is full"
    assert scene.line().endswith("PAUSED: the disk is full")
    assert "Sending is paused: the disk is full" in scene.progress.in_words(scene.run)


def test_what_only_waits_says_until_when(scene):
    scene.count(delivered=990, deferred=10)
    assert scene.line().endswith("waiting: 10 deferred")
    scene.run.next_try_at = 1_700_000_000.0
    assert "waiting: 10 deferred, next try " in scene.line()
    assert scene.line()[-6:-5] == ":"


def test_for_status_txt(scene):
    scene.count(delivered=500, deferred=20, bounced=3, suppressed=5)
    words = scene.progress.in_words(scene.run)
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
    scene.pause.paused = True
    assert "PAUSED" in scene.progress.news(scene.run, 202.0)
