from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.lane.backlog import Backlog
from bulkmail.delivery.lane.in_flight import Unsendable
from bulkmail.delivery.lane.suspension import Suspension
from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Fate, Outcome, Stage

DOWN = Outcome(Fate.LOST, Stage.CONNECT, None, "connection refused", category=Category.CONNECTION)


class Scene:
    """A backlog with eight claimed messages, and all that may become of them."""

    def __init__(self, world):
        self.one = one = world()
        self.run = one.campaign({"a.example": 8})
        self.held, self.suspended, self.woken = 0, 0, 0
        supplier = SimpleNamespace(hold=self.hold, below_target=lambda: None, suspended=self.was_suspended)
        self.suspension = Suspension(
            "a.example",
            clocks=one.clocks,
            facts=one.facts,
            pause=one.pause,
            retry=one.settings.retry,
            rng=Random(0),
        )
        self.backlog = Backlog(
            one.site("a.example"),
            supplier,
            self.suspension,
            SimpleNamespace(messages=0),
            ledger=one.ledger,
            clocks=one.clocks,
            pause=one.pause,
            wakeup=Wakeup(one.clock, self.wake),
        )
        claimed = []
        one.spool.claim(1, 8).addCallback(claimed.extend)
        one.run(0.1)
        self.backlog.hold(8)
        self.messages = [Message(row, "a.example", self.run, self.backlog, size=1) for row in claimed]

    def hold(self, count):
        self.held += count
        assert self.held == self.backlog.held >= 0

    def was_suspended(self):
        self.suspended += 1

    def wake(self):
        self.woken += 1

    def add(self, count=8):
        for message in self.messages[:count]:
            self.backlog.add(message)

    @property
    def places(self):
        """How many messages are ready, recorded, given back."""
        spool = self.one.spool
        return len(self.backlog.ready), len(spool.settlements), len(spool.given_back)


@pytest.fixture
def scene(world):
    return Scene(world)


def test_a_composed_message_is_ready_and_wakes_the_lane(scene):
    scene.add()
    assert list(scene.backlog.ready) == scene.messages
    scene.one.run(0.1)
    assert (scene.woken, scene.held, scene.places) == (1, 8, (8, 0, 0))


def test_a_failure_charges_the_next_message_and_gives_the_others_back(scene):
    scene.backlog.fail(DOWN, scene.one.wall())
    assert scene.suspension.charging
    scene.add()
    assert (scene.held, scene.places, scene.suspended) == (0, (0, 1, 7), 1)
    scene.one.run(0.1)
    due = scene.one.wall() - scene.one.clock.seconds() + scene.suspension.until
    assert [at for _, at in scene.one.spool.given_back] == pytest.approx([due] * 7)


def test_a_failure_with_messages_ready_charges_the_first(scene):
    scene.add()
    scene.backlog.fail(DOWN, scene.one.wall())
    assert (scene.held, scene.places, scene.suspended) == (0, (0, 1, 7), 1)
    assert scene.one.spool.settlements[0].recipient_id == scene.messages[0].claimed.id
    scene.backlog.fail(DOWN, scene.one.wall())
    assert scene.places == (0, 1, 7), "known already, and charged"


def test_where_no_message_is_left_none_is_charged(scene):
    scene.backlog.fail(DOWN, scene.one.wall())
    scene.backlog.hold(-8)
    assert not scene.suspension.charging


def test_a_message_that_comes_back_goes_first_and_not_for_ever(scene):
    scene.add(2)
    first = scene.backlog.ready.popleft()
    for _ in range(3):
        scene.backlog.retry_uncharged(first)
        assert scene.backlog.ready.popleft() is first
    scene.backlog.retry_uncharged(first)
    assert (scene.held, scene.places) == (7, (1, 1, 0))


def test_in_a_pause_a_message_may_come_back_any_number_of_times(scene):
    scene.one.pause.paused = True
    for _ in range(20):
        scene.backlog.retry_uncharged(scene.messages[0])
        scene.backlog.ready.clear()
    assert scene.places == (0, 0, 0)


def test_of_several_that_cannot_be_sent_each_is_tried_alone(scene):
    scene.backlog.not_submitted(Unsendable(scene.messages[:2], "a bare CR"))
    assert list(scene.backlog.ready) == scene.messages[:2]
    assert [message.uncharged_tries for message in scene.messages[:3]] == [1, 1, 0]
    scene.backlog.not_submitted(Unsendable([scene.backlog.ready.popleft()], "a bare CR"))
    (settlement,) = scene.one.spool.settlements
    assert (settlement.status, settlement.category, settlement.note) == ("invalid", "template", "a bare CR")
    assert (scene.held, scene.places) == (7, (1, 1, 0))


def test_what_a_dropped_campaign_had_ready_is_taken_out(scene):
    scene.add(3)
    other = scene.one.campaign({"a.example": 1}, "autumn", run=False)
    scene.backlog.ready[1].run = other
    assert scene.backlog.withdraw(other) == [scene.messages[1]]
    assert list(scene.backlog.ready) == [scene.messages[0], scene.messages[2]]


def test_a_stopped_backlog_takes_nothing(scene):
    scene.add(3)
    scene.backlog.stop()
    assert scene.places == (0, 0, 3)
    scene.backlog.add(scene.messages[3])
    scene.backlog.requeue(scene.messages[4])
    assert (scene.held, scene.places) == (3, (0, 0, 5))


@pytest.mark.parametrize(("copies", "status"), [(0, "expired"), (1, "unknown")])
def test_a_message_that_has_waited_too_long_expires_unless_a_copy_may_have_arrived(scene, copies, status):
    scene.add(1)
    scene.backlog.fail(DOWN, scene.one.wall())
    late = scene.messages[1]
    late.claimed = late.claimed._replace(doubt=copies)
    scene.one.clock.advance(4 * 86400.0)
    scene.suspension.suspend(late, DOWN)
    scene.backlog.add(late)
    settlement = scene.one.spool.settlements[-1]
    assert (settlement.status, settlement.category, settlement.note) == (status, "connection", "connection refused")
