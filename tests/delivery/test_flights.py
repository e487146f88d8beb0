"""Who is on which connection."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.flights import Flights


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
        wall=lambda: 5.0, ledger=SimpleNamespace(close=lambda message, *why: closed.append((message, why)))
    )

    def message(name):
        lane = SimpleNamespace(hold=held.append)
        return SimpleNamespace(sender="s@me.example", recipient=name, wire=b"\r\n", began=0.0, lane=lane)

    return SimpleNamespace(flights=Flights(street), message=message, closed=closed, held=held)


def test_from_being_handed_over_to_its_fate(made):
    flights, conn = made.flights, FakeConnection()
    first, second = made.message("a"), made.message("b")
    assert flights.submit(conn, first)
    assert flights.follow(conn, second)
    assert (len(flights), flights.connections, flights.on(conn), first.began) == (2, 1, 2, 5.0)
    assert [(t.recipients, t.context) for t in conn.given] == [(("a",), first), (("b",), second)]
    flights.landed(conn, second)
    flights.landed(conn, first)
    assert (len(flights), flights.connections, flights.on(conn)) == (0, 0, 0)


def test_what_can_never_be_sent_has_its_outcome_and_is_nowhere(made):
    flights, conn = made.flights, FakeConnection()
    conn.error = ValueError("a bare CR")
    bad = made.message("a")
    assert not flights.submit(conn, bad)
    assert (len(flights), flights.connections, made.held) == (0, 0, [-1])
    ((message, why),) = made.closed
    assert (message, why) == (bad, ("invalid", "template", "a bare CR"))


def test_abort_cuts_every_connection(made):
    flights, conns = made.flights, [FakeConnection(), FakeConnection()]
    for conn in conns:
        flights.submit(conn, made.message("a"))
    flights.abort()
    assert all("stopped" in conn.aborted for conn in conns)
