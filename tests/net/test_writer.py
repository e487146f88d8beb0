"""Writing, seen through a connection whose transport asks, pauses and breaks as it likes."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.main import CONNECTION_LOST

from bulkmail.mail import Fate, Stage
from bulkmail.smtp.pipeline import PIECE

ENVELOPE = b"250 s\r\n250 r\r\n354 go\r\n"


class TestLargeMessages:
    BODY = b".line of text\r\n" * 40_000

    def start(self, kit, listener):
        line = kit.Line(kit, listener)
        line.wire.said()
        line.conn.dataReceived(ENVELOPE)
        return line

    def test_pieces_go_out_as_the_transport_asks(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY))
        line = kit.Line(kit, listener)
        line.wire.said()
        written = []
        write = line.wire.write

        def pausing(data):  # as Twisted's transport does when its buffer is full
            write(data)
            line.wire.producer.pauseProducing()

        line.wire.write = pausing
        line.conn.dataReceived(ENVELOPE)
        while line.wire.producer is not None:
            written.append(line.wire.said())
            line.wire.producer.resumeProducing()
        assert max(map(len, written)) <= PIECE + 3
        assert b"".join(written) == self.BODY.replace(b".line", b"..line") + b".\r\n"
        line.wire.write = write
        assert line.hear(b"250 ok\r\n") == b"QUIT\r\n"
        assert listener.heard.count("accepted") == 1

    def test_what_follows_leaves_with_the_last_piece(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY), kit.message(), follows=True)
        line = self.start(kit, listener)
        while line.wire.producer is not None:
            line.wire.producer.resumeProducing()
        end = b"..line of text\r\n.\r\nMAIL FROM:<s@me.example>\r\nRCPT TO:<r@you.example>\r\nDATA\r\n"
        assert line.wire.said().endswith(end)
        assert line.hear(b"250 ok\r\n" + ENVELOPE) == kit.STUFFED

    def stalled(self, kit, listener):
        line = kit.Line(kit, listener)
        write = line.wire.write
        line.wire.write = lambda data: (write(data), line.wire.producer and line.wire.producer.pauseProducing())
        line.conn.dataReceived(ENVELOPE)
        return line

    def test_a_peer_that_stops_reading_is_lost_after_the_body_deadline(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY))
        line = self.stalled(kit, listener)
        line.clock.advance(179)
        line.wire.producer.resumeProducing()  # it took a piece: the deadline starts again
        line.clock.advance(179)
        line.conn.dataReceived(b"5")  # words are no progress
        assert listener.closed is None
        line.clock.advance(1)
        assert listener.closed.reason == "the server took nothing of the message within 180 s"
        (settled,) = listener.settlements
        assert (settled.fate, settled.stage) == (Fate.LOST, Stage.DATA)
        assert line.wire.aborting
        assert line.wire.producer is None

    def test_a_last_piece_that_stays_has_the_bodys_deadline_and_may_have_arrived(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY))
        line = self.stalled(kit, listener)
        while not line.wire.said().endswith(b"\r\n.\r\n"):
            line.wire.producer.resumeProducing()
        line.clock.advance(180)
        assert listener.closed.reason == "the server took nothing of the message within 180 s"
        assert listener.settlements[0].fate is Fate.UNKNOWN

    def test_the_dots_own_deadline_starts_when_the_last_piece_is_gone(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY))
        line = self.stalled(kit, listener)
        while line.wire.producer is not None:
            line.clock.advance(100)
            line.wire.producer.resumeProducing()
        line.clock.advance(599)
        assert listener.closed is None
        line.clock.advance(1)
        assert listener.settlements[0].fate is Fate.UNKNOWN

    def test_a_refusal_in_the_middle_is_heard(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY))
        line = self.stalled(kit, listener)
        line.conn.dataReceived(b"552 5.3.4 too big\r\n")
        (settled,) = listener.settlements
        assert (settled.fate, settled.stage, settled.reply.code) == (Fate.REFUSED, Stage.DOT, 552)
        assert line.wire.producer is None

    def test_a_connection_lost_in_the_middle_delivered_nothing(self, kit):
        listener = kit.Listener(kit.message(body=self.BODY))
        line = self.stalled(kit, listener)
        line.wire.producer.stopProducing()
        line.lose(ConnectionLost())
        (settled,) = listener.settlements
        assert (settled.fate, settled.stage) == (Fate.LOST, Stage.DATA)


class Socket:
    """Grafts a socket's way of sending onto a transport: so many bytes at once, or an error."""

    def __init__(self, wire, answers) -> None:
        self.wire = wire
        self.answers = answers
        self.sent = b""
        wire.writeSomeData = self.send

    def send(self, data):
        answer = self.answers.pop(0) if self.answers else len(data)
        if not isinstance(answer, int):
            return answer
        self.sent += data[:answer]
        return min(answer, len(data))


