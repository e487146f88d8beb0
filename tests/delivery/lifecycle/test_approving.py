"""The wait for an approval, over a real spool in memory and a real folder; what is made to look at is not made here."""

from __future__ import annotations

import os

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.approving import Approving, WithdrawnError
from bulkmail.delivery.lifecycle.opening import open_campaign
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import Problem, Refused, WrongState
from bulkmail.settings import Settings
from bulkmail.spool import check_held

NOW = 1_700_000_500.0


class FakeLookingOver:
    def __init__(self):
        self.asked, self.trouble, self.stopped = [], None, False

    async def over(self, campaign):
        self.asked.append(campaign.name)
        if self.trouble is not None:
            raise self.trouble
        return list(campaign.test_to)

    def stop(self):
        self.stopped = True


class Scene:
    def __init__(self, one, folder):
        self.one, self.folder = one, folder
        self.looking_over = FakeLookingOver()
        self.steering = Steering(
            spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers=(), changed=lambda _: None
        )
        self.restart()
        self.said = []

    def restart(self, required=True):
        self.approving = Approving(
            reactor=self.one.clock,
            spool=self.one.spool,
            steering=self.steering,
            looking_over=self.looking_over,
            required=required,
        )

    def wait(self, content="c" * 64, **options):
        """Begin to wait; what came of it is in the list that is returned."""
        from dataclasses import replace

        self.prepared = replace(prepare(self.folder(**options), Settings()), content_hash=content)
        got = []

        async def waits():
            opened = await open_campaign(self.one.spool, self.prepared, now=NOW, accept_changes=False)
            await self.approving.passed(self.prepared, opened.row, lambda word, lines: self.said.append((word, lines)))

        Deferred.fromCoroutine(waits()).addBoth(got.append)
        self.one.run(3.0)
        return got

    def ask(self, work):
        done = Deferred.fromCoroutine(work)
        self.one.until(lambda: done.called)

    @property
    def row(self):
        (row,) = self.one.store.campaigns()
        return row

    def mark(self, text="Ann\n", name="APPROVED"):
        with open(f"{self.prepared.campaign.folder}/{name}", "w") as file:
            file.write(text)

    @property
    def reasons(self):
        return [(hold.kind, hold.reason) for hold in self.one.store.holds()]


@pytest.fixture
def scene(world, folder):
    return Scene(world(), folder)


def test_it_waits_until_a_command_approves_it(scene):
    got = scene.wait(more="test_to: me@a.example")
    assert got == []
    assert scene.said[0][0] == "checking"
    word, lines = scene.said[1]
    assert word == "waiting for approval"
    assert "A test message was sent to me@a.example." in lines
    assert any("`bulkmail approve spring`" in line for line in lines)
    assert scene.reasons == [
        ("approval", f"look at preview/ and plan.txt, then put a file APPROVED beside them (content {'c' * 12})")
    ]
    scene.ask(scene.steering.release("spring", "approval", who="ann"))
    scene.one.run(3.0)
    assert got == [None]


def test_it_waits_until_the_file_has_stood_for_some_seconds(scene):
    got = scene.wait()
    scene.mark()
    scene.one.run(3.0)
    assert got == [], "a change of the files may not have been seen yet"
    scene.one.run(5.0)
    assert got == [None]
    assert scene.reasons == []


def test_a_file_that_was_there_before_it_was_asked_for_counts_for_nothing(scene):
    scene.prepared = prepare(scene.folder(), Settings())
    scene.mark()
    got = scene.wait()
    scene.one.run(20.0)
    assert got == []
    scene.mark("Bob\n")
    scene.one.run(10.0)
    assert got == [None]


def test_a_change_withdraws_it_and_asks_again(scene):
    got = scene.wait()
    scene.approving.withdraw(scene.prepared.campaign.folder, "its files have changed")
    scene.one.run(3.0)
    (failure,) = got
    assert failure.check(WithdrawnError)
    scene.mark()  # for what was there before
    got = scene.wait("d" * 64, text="Bye {{ first_name }}\n")
    scene.one.run(20.0)
    assert got == []
    assert scene.looking_over.asked == ["spring", "spring"]
    assert scene.reasons[0][1].endswith(f"(content {'d' * 12})")


