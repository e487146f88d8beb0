from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.lane.backlog import Backlog
from bulkmail.delivery.lane.in_flight import Unsendable
from bulkmail.delivery.lane.suspension import Suspension
from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Fate, Outcome, Rate, Stage
from bulkmail.settings import Settings

DOWN = Outcome(Fate.LOST, Stage.CONNECT, None, "connection refused", category=Category.CONNECTION)


class Scene:
    """A backlog with eight claimed messages, and all that may become of them."""

    def __init__(self, world):
        self.one = one = world()
        self.run = one.campaign({"a.example": 8})
        self.held, self.suspended, self.woken, self.elsewhere = 0, 0, 0, False
        supplier = SimpleNamespace(
            hold=self.hold,
            below_target=lambda: None,
            suspended=self.was_suspended,
            elsewhere=lambda _run: self.elsewhere,
        )
        self.suspension = Suspension(
            "a.example",
            "",
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
        self.backlog.hold(8, self.run)
        self.messages = [Message(row, "a.example", self.run, self.backlog, size=1) for row in claimed]

    def hold(self, count, run):
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


def test_messages_wait_since_there_was_none(scene):
    backlog, now = scene.backlog, scene.one.clock.seconds()
    backlog.add(scene.messages[0])
    scene.one.run(1.0)
    backlog.add(scene.messages[1])
    assert backlog.waiting_since == now, "the first one has not gone"
    backlog.ready.clear()
    backlog.add(scene.messages[2])
    assert backlog.waiting_since == scene.one.clock.seconds() > now


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
    scene.backlog.hold(-8, scene.run)
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
    scene.one.pause._paused = True
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


# the law of a lane, through all its parts

REPLIES = {
    "accept": (250, "2.0.0 Ok"),
    "defer": (451, "4.7.1 later"),
    "refuse": (554, "5.7.1 your address is on our block list"),
    "slow down": (450, "4.7.28 rate limit exceeded"),
    "no such user": (550, "5.1.1 no such user"),
}
OURS = ["wait", "long wait", "fault", "dead", "withdraw", "stop"]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["accept", *REPLIES, "cut", "untried", "unknown", *OURS]),
        st.integers(0, 5),
    ),
    max_size=40,
)
FAST = Rate(100_000, 1.0, 100_000)


def happen(one, run, event, which):
    """One event, to one of the busy connections where it is a server's."""
    busy = [connection for connection in one.farm.open if connection.busy]
    at = busy[which % len(busy)] if busy else None
    if event in REPLIES and at is not None:
        at.answer(*REPLIES[event])
    elif event == "cut" and at is not None:
        at.lose()
    elif event == "untried" and at is not None:
        at.lose(Fate.UNTRIED)
    elif event == "unknown" and at is not None and at.dot():
        at.lose()
    elif event == "fault":
        one.pause.own_fault("no route out")
    elif event == "dead":
        one.farm.dead ^= {f"192.0.2.{which % 3}"}
    elif event == "withdraw":
        one.feeder.take_back(run)
        one.feeder.rescan()
    elif event == "stop" and which == 0:
        one.feeder.stop()
    one.run({"wait": 1.0, "long wait": 400.0}.get(event, 0.06))


def check_places(one):
    """Each claimed message is in one place: ready, on one connection, or on its way to be composed."""
    for lane in one.feeder.lanes.values():
        assert lane.held >= len(lane.ready) + lane.in_flight
    under_way = [
        message.claimed.id
        for connection in one.farm.made
        for transaction in (connection.current, connection.following)
        if transaction is not None
        for message in transaction.context.messages
        if message is not None
    ]
    places = [message.claimed.id for lane in one.feeder.lanes.values() for message in lane.ready] + under_way
    assert len(set(places)) == len(places)
    assert set(places) <= one.spool.out, "what was recorded or given back is in no lane"
    assert sum(lane.in_flight for lane in one.feeder.lanes.values()) == len(under_way)
    assert len(one.spool.out) <= one.feeder.held


@settings(
    max_examples=settings.default.max_examples * 3 // 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(EVENTS)
def test_a_message_is_in_exactly_one_place_after_any_sequence_of_events(world, events):
    """And at the end each is recorded, or back in the spool; `AccountingSpool` refuses a second outcome."""
    made = Settings()
    default = made.shaping.default.model_copy(update={"rate": FAST, "connection_rate": FAST, "connections": 3})
    shaping = made.shaping.model_copy(update={"default": default})
    one = world(settings=made.model_copy(update={"shaping": shaping}))
    one.pool.same = True
    one.farm.connects, one.farm.answers = True, lambda _: None
    one.routes = {f"{name}.example": one.site(f"{name}.example", f"192.0.2.{n}") for n, name in enumerate("abc")}
    run = one.campaign({"a.example": 30, "b.example": 10, "c.example": 3})
    one.start()
    one.run(0.3)
    for event, which in events:
        happen(one, run, event, which)
        check_places(one)
    one.farm.dead.clear()
    one.farm.obliging()
    for connection in one.farm.open:
        connection.answer(250)
    if one.feeder.stopping:
        one.settle_down()
    else:
        one.until(lambda: run.complete, 30 * 86400.0)
        one.settle_down()
    one.check_empty()
    assert one.feeder.stopping or sum(one.statuses(run).values()) == 43
    one.store.close()
