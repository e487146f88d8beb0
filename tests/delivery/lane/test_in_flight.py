"""Who is on which connection, and who goes together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.lane.in_flight import InFlight


class FakeConnection:
    """Keeps what it is given; ``error`` is what it says of the next."""

    def __init__(self):
        self.given, self.aborted, self.error = [], "", None

    def submit(self, transaction):
        if self.error is not None:
            raise self.error
        self.given.append(transaction)

    submit_behind = submit

    def abort(self, reason):
        self.aborted = reason


@pytest.fixture
def made():
    def message(name, wire=b"\r\n", sender="s@me.example", domain="a.example", uncharged_tries=0):
        return SimpleNamespace(
            sender=sender, recipient=name, wire=wire, began=0.0, domain=domain, uncharged_tries=uncharged_tries
        )

    clocks = SimpleNamespace(wall=lambda: 5.0, now=lambda: 9.0)
    return SimpleNamespace(in_flight=InFlight(clocks, ""), message=message)


def test_from_being_handed_over_to_its_outcome(made):
    in_flight, conn = made.in_flight, FakeConnection()
    first, second, third = (made.message(name) for name in "abc")
    assert in_flight.submit(conn, [first]) is None
    assert in_flight.submit_behind(conn, [second, third]) is None
    assert (in_flight.messages, in_flight.connections, in_flight.on(conn), first.began) == (3, 1, 2, 5.0)
    one, two = conn.given
    assert (one.recipients, two.recipients, two.context.messages) == (("a",), ("b", "c"), [second, third])
    assert in_flight.settled(conn, two.context, 1) is third
    assert (in_flight.messages, in_flight.on(conn), two.context.messages) == (2, 2, [second, None])
    assert in_flight.settled(conn, two.context, 0) is second
    assert in_flight.on(conn) == 1
    with pytest.raises(AssertionError):
        in_flight.settled(conn, two.context, 0)
    assert in_flight.settled(conn, one.context, 0) is first
    assert (in_flight.messages, in_flight.connections, in_flight.on(conn)) == (0, 0, 0)


def test_what_is_in_flight_is_known_by_campaign(made):
    in_flight, conn = made.in_flight, FakeConnection()
    first, second, third = (made.message(name) for name in "abc")
    first.run, second.run, third.run = "spring", "spring", "autumn"
    assert in_flight.by_run() == {}
    in_flight.submit(conn, [first])
    in_flight.submit_behind(conn, [second, third])
    in_flight.submit(FakeConnection(), [third])
    assert in_flight.by_run() == {"spring": 2, "autumn": 2}
    in_flight.settled(conn, conn.given[1].context, 0)
    assert in_flight.by_run() == {"spring": 1, "autumn": 2}


def test_a_report_is_to_repeat_the_token_of_the_row_or_of_the_message_that_several_get(made):
    in_flight, conn = InFlight(SimpleNamespace(wall=lambda: 5.0, now=lambda: 9.0), "FAILURE"), FakeConnection()
    first, second, elsewhere = (made.message(name, domain=f"{name}.x") for name in "aab")
    run = SimpleNamespace(token=lambda n: f"token-{n}", envelope_id=lambda numbers: f"rows-{numbers}")
    for number, message in enumerate((first, second, elsewhere), 1):
        message.run, message.claimed = run, SimpleNamespace(number=number)
    in_flight.submit(conn, [second])
    in_flight.submit(conn, [first, second])
    in_flight.submit(conn, [first, elsewhere])
    assert {given.notify for given in conn.given} == {"FAILURE"}
    assert [given.envelope_id for given in conn.given] == ["token-2", "rows-[1, 2]", "token-0"]


def test_what_can_never_be_sent_comes_back_and_is_nowhere(made):
    in_flight, conn = made.in_flight, FakeConnection()
    conn.error = ValueError("a bare CR")
    group = [made.message("a"), made.message("b")]
    assert in_flight.submit(conn, group) == (group, "a bare CR")
    assert (in_flight.messages, in_flight.connections, in_flight.on(conn)) == (0, 0, 0)
    good = made.message("c")
    conn.error = None
    assert in_flight.submit(conn, [good]) is None
    conn.error = ValueError("a bare CR")
    assert in_flight.submit_behind(conn, group[:1]) == (group[:1], "a bare CR")
    assert (in_flight.messages, in_flight.connections, in_flight.on(conn)) == (1, 1, 1)


def test_abort_cuts_every_connection(made):
    in_flight, conns = made.in_flight, [FakeConnection(), FakeConnection()]
    for conn in conns:
        in_flight.submit(conn, [made.message("a")])
    in_flight.abort()
    assert all("stopped" in conn.aborted for conn in conns)