def test_a_restart_neither_makes_nor_sends_anything_again(scene):
    got = scene.wait(more="test_to: me@a.example")
    scene.approving.stop()
    scene.one.run(3.0)
    assert got[0].check(WithdrawnError)
    assert scene.looking_over.stopped
    scene.restart()
    got = scene.wait(more="test_to: me@a.example")
    assert scene.looking_over.asked == ["spring"]
    scene.mark()
    scene.one.run(10.0)
    assert got == [None]


def test_what_the_check_refuses_is_not_asked_for(scene):
    scene.looking_over.trouble = Refused([Problem("/c", 0, 0, "errors")])
    got = scene.wait()
    assert got[0].check(Refused)
    held = [("approval", "it is being checked"), ("refused", "/c: errors")]
    assert scene.reasons == held, "nothing of it is sent, whatever comes"
    with pytest.raises(WrongState, match="refused, and cannot be approved before that is corrected: /c: errors"):
        check_held(scene.row, scene.one.store.holds(), "approval", "")
    scene.looking_over.trouble = None
    scene.restart()
    scene.ask(scene.approving._refusals.taken_up(scene.row))  # as every start does
    assert scene.wait() == []
    assert scene.looking_over.asked == ["spring", "spring"]
    assert [kind for kind, _ in scene.reasons] == ["approval"]
    assert scene.one.store.held_times(1) == [], "only what was approved leaves its time"


@pytest.mark.parametrize("mark", ["APPROVED", "ACCEPT"])
def test_a_file_that_is_put_while_it_is_checked_counts_for_nothing(scene, mark):
    checked = Deferred()

    async def over(_campaign):
        return await checked

    scene.looking_over.over = over
    got = scene.wait()
    assert [kind for kind, _ in scene.reasons] == ["approval", "checking"]
    with pytest.raises(WrongState, match="spring is being checked; approve it when STATUS"):
        check_held(scene.row, scene.one.store.holds(), "approval", "")
    scene.mark(name=mark)
    checked.callback([])
    scene.one.run(20.0)
    assert got == []
    word, lines = scene.said[-1]
    assert word == "waiting for approval"
    assert lines[1].startswith(f"The file {mark} ")
    assert not os.path.exists(f"{scene.prepared.campaign.folder}/{mark}")
    scene.mark()
    scene.one.run(10.0)
    assert got == [None]


def test_what_is_approved_while_no_service_runs_is_sent_at_the_start(scene):
    scene.wait()
    scene.approving.stop()
    scene.one.run(3.0)
    scene.one.store.lift(1, "approval", "", NOW + 60.0)
    scene.restart()
    assert scene.wait() == [None]


@pytest.mark.parametrize(
    ("more", "required", "asks"),
    [
        ("", True, True),
        ("", False, False),
        ("approval: none", True, False),
        ("approval: required", False, True),
    ],
)
def test_whether_it_is_asked_for(scene, more, required, asks):
    scene.restart(required=required)
    assert scene.wait(more=more) == ([] if asks else [None])


def test_what_was_started_is_not_asked_for_again(scene):
    scene.restart(required=False)
    scene.wait()
    scene.one.store.set_state(1, "running", NOW)
    scene.restart()
    assert scene.wait() == [None]


def test_what_is_cancelled_meanwhile_goes_on_to_its_end(scene):
    got = scene.wait()
    scene.ask(scene.steering.cancel("spring"))
    scene.one.run(3.0)
    assert got == [None]


def test_what_is_removed_meanwhile_is_withdrawn(scene):
    got = scene.wait()
    while not scene.one.store.remove_campaign(1):
        pass
    scene.one.run(3.0)
    assert got[0].check(WithdrawnError)
