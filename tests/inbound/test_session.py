"""The dialogue of a session, command by command and in one write, whole and byte by byte."""

from __future__ import annotations

from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.inbound import Limits, OwnAddresses, Purpose, Refusal, Room, Session
from bulkmail.inbound.session import Close, Message, Phase, Refused, StartTls

MESSAGE = b"Subject: x\r\n\r\n..dot\r\n.\r\n"


def test_ehlo_says_what_is_offered(kit):
    assert kit.Talk(limits=Limits(size=1234)).line("EHLO a.example").split("\r\n") == [
        "250-in.example.com",
        "250-PIPELINING",
        "250-SIZE 1234",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250 ENHANCEDSTATUSCODES",
    ]
    assert "250-STARTTLS" in kit.Talk(tls=True).line("ehlo a.example")
    assert kit.Talk().line("HELO a.example") == "250 in.example.com"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("NOOP", "250 2.0.0"),
        ("noop anything", "250 2.0.0"),
        ("RSET", "250 2.0.0"),
        ("RSET now", "501 5.5.4"),
        ("VRFY anna", "252 2.0.0"),
        ("EXPN list", "502 5.5.1"),
        ("HELP", "214 2.0.0"),
        ("QUIT", "221 2.0.0"),
        ("EHLO", "501 5.5.4"),
        ("HELO  ", "501 5.5.4"),
        ("MAIL FROM:<>", "503 5.5.1"),
        ("RCPT TO:<postmaster>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("DATA now", "501 5.5.4"),
        ("STARTTLS", "502 5.5.1"),
        ("AUTH PLAIN", "502 5.5.1"),
        ("TURN", "502 5.5.1"),
        ("XYZZY", "500 5.5.2"),
        ("", "500 5.5.2"),
        ("BDAT 5 LAST", "554 5.5.1"),
        ("GET / HTTP/1.1", "554 5.5.1"),
        ("POST / HTTP/1.1", "554 5.5.1"),
    ],
)
def test_commands_before_a_greeting(kit, command, reply):
    talk = kit.Talk()
    assert talk.line(command).startswith(reply)
    assert (talk.session.phase is Phase.CLOSED) == (reply[:3] in ("221", "554"))


def test_a_message_from_end_to_end(kit):
    talk = kit.Talk()
    talk.envelope("bounces+a@in.example.com", "bounces+b@in.example.com", sender="<x@y.example>")
    assert talk.say(MESSAGE) == b""
    (message,) = talk.messages
    assert message.body.whole() == b"Subject: x\r\n\r\n.dot\r\n"
    assert message.sender == "x@y.example"
    assert [one.purpose for one in message.recipients] == [Purpose.BOUNCE] * 2
    assert talk.session.phase is Phase.SINK
    assert talk.answer(name="4711") == b"250 2.0.0 Ok: taken as 4711\r\n"
    assert talk.line("DATA").startswith("503")  # the envelope is forgotten
    assert talk.line("MAIL FROM:<>").startswith("250")
    assert talk.room.free == talk.limits.memory


def test_replies_keep_their_order_while_the_sink_is_slow(kit):
    talk = kit.Talk()
    talk.envelope()
    assert talk.say(MESSAGE + b"MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n") == b""
    assert talk.say(b"") == b""
    said = talk.answer(Refusal(451, "4.3.0", "Later"))
    assert [line[:3] for line in said.splitlines()] == [b"451", b"250", b"250", b"354"]


def test_everything_in_one_write(kit):
    talk = kit.Talk()
    said = talk.say(b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<x@else.example>\r\nRCPT TO:<abuse@in.example.com>\r\nDATA\r\n")
    assert [line[:4] for line in said.splitlines()][-4:] == [b"250 ", b"550 ", b"250 ", b"354 "]


def test_a_body_that_nobody_asked_for_ends_the_session(kit):
    """Were DATA refused, the lines of the message would run as commands."""
    talk = kit.Talk()
    said = talk.say(b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@in.example.com>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n")
    assert said.splitlines()[-1].startswith(b"554 5.5.0")
    assert talk.session.phase is Phase.CLOSED


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"\n", b"EHLO a\nMAIL FROM:<>\r\n", b"NOOP\r\r\n"])
def test_a_command_with_a_lone_cr_or_lf_ends_the_session(kit, line):
    talk = kit.Talk()
    assert talk.say(line).startswith(b"554 5.5.2")
    assert talk.session.phase is Phase.CLOSED
    assert talk.say(b"NOOP\r\n") == b""


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r"])
def test_a_smuggled_message_is_none(kit, end):
    talk = kit.Talk()
    talk.envelope()
    inner = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<abuse@in.example.com>\r\nDATA\r\nsmuggled\r\n.\r\n"
    assert talk.say(b"Subject: x\r\n\r\nhello" + end + inner).startswith(b"554 5.6.0")
    assert talk.session.phase is Phase.CLOSED
    assert talk.messages == []
    assert talk.room.free == talk.limits.memory


def test_what_is_too_large_is_told_at_mail_or_behind_the_dot(kit):
    talk = kit.Talk(limits=Limits(size=100))
    talk.line("EHLO a")
    assert talk.line("MAIL FROM:<> SIZE=101").startswith("552 5.3.4")
    talk.envelope()
    assert talk.say(b"x" * 200 + b"\r\n.\r\nNOOP\r\n").splitlines()[0].startswith(b"552 5.3.4")
    assert talk.line("NOOP").startswith("250")
    assert talk.messages == []
    assert [event.refusal.code for event in talk.events if isinstance(event, Refused)] == [552]