def test_writes_go_straight_to_the_socket_until_it_takes_less(kit):
    wire = kit.Wire()
    socket = Socket(wire, [1000, 5])
    listener = kit.Listener(kit.message())
    line = kit.Line(kit, listener, wire=wire)
    assert socket.sent == b"EHLO me.example\r\nMAIL "
    assert wire.said() == b"FROM:<s@me.example>\r\nRCPT TO:<r@you.example>\r\nDATA\r\n"
    assert line.hear(ENVELOPE) == kit.STUFFED


def test_a_refusal_is_read_before_a_broken_write_loses_it(kit):
    wire = kit.Wire()
    socket = Socket(wire, [])
    listener = kit.Listener(kit.message())
    line = kit.Line(kit, listener, wire=wire)
    wire.doRead = lambda: line.conn.dataReceived(b"550 5.7.1 no\r\n")
    socket.answers = [CONNECTION_LOST]
    line.conn.dataReceived(ENVELOPE)
    assert wire.said() == kit.STUFFED  # handed to the transport, which tries again and then gives up
    socket.answers = [3, CONNECTION_LOST]
    assert wire.writeSomeData(b"abc") == 3
    assert listener.settlements == []
    assert wire.writeSomeData(b"rest") is CONNECTION_LOST
    (settled,) = listener.settlements
    assert (settled.fate, settled.reply.code) == (Fate.REFUSED, 550)


class TestAcknowledging:
    """A server with Nagle's algorithm keeps the rest of its replies for as long as the kernel waits to acknowledge."""

    def start(self, kit, *, gone=False):
        self.asked = []

        def setsockopt(*option):
            self.asked.append(option)
            if gone:
                raise OSError

        wire = kit.Wire()
        wire.socket = SimpleNamespace(setsockopt=setsockopt)
        line = kit.Line(kit, kit.Listener(kit.message(), kit.message()), wire=wire)
        line.clock.advance(1)
        assert self.asked == []
        return line

    @pytest.mark.parametrize("gone", [False, True])
    def test_where_a_piece_came_as_late_all_that_follow_are_acknowledged_at_once(self, kit, gone):
        line = self.start(kit, gone=gone)
        line.hear(b"250 sender\r\n250 recipient\r\n")
        line.clock.advance(0.040)
        assert line.hear(b"354 go\r\n") == kit.STUFFED
        assert self.asked == [], "the message acknowledged it"
        line.hear(b"250 ok\r\n")
        line.hear(b"250 sender\r\n")
        assert self.asked == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)]
        line.hear(b"250 recipient\r\n")
        assert len(self.asked) == 2
        assert line.hear(b"354 go\r\n") == kit.STUFFED
        assert len(self.asked) == 2

    def test_pieces_that_come_soon_cost_nothing(self, kit):
        line = self.start(kit)
        for reply in (b"250 sender\r\n", b"250 recipient\r\n", b"354 go\r\n"):
            line.clock.advance(0.010)
            line.hear(reply)
        line.clock.advance(5)  # the message was written: nothing is kept back now
        line.hear(b"250 ok\r\n")
        line.hear(b"250 sender\r\n")
        assert self.asked == []
