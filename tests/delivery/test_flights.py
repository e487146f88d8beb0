"""Who is on which connection, and who goes together."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace

import pytest

from bulkmail.delivery.flights import Flights, full, together
from bulkmail.mail import Stage
from bulkmail.smtp import Capabilities


class FakeConnection:
    """Keeps what it is given; ``error`` is what it says of the next."""

    def __init__(self):
        self.given, self.aborted, self.error = [], "", None

    def submit(self, transaction):
        if self.error is not None:
            raise self.error
        self.given.append(transaction)

    follow = submit

    def abort(self, reason):
        self.aborted = reason


@pytest.fixture
def made():
    closed, held = [], []
    street = SimpleNamespace(
        wall=lambda: 5.0, notify="", ledger=SimpleNamespace(close=lambda message, *why: closed.append((message, why)))
    )

    def message(name, wire=b"\r\n", sender="s@me.example", domain="a.example", free_tries=0):
        lane, queue = SimpleNamespace(hold=held.append), SimpleNamespace(domain=domain)
        return SimpleNamespace(
            sender=sender, recipient=name, wire=wire, began=0.0, lane=lane, queue=queue, free_tries=free_tries
        )

    return SimpleNamespace(flights=Flights(street), message=message, closed=closed, held=held)


def test_from_being_handed_over_to_its_fate(made):
    flights, conn = made.flights, FakeConnection()
    first, second, third = (made.message(name) for name in "abc")
    assert flights.submit(conn, [first]) == flights.follow(conn, [second, third]) == []
    assert (len(flights), flights.connections, flights.on(conn), first.began) == (3, 1, 2, 5.0)
    one, two = conn.given
    assert (one.recipients, two.recipients, two.context) == (("a",), ("b", "c"), [second, third])
    assert flights.landed(conn, two, 1) is third
    assert (len(flights), flights.on(conn), two.context) == (2, 2, [second, None])
    assert flights.landed(conn, two, 0) is second
    assert flights.on(conn) == 1
    with pytest.raises(AssertionError):
        flights.landed(conn, two, 0)
    assert flights.landed(conn, one, 0) is first
    assert (len(flights), flights.connections, flights.on(conn)) == (0, 0, 0)


def test_what_can_never_be_sent_has_its_outcome_and_is_nowhere(made):
    flights, conn = made.flights, FakeConnection()
    conn.error = ValueError("a bare CR")
    bad = made.message("a")
    assert flights.submit(conn, [bad]) == []
    assert (len(flights), flights.connections, made.held) == (0, 0, [-1])
    ((message, why),) = made.closed
    assert (message, why) == (bad, ("invalid", "template", "a bare CR"))


def test_of_several_that_cannot_be_sent_together_each_is_tried_alone(made):
    flights, conn = made.flights, FakeConnection()
    conn.error = ValueError("the address has a character that could break a command")
    group = [made.message("a"), made.message("b>")]
    assert flights.submit(conn, group) == group
    assert (len(flights), made.closed, made.held) == (0, [], [])
    ready = deque(group)
    assert together(ready, 50, 0, lambda: True) == group[:1]


def test_abort_cuts_every_connection(made):
    flights, conns = made.flights, [FakeConnection(), FakeConnection()]
    for conn in conns:
        flights.submit(conn, [made.message("a")])
    flights.abort()
    assert all("stopped" in conn.aborted for conn in conns)


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
    ready = deque([made.message("a"), made.message("b", free_tries=1), made.message("c")])
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
