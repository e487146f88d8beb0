"""Marks over a real spool in memory, and the steering that a process has."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.campaign import Action
from bulkmail.delivery.lifecycle.marks import Marks
from bulkmail.delivery.lifecycle.steering import Steering

FOLDER = "/c/spring"


class Scene:
    def __init__(self, one):
        self.one = one
        one.farm.obliging()
        self.run = one.campaign({"a.example": 5})
        self.steering = Steering(
            spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers=(), changed=lambda _: None
        )
        self.withdrawn = []
        self.marks = Marks(
            spool=one.spool, steering=self.steering, withdraw=lambda folder, why: self.withdrawn.append((folder, why))
        )
        self.marks.started(FOLDER)

    def saw(self, kind, reason=""):
        self.marks.saw(Action(kind, FOLDER, reason))
        self.one.run(1.0)

    def before(self):
        row = self.one.store.campaign("spring")
        done = Deferred.fromCoroutine(self.marks.before(FOLDER, row))
        self.one.until(lambda: done.called)

    @property
    def held(self):
        return [(hold.kind, hold.who) for hold in self.one.store.holds()]


@pytest.fixture
def scene(world):
    return Scene(world())


def test_the_file_pause_holds_it_until_it_is_removed(scene):
    scene.before()
    scene.saw("appeared", "PAUSE")
    assert scene.held == [("paused", "the file PAUSE")]
    scene.saw("removed", "PAUSE")
    assert scene.held == []


def test_a_file_that_was_there_before_the_start_counts_before_anything_is_sent(scene):
    scene.saw("appeared", "PAUSE")
    assert scene.held == [], "there is nothing to hold yet"
    scene.before()
    assert scene.held == [("paused", "the file PAUSE")]


def test_a_file_that_was_removed_while_no_service_ran_holds_no_longer(scene):
    scene.before()
    scene.saw("appeared", "PAUSE")
    scene.marks.ended(FOLDER)
    scene.marks.started(FOLDER)
    scene.before()
    assert scene.held == []


def test_a_pause_by_a_command_stays_whatever_the_files_do(scene):
    scene.before()
    done = Deferred.fromCoroutine(scene.steering.pause("spring", who="ann"))
    scene.one.until(lambda: done.called)
    scene.saw("removed", "PAUSE")
    scene.before()
    assert scene.held == [("paused", "ann")]


def test_a_folder_that_is_taken_away_ends_the_wait_for_an_approval(scene):
    scene.before()
    scene.saw("gone")
    assert scene.withdrawn == [(FOLDER, "its folder was taken away")]
    assert scene.held == []


def test_the_file_cancel_ends_it(scene):
    scene.before()
    scene.saw("appeared", "CANCEL")
    (asked,) = scene.one.store.cancel_requests()
    assert (asked.who, asked.reason) == ("the file CANCEL", "the file CANCEL was put into its folder")
    assert scene.one.store.campaign("spring").state in ("cancelling", "cancelled")


def test_a_change_ends_the_wait_for_an_approval_and_nothing_else(scene):
    scene.before()
    scene.saw("changed")
    assert scene.withdrawn == [(FOLDER, "its files have changed")]
    assert scene.held == []


def test_what_cannot_be_done_is_logged(scene, monkeypatch):
    from bulkmail.delivery.lifecycle import marks as module

    said = []
    monkeypatch.setattr(module._log, "warn", lambda words, **values: said.append(words.format(**values)))
    scene.before()
    scene.one.store.set_state(scene.run.id, "finished", 1.0, exit_status=0)
    scene.saw("appeared", "CANCEL")
    assert len(said) == 1
    assert said[0].startswith("/c/spring: the file CANCEL changes nothing: ")


@pytest.mark.parametrize("name", ["", "spring"])
def test_the_file_cancel_ends_also_what_is_refused(scene, name):
    asked = []

    def refused():
        done = Deferred.fromCoroutine(scene.marks.refused(FOLDER, name))
        done.addCallback(asked.append)
        scene.one.run(1.0)

    refused()
    assert asked == [False]
    scene.saw("appeared", "CANCEL")
    refused()
    assert asked == [False, True]
    assert scene.one.store.campaign("spring").state == ("cancelling" if name else "running")
