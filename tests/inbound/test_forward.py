"""Passing a message on to a mail server: what its replies mean. The whole way is in tests/behaviour."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bulkmail.inbound import Refusal, forward
from bulkmail.inbound.forward import SmtpForward
from bulkmail.inbound.waiting import WaitingThreads
from bulkmail.mail import NO_PEER, Fate, OwnFault, Reply, Stage
from bulkmail.smtp import Closed, Settled


class Conn:
    """A connection that was asked for; it keeps what was submitted."""

    def __init__(self, listener, ip):
        self.listener, self.ip = listener, ip
        self.submitted, self.quitted = [], 0

    def submit(self, transaction):
        self.submitted.append(transaction)

    def quit(self):
        self.quitted += 1


@pytest.fixture
def passing(loop, message, monkeypatch):
    """Begin to pass a message on; the connections made, and what came of it."""
    conns = []

    def connect(reactor, peer, port, *, listener, **rest):
        conns.append(Conn(listener, peer.ip))

    monkeypatch.setattr(forward, "connect", connect)
    threads = WaitingThreads(loop, 1)

    def passing(*addresses, **more):
        given = addresses or ("127.0.0.5",)
        monkeypatch.setattr(SmtpForward, "_addresses", lambda _: _found(list(given)))
        found = []
        sink = SmtpForward(loop, threads, "mail.example.com", 25, "mta1.example.com", SimpleNamespace())
        Deferred.fromCoroutine(sink(message(**more))).addBoth(found.append)
        return conns, found

    yield passing
    threads.close()


async def _found(addresses):
    return addresses


def settle(conn, fate, reply=None, note=""):
    (transaction,) = conn.submitted
    conn.listener.settled(conn, transaction, 0, Settled(transaction, 0, fate, Stage.DOT, reply, note), NO_PEER)
    conn.listener.transaction_over(conn, transaction)


def error_of(found):
    assert isinstance(found[0], Failure)
    return found[0].value


def test_it_is_taken_when_the_server_has_taken_it(passing):
    conns, found = passing()
    (conn,) = conns
    conn.listener.connection_ready(conn)
    (transaction,) = conn.submitted
    assert (transaction.sender, transaction.recipients) == ("s@t.example", ("anna@in.example.com",))
    assert transaction.message.startswith(b"Return-Path: <s@t.example>\r\nDelivered-To: anna@in.example.com\r\n")
    assert transaction.message.endswith(b"\r\nSubject: x\r\n\r\nhello\r\n")
    assert found == []
    settle(conn, Fate.ACCEPTED, Reply(250, ("2.0.0 Ok",)))
    assert found == [None]
    assert conn.quitted == 1
    conn.listener.connection_ready(conn)
    assert len(conn.submitted) == 1
    conn.listener.connection_closed(conn, Closed(None, None, "ended"), NO_PEER)


@pytest.mark.parametrize(
    ("fate", "reply", "error"),
    [
        (Fate.REFUSED, Reply(550, ("5.1.1 unknown",)), Refusal),
        (Fate.REFUSED, None, Refusal),
        (Fate.REFUSED, Reply(452, ("4.2.2 full",)), OwnFault),
        (Fate.UNKNOWN, None, OwnFault),
        (Fate.LOST, None, OwnFault),
        (Fate.UNTRIED, Reply(421, ("busy",)), OwnFault),
    ],
)
def test_what_else_may_become_of_it(passing, fate, reply, error):
    conns, found = passing()
    conns[0].listener.connection_ready(conns[0])
    settle(conns[0], fate, reply, "" if reply else "our words")
    assert isinstance(error_of(found), error)


def test_the_next_address_is_tried_while_nothing_was_sent(passing):
    conns, found = passing("127.0.0.5", "127.0.0.6")
    conns[0].listener.connection_closed(conns[0], Closed(Stage.CONNECT, None, "refused"), NO_PEER)
    assert [conn.ip for conn in conns] == ["127.0.0.5", "127.0.0.6"]
    conns[1].listener.connection_closed(conns[1], Closed(Stage.GREETING, Reply(554, ("no",)), ""), NO_PEER)
    assert "could not be reached for forwarding (554 no)" in str(error_of(found))


def test_a_host_without_an_address(loop, message):
    threads = WaitingThreads(loop, 1)
    sink = SmtpForward(loop, threads, "no-such-host.invalid", 25, "mta1.example.com", SimpleNamespace())
    with pytest.raises(OwnFault, match="has no address that could be found"):
        loop.wait(Deferred.fromCoroutine(sink(message())))
    threads.close()
