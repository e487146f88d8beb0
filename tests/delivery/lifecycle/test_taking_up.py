"""A campaign is opened with what was accepted of its changes, and what kept it from being sent counts no longer."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.accepting import Accepting, put_mark
from bulkmail.delivery.lifecycle.opening import Report
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.delivery.lifecycle.taking_up import TakingUp
from bulkmail.mail import Problem, Refused
from bulkmail.report import Place
from bulkmail.settings import Settings


class Scene:
    """A campaign that was begun and stopped."""

    def __init__(self, one, folder):
        self.one, self.folder = one, folder
        self.lists_changed = False
        self.reported = []
        steering = Steering(
            spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers=set(), changed=lambda _: None
        )
        self.refusals = Refusals(one.spool, steering)
        self.accepting = Accepting(one.spool, one.feeder, one.pool, lambda _: None, lambda _: None)
        lists, reporting = SimpleNamespace(changed=self.changed), SimpleNamespace(report_of=report_of, open=self.report)
        self.taking_up = TakingUp(one.spool, one.wall, one.feeder, lists, reporting, self.accepting, self.refusals)
        self.prepared = prepare(folder(), Settings())
        self.opened = self.open()
        one.store.add_rows(self.opened.row.id, [(1, 0, 1, "a@a.example", "a.example", "[]", "ok", "")], {}, True, 0.0)
        one.store.set_state(self.opened.row.id, "stopped", 0.0)

    async def changed(self, _):
        return self.lists_changed

    def report(self, run, place, files, domain, position):
        self.reported.append((run.name, os.path.basename(place.path), files, domain, position))

    def ask(self, work):
        got = []
        Deferred.fromCoroutine(work).addBoth(got.append)
        self.one.until(lambda: got, 10)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()
        return got[0]

    def open(self, *, accept_changes=False):
        return self.ask(self.taking_up.open(self.prepared, accept_changes=accept_changes))

    def change(self):
        self.prepared = prepare(self.folder(text="Bye {{ first_name }}\n"), Settings())


def report_of(campaign):
    return Report(Place(campaign.folder, "report", campaign.opened.id))


@pytest.fixture
def scene(world, folder):
    return Scene(world(), folder)


def test_a_change_is_refused_unless_it_is_accepted(scene):
    scene.change()
    with pytest.raises(Refused, match=r"body\.txt\.j2 changed since it was started"):
        scene.open()
    assert scene.open(accept_changes=True).run.content["text"].startswith("Bye")


def test_the_mark_accepts_a_change_once(scene):
    scene.change()
    put_mark(scene.prepared.campaign.folder)
    scene.accepting.notes[scene.prepared.campaign.folder] = "Changed since the start"
    assert scene.open().run.content["text"].startswith("Bye")
    assert not os.path.exists(os.path.join(scene.prepared.campaign.folder, "ACCEPT"))
    assert scene.accepting.notes == {}


def test_a_rehearsal_takes_no_change(scene):
    scene.change()
    put_mark(scene.prepared.campaign.folder)
    scene.accepting._check = None
    with pytest.raises(Refused):
        scene.open()


def test_what_kept_it_from_being_sent_counts_no_longer(scene):
    scene.ask(scene.refusals.tell("spring", Refused([Problem("campaign.yaml", 1, 1, "is wrong")])))
    run = scene.opened.run
    scene.one.feeder.withholding.pause(run, "its template does not come to an end", [])
    assert "refused" in {hold.kind for hold in scene.one.store.holds()}
    assert scene.one.feeder.withholding.reason("spring")
    scene.open()
    assert "refused" not in {hold.kind for hold in scene.one.store.holds()}
    assert scene.one.feeder.withholding.reason("spring") == ""


def test_a_finished_one_goes_on_where_its_lists_have_changed(scene):
    scene.one.store.set_state(scene.opened.row.id, "finished", 0.0)
    assert scene.open().finished
    scene.lists_changed = True
    assert not scene.open().finished


def test_its_report_names_its_lists_and_the_domain_of_its_sender(scene):
    scene.taking_up.report(scene.prepared, scene.opened)
    files = [("recipients.csv", ["email", "first_name"])]
    assert scene.reported == [("spring", "report", files, "me.example", None)]