def test_starttls_forgets_all_that_was_said_in_clear(kit):
    talk = kit.Talk(tls=True)
    talk.line("EHLO a")
    talk.line("MAIL FROM:<>")
    said = talk.say(b"STARTTLS\r\nRCPT TO:<abuse@in.example.com>\r\nNOOP\r\n")
    assert said == b"220 2.0.0 Ready to start TLS\r\n"
    assert isinstance(talk.events[-1], StartTls)
    talk.events += talk.session.tls_started("TLSv1.3")
    assert talk.session.take_output() == b""  # what stood behind STARTTLS was dropped
    assert (talk.session.helo, talk.session.tls) == ("", "TLSv1.3")
    assert talk.line("MAIL FROM:<>").startswith("503")
    assert "STARTTLS" not in talk.line("EHLO a")
    assert talk.line("STARTTLS").startswith("503")


def test_starttls_takes_no_parameter(kit):
    assert kit.Talk(tls=True).line("STARTTLS now").startswith("501")


def test_who_errs_too_often_is_sent_away(kit):
    talk = kit.Talk(limits=Limits(errors=3))
    said = [talk.line("XYZZY")[:3] for _ in range(4)]
    assert said == ["500", "500", "500", "421"]
    assert isinstance(talk.events[-1], Close)


def test_guessing_recipients_is_an_error_too(kit):
    talk = kit.Talk(rest=False, limits=Limits(errors=3))
    talk.line("EHLO a")
    talk.line("MAIL FROM:<>")
    assert [talk.line(f"RCPT TO:<{n}@in.example.com>")[:3] for n in range(4)] == ["550", "550", "550", "421"]
    assert next(event.recipient for event in talk.events if isinstance(event, Refused)) == "0@in.example.com"


def test_commands_without_end_are_cut(kit):
    talk = kit.Talk()
    said = talk.say(b"NOOP\r\n" * 2000)
    assert said.splitlines()[-1].startswith(b"421 4.7.0")
    assert len(said) < 20_000


def test_messages_on_one_connection_are_counted(kit):
    talk = kit.Talk(limits=Limits(messages=2))
    for _ in range(2):
        talk.envelope()
        talk.say(MESSAGE)
        talk.answer()
    assert talk.line("MAIL FROM:<>").startswith("421 4.7.0")


def test_a_line_has_a_longest_length(kit):
    assert kit.Talk().say(b"NOOP " + b"x" * 3000).startswith(b"500 5.5.2")
    assert kit.Talk().say(b"NOOP " + b"x" * 3000 + b"\r\n").startswith(b"500 5.5.2")
    assert kit.Talk().say(b"NOOP " + b"x" * 2000 + b"\r\n").startswith(b"250")


def test_who_talks_before_the_greeting_is_refused(kit):
    session = Session(
        hostname="h",
        accepts=OwnAddresses(["a.example"], rest=True),
        limits=Limits(),
        share=Room(100).share("x"),
        spill=TemporaryFile,
        tls_ready=lambda: False,
    )
    events = session.receive(b"EHLO a\r\n")
    assert session.take_output().startswith(b"554 5.5.1")
    assert isinstance(events[-1], Close)


def test_a_message_under_way_at_the_end_of_the_connection_stays_the_sinks(kit):
    talk = kit.Talk()
    talk.envelope()
    talk.say(MESSAGE)
    talk.session.lost()
    assert talk.room.free < talk.limits.memory
    assert talk.answer() == b""
    assert talk.room.free == talk.limits.memory


PIECES = st.sampled_from(
    [
        b"EHLO a\r\n", b"HELO b\r\n", b"MAIL FROM:<>\r\n", b"MAIL FROM:<a@b.example> SIZE=3 SMTPUTF8\r\n",
        b"RCPT TO:<abuse@in.example.com>\r\n", b"RCPT TO:<x@y.example>\r\n", b"DATA\r\n", MESSAGE, b".\r\n",
        b"RSET\r\n", b"STARTTLS\r\n", b"QUIT\r\n", b"NOOP\r\n", b"\r\n", b"\n", b"\r", b"x" * 300, b"\0\xff",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25), st.randoms())
def test_cutting_the_input_anywhere_changes_nothing(pieces, dice):
    """But for what waits for an answer of ours: there the client must wait, so the cut is made by it."""

    def run(cuts):
        session = Session(
            hostname="h",
            accepts=OwnAddresses(["in.example.com"], rest=True),
            limits=Limits(errors=5),
            share=Room(10_000).share("x"),
            spill=TemporaryFile,
            tls_ready=lambda: True,
        )
        session.greet()
        said, messages = [session.take_output()], []

        def do(events):
            for event in events:
                if isinstance(event, Message):
                    messages.append(event)
                    do(session.answer(None, "N"))
                if isinstance(event, StartTls):
                    do(session.tls_started("TLSv1.3"))

        for piece in pieces:  # a client that never sends on before it has heard
            while piece:
                cut = cuts()
                do(session.receive(piece[:cut]))
                piece = piece[cut:]  # noqa: PLW2901
            said.append(session.take_output())
        return said, messages

    assert run(lambda: 10_000) == run(lambda: dice.randint(1, 4))


@given(st.binary(max_size=300))
def test_any_octets_end_in_replies_or_a_close(octets):
    session = Session(
        hostname="h",
        accepts=OwnAddresses(["in.example.com"], rest=True),
        limits=Limits(),
        share=Room(10_000).share("x"),
        spill=TemporaryFile,
        tls_ready=lambda: False,
    )
    session.greet()
    session.receive(octets)
    for line in session.take_output().splitlines():
        assert line[:3].isdigit()
