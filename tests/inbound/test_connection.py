"""A connection on a transport in memory, with a clock that is moved by hand."""

from __future__ import annotations

import pytest

from bulkmail.inbound import Refusal
from bulkmail.mail import OwnFault

ENVELOPE = b"EHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<bounces+t@in.example.com>\r\nDATA\r\n"
MESSAGE = b"Subject: x\r\n\r\nhello\r\n.\r\n"


def test_the_250_is_said_when_the_sink_is_done(kit):
    sink = kit.Sink()
    given = kit.reception(sink)
    line = kit.Line(given.shared)
    assert line.hear(ENVELOPE).endswith(b"<CRLF>.<CRLF>\r\n")
    assert line.hear(MESSAGE) == b""
    (received,) = sink.taken
    assert (received.ip, received.helo, received.tls, received.sender) == ("192.0.2.1", "a.example", "", "")
    assert received.body.whole() == b"Subject: x\r\n\r\nhello\r\n"
    assert received.at == pytest.approx(1_700_000_000.2)
    assert received.recipients[0].token == "t"
    sink.done()
    assert line.said() == f"250 2.0.0 Ok: taken as {received.id}\r\n".encode()
    assert f"inbound: took {received.id}" in given.log[-1]


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (OwnFault("the disk is full"), b"451 4.3.0 "),
        (ZeroDivisionError(), b"451 4.3.0 "),
        (Refusal(550, "5.7.1", "Spam"), b"550 5.7.1 Spam"),
    ],
)
def test_what_is_not_stored_stays_with_the_client(kit, error, reply):
    sink = kit.Sink()
    given = kit.reception(sink)
    line = kit.Line(given.shared)
    line.hear(ENVELOPE)
    line.hear(MESSAGE)
    sink.fail(error)
    assert line.said().startswith(reply)
    assert "refused" in given.log[-1]
    assert line.hear(b"NOOP\r\n").startswith(b"250")


def test_a_sink_that_is_too_slow_is_a_451_and_what_it_says_later_is_not_said(kit):
    sink = kit.Sink()
    given = kit.reception(sink, take=240.0)
    line = kit.Line(given.shared)
    line.hear(ENVELOPE)
    line.hear(MESSAGE)
    given.clock.pump([60.0] * 4)
    assert line.said().startswith(b"451 4.3.0")
    line.hear(ENVELOPE)
    line.hear(MESSAGE)
    sink.done()
    assert line.said() == b""
    sink.done()
    assert line.said().startswith(b"250 2.0.0")


def test_nothing_more_is_read_while_the_sink_has_a_message(kit):
    sink = kit.Sink()
    line = kit.Line(kit.reception(sink).shared)
    line.hear(ENVELOPE)
    line.hear(MESSAGE + b"NOOP\r\n")
    line.hear(b"QUIT\r\n")
    assert line.wire.producerState == "paused"
    sink.done()
    assert [one[:3] for one in line.said().splitlines()] == [b"250", b"250", b"221"]
    assert line.wire.producerState == "producing"
    assert line.wire.disconnecting


def test_a_client_that_is_gone_leaves_its_message(kit):
    sink = kit.Sink()
    given = kit.reception(sink)
    line = kit.Line(given.shared)
    line.hear(ENVELOPE)
    line.hear(MESSAGE)
    line.lose()
    assert given.shared.room.free < given.shared.limits.memory
    sink.done()
    assert line.said() == b""
    assert given.shared.room.free == given.shared.limits.memory
    assert given.shared.gate.connections == 0
    assert given.clock.getDelayedCalls() == []


def test_who_talks_first_is_sent_away(kit):
    given = kit.reception()
    line = kit.Line(given.shared, greeted=False)
    assert line.said() == b""
    assert line.hear(b"EHLO a\r\n").startswith(b"554 5.5.1")
    assert line.wire.disconnecting


def test_without_a_pause_the_greeting_comes_at_once(kit):
    line = kit.Line(kit.reception(greet_after=0.0).shared, greeted=False)
    assert line.said().startswith(b"220 ")


def test_too_many_connections_are_told_so(kit):
    given = kit.reception(connections_an_address=1)
    first = kit.Line(given.shared)
    second = kit.Line(given.shared, greeted=False)
    assert second.said().startswith(b"421 4.7.0")
    assert second.wire.disconnecting
    second.lose()
    assert given.shared.gate.connections == 1
    first.lose()
    assert given.shared.gate.connections == 0
    assert kit.Line(given.shared, "192.0.2.2")


def test_a_command_has_its_time_whatever_drips(kit):
    given = kit.reception(command=300.0)
    line = kit.Line(given.shared)
    for _ in range(4):
        given.clock.advance(60.0)
        assert line.hear(b"N") == b""
    given.clock.pump([30.0, 30.0])
    assert line.said().startswith(b"421 4.4.2")
    assert line.wire.disconnecting
    given.clock.advance(10.0)
    assert line.wire.aborted


def test_each_command_begins_its_time_anew(kit):
    given = kit.reception(command=300.0)
    line = kit.Line(given.shared)
    for _ in range(10):
        given.clock.advance(200.0)
        assert line.hear(b"NOOP\r\n").startswith(b"250")


def test_a_message_has_a_time_for_each_piece_and_for_all(kit):
    given = kit.reception(data=300.0, message=900.0)
    line = kit.Line(given.shared)
    line.hear(ENVELOPE)
    for _ in range(4):
        given.clock.advance(200.0)
        assert line.hear(b"x") == b""
    given.clock.advance(101.0)
    assert line.said().startswith(b"421 4.4.2")
    line = kit.Line(given.shared)
    line.hear(ENVELOPE)
    given.clock.advance(301.0)
    assert line.said().startswith(b"421 4.4.2")
    assert given.shared.room.free == given.shared.limits.memory


def test_a_handshake_has_its_time(kit):
    class Certificate:
        def look(self):
            pass

    certificate = Certificate()
    given = kit.reception(certificate=certificate, starttls=60.0)
    line = kit.Line(given.shared)
    assert b"STARTTLS" in line.hear(b"EHLO a\r\n")
    line.hear(b"STARTTLS\r\n")
    assert line.wire.tls == [certificate]
    given.clock.advance(61.0)
    assert line.wire.aborted


def test_an_end_waits_for_what_the_sink_has(kit):
    sink = kit.Sink()
    given = kit.reception(sink)
    busy, idle = kit.Line(given.shared), kit.Line(given.shared)
    busy.hear(ENVELOPE)
    busy.hear(MESSAGE)
    given.shared.stopping = True
    for line in (busy, idle):
        line.conn.stop()
    assert idle.said().startswith(b"421 4.3.2")
    assert busy.said() == b""
    sink.done()
    assert [one[:9] for one in busy.said().splitlines()] == [b"250 2.0.0", b"421 4.3.2"]
    assert busy.wire.disconnecting
    late = kit.Line(given.shared, greeted=False)
    assert late.said().startswith(b"421 4.3.2")


def test_a_refused_recipient_is_a_line_in_the_log(kit):
    given = kit.reception()
    line = kit.Line(given.shared)
    line.hear(b"EHLO a\r\nMAIL FROM:<s@t.example>\r\nRCPT TO:<x@other.example>\r\n")
    assert given.log == [
        "inbound: refused 192.0.2.1 (a) from <s@t.example> to <x@other.example>: 550 5.7.1 Relaying denied"
    ]
