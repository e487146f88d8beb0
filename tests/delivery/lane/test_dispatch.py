"""What a lane does next: the pure decisions, by example and by law."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.lane.dispatch import (
    Open,
    Quit,
    Submit,
    WaitFor,
    WakeAt,
    full,
    may_pipeline,
    next_action,
    together,
)
from bulkmail.delivery.lane.send_window import SendWindow
from bulkmail.delivery.limits import BoundedPool, SharedLimiter
from bulkmail.mail import Rate, Stage
from bulkmail.shaping import Limiter, Limits
from bulkmail.smtp import Capabilities


@pytest.fixture
def made():
    def message(name, wire=b"\r\n", sender="s@me.example", domain="a.example", uncharged_tries=0):
        return SimpleNamespace(sender=sender, recipient=name, wire=wire, domain=domain, uncharged_tries=uncharged_tries)

    return SimpleNamespace(message=message)


def names(group):
    return "".join(message.recipient for message in group)


def test_together_go_those_that_are_the_same_to_the_byte(made):
    ready = deque(made.message(name) for name in "abcdef")
    assert names(together(ready, 4, 0, lambda: True)) == "abcd"
    assert names(ready) == "ef"
    ready = deque([made.message("a"), made.message("b", wire=b"other\r\n"), made.message("c")])
    assert names(together(ready, 50, 0, lambda: True)) == "a"
    ready = deque([made.message("a"), made.message("b", sender="t@me.example")])
    assert names(together(ready, 50, 0, lambda: True)) == "a"
    ready = deque([made.message("a"), made.message("ü"), made.message("b")])
    assert [names(together(ready, 50, 0, lambda: True)) for _ in range(3)] == ["a", "ü", "b"]
    ready = deque([made.message("a"), made.message("b", uncharged_tries=1), made.message("c")])
    assert [names(together(ready, 50, 0, lambda: True)) for _ in range(3)] == ["a", "b", "c"]


def test_together_go_no_more_domains_than_the_server_takes(made):
    ready = deque(made.message(name, domain=domain) for name, domain in zip("abcd", "xxyz", strict=True))
    assert names(together(ready, 50, 1, lambda: True)) == "ab"
    assert names(together(ready, 50, 2, lambda: True)) == "cd"


def test_together_go_as_many_as_are_granted(made):
    grants = iter([True, False])
    ready = deque(made.message(name) for name in "abcd")
    assert names(together(ready, 50, 0, lambda: next(grants))) == "ab"
    assert names(ready) == "cd"


@pytest.mark.parametrize(
    ("carried", "most", "offered", "age", "expected"),
    [
        (4, 5, 0, 0, False),
        (5, 5, 0, 0, True),
        (3, 5, 3, 0, True),
        (3, 2, 9, 0, True),
        (1, 5, 0, 299, False),
        (1, 5, 0, 301, True),
    ],
)
def test_full(carried, most, offered, age, expected):
    connection = SimpleNamespace(messages=carried, capabilities=Capabilities(mails=offered), started_at=50.0)
    assert full(connection, most, 50.0 + age) is expected


def most(one, count):
    """Each server takes so many messages on a connection, then 452 4.5.3 to each MAIL."""

    def answers(connection):
        if connection.messages <= count:
            one.clock.callLater(0.01, connection.answer, 250)
        else:
            one.clock.callLater(0.01, connection.answer, 452, "4.5.3 Too many messages sent", stage=Stage.MAIL)

    one.farm.connects, one.farm.answers = True, answers


def test_a_connection_that_takes_no_more_is_left_and_nobody_is_charged(world, fast):
    one = world(settings=fast(connections=2, messages_per_connection=100))
    most(one, 5)
    run = one.campaign({"a.example": 40})
    one.start()
    one.until(lambda: run.complete, 60)
    assert one.statuses(run) == {"delivered": 40}
    assert {attempt[1] for attempt in one.attempts()} == {1}
    assert max(connection.messages for connection in one.farm.made) <= 7


def test_a_connection_that_takes_none_is_an_answer(world, fast):
    one = world(settings=fast(connections=1))
    most(one, 0)
    one.campaign({"a.example": 2})
    one.start()
    one.run(5)
    assert {attempt[1:4] for attempt in one.attempts()} == {(1, "deferred", "rate-limited")}


# -- what is next

INF = float("inf")
LIMITS = Limits(
    connections=2, messages_per_connection=9, rate=Rate(9, 1.0, 9), connection_rate=Rate(9, 1.0, 9), idle=9.0
)


class FakeLane:
    """The view and the permits of a lane, and what the actions do to them."""

    def __init__(self, ready=0, idle=(), connections=None, opening=0, permit=0.0, connect=0.0, may_send=True):
        self.ready = deque(range(ready))
        self.idle = deque(idle)
        self.others = 0 if connections is None else connections - len(self.idle)
        self.attempts = opening
        self.permit, self.connect = permit, connect
        self.may_send = may_send
        self.wakeup = SimpleNamespace(when=INF)
        self.opening = self
        self.not_before = self.no_more_before = 0.0
        self.gained_at = self.waiting_since = -9.0
        self.window = 1
        self.full = False
        self.needs_connection = True
        self.proven, self.scarce = True, False

    def __len__(self):
        return self.attempts

    def room(self, now):
        return self.attempts < max(self.window, self.connections + 1)

    def waits(self, now, *, connected):
        return self.full

    @property
    def idle_connection(self):
        return self.idle[-1] if self.idle else None

    @property
    def connections(self):
        return self.others + len(self.idle)

    def message_at(self, connection, now):
        return self.permit

    def connection_at(self, now):
        return self.connect

    def dispatch(self):
        """Woken."""

    def let_go(self, connection):
        self.idle.remove(connection)

    def perform(self, action):
        match action:
            case Submit(connection):
                self.ready.popleft()
                self.idle.remove(connection)
                self.others += 1
            case Quit(connection):
                self.idle.remove(connection)
            case Open():
                self.attempts += 1
            case WakeAt(when):
                self.wakeup.when = min(self.wakeup.when, when)
            case WaitFor(pool):
                pool.wait(self)

    def next(self, now=0.0):
        return next_action(self, self, now)


def connection(ready=True):
    return SimpleNamespace(ready=ready)


def test_the_connection_that_fell_idle_last_gets_the_next_message():
    first, last = connection(), connection()
    lane = FakeLane(ready=1, idle=[first, last])
    assert lane.next() == Submit(last)
    lane.perform(lane.next())
    assert lane.next() is None, "nothing is ready any more"


@pytest.mark.parametrize(
    "lane", [FakeLane(idle=[connection()]), FakeLane(ready=3, idle=[connection()], may_send=False)]
)
def test_nothing_is_done_without_a_message_or_while_nothing_may_be_sent(lane):
    assert lane.next() is None


def test_a_connection_whose_end_is_near_is_closed():
    dying = connection(ready=False)
    assert FakeLane(ready=1, idle=[dying]).next() == Quit(dying)


def test_a_message_waits_for_its_permit_and_is_woken_once():
    lane = FakeLane(ready=1, idle=[connection()], permit=2.5)
    assert lane.next() == WakeAt(2.5)
    lane.perform(WakeAt(2.5))
    assert lane.next() is None
    lane.wakeup.when = 9.0
    assert lane.next() == WakeAt(2.5), "the timer that is set is too late"


def test_connections_are_opened_one_at_a_time_and_more_as_the_first_ones_work():
    assert FakeLane(ready=5).next() == Open()
    assert FakeLane(ready=5, opening=1).next() is None
    assert FakeLane(ready=5, opening=1, connections=1).next() == Open()
    assert FakeLane(ready=5, opening=2, connections=1).next() is None
    assert FakeLane(ready=1, opening=1, connections=3).next() is None, "each message has its connection"


def test_for_a_few_messages_one_connection_is_added_in_a_second():
    few, many = FakeLane(ready=3, connections=1), FakeLane(ready=4, connections=1)
    few.gained_at = many.gained_at = 5.0
    assert (few.next(5.0), many.next(5.0)) == (WakeAt(6.0), Open())
    assert few.next(6.0) == Open()
    first = FakeLane(ready=1)
    first.gained_at = 5.0
    assert first.next(5.0) == Open(), "none is open"
    few.proven, few.gained_at = False, 5.0
    assert few.next(5.0) == Open(), "what the site gets wrong is found with one message on a connection"


def test_where_few_of_the_process_are_left_one_is_added_after_a_moment_whatever_waits():
    lane = FakeLane(ready=500, connections=1)
    lane.proven, lane.scarce, lane.gained_at = False, True, 5.0
    assert (lane.next(5.0), lane.next(5.3)) == (WakeAt(5.3), Open())
    lane.waiting_since = 9.0
    assert (lane.next(9.2), lane.next(9.3)) == (WakeAt(9.3), Open()), "one was enough until now"
    lane.scarce = False
    assert lane.next(9.2) == Open()
    first = FakeLane(ready=500)
    first.scarce, first.gained_at, first.window = True, 5.0, 4
    assert first.next(5.0) == Open(), "none is open"
    first.perform(Open())
    assert first.next(5.0) == WakeAt(5.3)


def test_after_a_refused_connection_no_more_are_opened_while_others_work():
    lane = FakeLane(ready=5, connections=1)
    lane.no_more_before = 60.0
    assert (lane.next(), lane.next(61.0)) == (None, Open())
    lane = FakeLane(ready=5)
    lane.no_more_before, lane.not_before = 60.0, 1.0
    assert (lane.next(), lane.next(2.0)) == (WakeAt(1.0), Open())
    lane.full = True
    assert lane.next(2.0) is None, "it waits for a slot of an address"


def test_a_lane_waits_for_the_pool_that_has_no_slot_left():
    total = BoundedPool(1)
    lane = FakeLane(ready=5, connections=1, connect=total)
    assert lane.next() == WaitFor(total)
    lane.perform(WaitFor(total))
    assert lane.next() is None
    own = SharedLimiter(Limiter(LIMITS, 0.0), 0.0)
    assert FakeLane(ready=5, connect=own).next() == WaitFor(own)
    assert FakeLane(ready=5, connections=1, connect=own).next() is None, "its own connections are the limit"


LANES = st.builds(
    FakeLane,
    ready=st.integers(0, 6),
    idle=st.lists(st.builds(connection, st.booleans()), max_size=4),
    opening=st.integers(0, 3),
    permit=st.sampled_from([0.0, 1.0, 5.0]),
    connect=st.sampled_from([0.0, 1.0, 5.0]) | st.builds(BoundedPool, st.just(1)),
    may_send=st.booleans(),
)


@given(LANES)
def test_the_actions_come_to_an_end_and_none_stays_none_until_an_event(lane):
    messages, connections = len(lane.ready), lane.connections + lane.attempts
    submitted = closed = opened = 0
    for _ in range(100):
        action = lane.next()
        if action is None:
            break
        submitted += isinstance(action, Submit)
        closed += isinstance(action, Quit)
        opened += isinstance(action, Open)
        lane.perform(action)
    assert lane.next() is lane.next() is None
    assert len(lane.ready) + submitted == messages, "a message is ready or on a connection"
    assert lane.connections + lane.attempts == connections + opened - closed


# -- behind the message under way


@pytest.mark.parametrize(
    ("tries", "chunking", "follows", "carried", "on_wire", "expected"),
    [
        (0, False, True, 1, 1, True),
        (1, False, True, 1, 1, False),
        (0, False, False, 1, 1, False),
        (0, True, False, 1, 1, True),
        (0, False, True, 5, 1, False),
        (0, False, True, 1, 2, False),
        (0, True, True, 1, 4, False),
    ],
)
def test_what_goes_behind_the_message_under_way(tries, chunking, follows, carried, on_wire, expected):
    window = SendWindow(16)
    window.window = 4
    message = SimpleNamespace(uncharged_tries=tries, size=500)
    conn = SimpleNamespace(messages=carried, capabilities=Capabilities(), started_at=0.0, chunking=chunking)
    quirks = SimpleNamespace(follows=follows, most=5)
    assert may_pipeline(message, conn, quirks, window, on_wire, 1.0) is expected
