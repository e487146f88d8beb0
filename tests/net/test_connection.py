"""The connection on a transport in memory, with a clock that is moved by hand."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost

from bulkmail.mail import Category, Fate, Peer, Stage
from bulkmail.smtp import TlsMode

GREETING = b"220 mx.example\r\n", b"250-mx.example\r\n250 PIPELINING\r\n"  # as in conftest
ENVELOPE = b"250 s\r\n250 r\r\n354 go\r\n"


def test_two_messages_and_a_farewell(kit):
    listener = kit.Listener(kit.message(), kit.message("a@x.example", "b@x.example"))
    line = kit.Line(kit, listener)
    assert line.wire.nodelay
    assert line.conn.peer == Peer("mx.example", "192.0.2.1", line.wire.getHost().host)
    assert line.hear(ENVELOPE) == kit.STUFFED
    assert line.hear(b"250 ok\r\n").startswith(b"MAIL")
    assert (line.conn.messages, line.conn.capabilities.pipelining) == (2, True)
    assert line.hear(b"250 s\r\n550 a\r\n250 b\r\n354 go\r\n") == kit.STUFFED
    assert line.hear(b"250 ok\r\n") == b"QUIT\r\n"
    line.hear(b"221 bye\r\n")
    assert line.wire.disconnecting
    line.lose()
    assert " ".join(listener.heard) == "ready dot accepted over ready refused dot accepted over ready closed"
    assert (listener.closed.stage, listener.closed.reply.code) == (None, 221)
    assert "mx.example[192.0.2.1]" in repr(line.conn)
    assert line.conn.closed


def test_nothing_of_the_message_is_written_before_it_is_journalled(kit):
    listener = kit.Listener(kit.message())
    line = kit.Line(kit, listener)
    seen = []
    listener.at_dot = lambda _conn: seen.append(line.wire.value())
    line.wire.clear()
    line.conn.dataReceived(ENVELOPE)
    assert seen == [b""]
    assert line.wire.value() == kit.STUFFED


def test_a_journal_that_fails_keeps_the_message_unsent(kit):
    def fail(conn):
        raise OSError("disk full")

    listener = kit.Listener(kit.message())
    listener.at_dot = fail
    line = kit.Line(kit, listener)
    assert line.hear(ENVELOPE) == b""
    (settled,) = listener.settlements
    assert (settled.fate, settled.note) == (Fate.UNTRIED, "could not be written down: disk full")
    assert listener.closed.own_fault
    assert line.wire.aborting


def test_the_journal_is_not_asked_for_a_message_that_will_not_go_out(kit):
    listener = kit.Listener(kit.message("a@x.example", "b@x.example"))
    listener.at_settled = lambda conn: conn.abort()
    line = kit.Line(kit, listener)
    assert line.hear(b"250 s\r\n550 a\r\n250 b\r\n354 go\r\n") == b""
    assert listener.heard == ["ready", "refused", "untried", "over", "closed"]


MAIL_TWO = b"MAIL FROM:<s@me.example>\r\nRCPT TO:<r@you.example>\r\nDATA\r\n"
BEHIND = b"250 ok\r\n" + ENVELOPE


def test_one_round_trip_a_message(kit):
    listener = kit.Listener(*(kit.message() for _ in range(4)), follows=True)
    line = kit.Line(kit, listener)
    assert line.hear(ENVELOPE) == kit.STUFFED + MAIL_TWO
    assert line.hear(BEHIND) == kit.STUFFED + MAIL_TWO
    assert line.hear(BEHIND) == kit.STUFFED + MAIL_TWO
    assert line.hear(BEHIND) == kit.STUFFED  # nothing follows the last one
    assert line.hear(b"250 ok\r\n") == b"QUIT\r\n"
    assert " ".join(listener.heard) == "ready dot" + " accepted over dot" * 3 + " accepted over ready"
    assert line.conn.messages == 4


def test_the_dot_before_is_told_and_the_next_one_journalled_before_the_next_body(kit):
    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    seen = []
    listener.at_dot = lambda _conn: seen.append((listener.heard[-3:], line.wire.value()))
    line.hear(b"250 ok\r\n250 s\r\n250 r\r\n")
    assert listener.heard == ["ready", "dot"]
    assert line.hear(b"354 go\r\n") == kit.STUFFED
    assert seen == [(["accepted", "over", "dot"], b"")]


def test_a_2xx_that_is_not_proven_yet_is_told_at_once_and_once(kit):
    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    line.hear(b"250 ok\r\n")
    line.hear(b"250 s\r\n")
    ((event, heard),) = listener.answers
    assert (str(event.fate), event.reply.code, heard) == ("accepted", 250, ["ready", "dot"])
    line.hear(b"250 r\r\n354 go\r\n")
    assert [event for event, _ in listener.answers] == [event]
    assert listener.settlements == [event]


CHUNKING = b"220 mx.example\r\n", b"250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
TAKEN = b"250 s\r\n250 r\r\n250 ok\r\n"
ONE = b"MAIL FROM:<s@me.example>\r\nRCPT TO:<r@you.example>\r\nBDAT 27 LAST\r\n"


def chunking(kit, listener):
    """A connection to a server with CHUNKING, and what is written once it is ready."""
    line = kit.Line(kit, listener, greet=False)
    for data in CHUNKING:
        said = line.hear(data)
    return line, said


def test_a_window_leaves_in_one_write_and_is_journalled_before(kit):
    listener = kit.Listener(*(kit.message() for _ in range(3)), follows=True)
    seen = []
    listener.at_dot = lambda _conn: seen.append(line_said())
    line = kit.Line(kit, listener, greet=False)
    line_said = line.wire.value
    line.hear(CHUNKING[0])
    said = line.hear(CHUNKING[1])
    assert seen == [b""] * 3
    assert said == (ONE + kit.MESSAGE) + 2 * (b"RSET\r\n" + ONE + kit.MESSAGE)
    assert line.conn.chunking
    assert line.hear(TAKEN + 2 * (b"250 reset\r\n" + TAKEN)) == b"QUIT\r\n"
    assert " ".join(listener.heard) == "ready dot dot dot" + " accepted over" * 3 + " ready"


def test_more_of_the_window_is_asked_for_with_each_reply(kit):
    listener = kit.Listener(kit.message())
    line, said = chunking(kit, listener)
    assert said == ONE + kit.MESSAGE
    listener.follows = True
    listener.queue.append(kit.message())
    assert line.hear(b"250 s\r\n") == b"RSET\r\n" + ONE + kit.MESSAGE
    line.hear(b"250 r\r\n250 ok\r\n")
    ((event, heard),) = listener.answers
    assert (str(event.fate), heard) == ("accepted", ["ready", "dot", "dot"])
    line.hear(b"250 reset\r\n" + TAKEN)
    assert len(listener.answers) == 1
    assert [str(settled.fate) for settled in listener.settlements] == ["accepted", "accepted"]


def test_a_journal_that_fails_keeps_the_whole_window_unsent(kit):
    def fail(conn):
        if listener.heard.count("dot") == 2:
            raise OSError("disk full")

    listener = kit.Listener(kit.message(), kit.message(), kit.message(), follows=True)
    listener.at_dot = fail
    _, said = chunking(kit, listener)
    assert said == b""
    assert [str(settled.fate) for settled in listener.settlements] == ["untried", "untried"]
    assert listener.closed.own_fault


def test_a_journal_that_fails_leaves_what_is_on_the_wire_to_be_answered(kit):
    """It is a fault of our own: nobody's message may become ambiguous by it."""

    def fail(conn):
        if listener.heard.count("dot") == 3:
            raise OSError("disk full")

    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    listener.at_dot = fail
    line, _ = chunking(kit, listener)
    listener.queue.append(kit.message())
    assert line.hear(b"250 s\r\n") == b""
    assert [str(settled.fate) for settled in listener.settlements] == ["untried"]
    assert line.hear(b"250 r\r\n250 ok\r\n") == b""
    assert line.hear(b"250 reset\r\n" + TAKEN) == b"QUIT\r\n"
    assert [str(settled.fate) for settled in listener.settlements] == ["untried", "accepted", "accepted"]
    line.hear(b"221 bye\r\n")
    assert line.wire.disconnecting


def test_what_was_told_before_its_proof_may_be_contradicted(kit):
    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    line.hear(b"250 ok\r\n")
    line.hear(b"354 too early\r\n")
    assert [str(event.fate) for event, _ in listener.answers] == ["accepted"]
    assert [str(event.fate) for event in listener.settlements] == ["unknown", "untried"]


def test_replies_that_come_together_need_no_telling_before(kit):
    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    line.hear(BEHIND)
    assert listener.answers == []


def test_a_journal_that_fails_has_nothing_follow(kit):
    listener = kit.Listener(kit.message(), kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)

    def fail(conn):
        raise OSError("disk full")

    listener.at_dot = fail
    assert line.hear(BEHIND) == b""
    assert [str(event.fate) for event in listener.settlements] == ["accepted", "untried"]
    assert (listener.closed.own_fault, len(listener.queue)) == (True, 1)


def test_following_is_not_asked_for_without_pipelining(kit):
    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener, greet=False)
    for data in (GREETING[0], b"250 mx\r\n", b"250 s\r\n", b"250 r\r\n"):
        line.hear(data)
    assert line.hear(b"354 go\r\n") == kit.STUFFED
    with pytest.raises(RuntimeError):
        line.conn.submit_behind(kit.message())


def test_one_that_is_ruled_out_is_told_and_the_dot_goes_alone(kit):
    listener = kit.Listener(kit.message(), kit.message(body=b"x" * 200 + b"\r\n"), follows=True)
    line = kit.Line(kit, listener, greet=False)
    line.hear(GREETING[0])
    line.hear(b"250-mx\r\n250-SIZE 100\r\n250 PIPELINING\r\n")
    assert line.hear(ENVELOPE) == kit.STUFFED
    assert listener.heard == ["ready", "dot", "refused", "over"]


@pytest.mark.parametrize(
    ("said", "fates", "failed"),
    [
        (b"250 ok\r\n250 again\r\n250 s\r\n250 r\r\n", ["accepted", "untried"], True),
        (b"250 ok\r\n250 s\r\n354 go\r\n", ["unknown", "untried"], True),
        (b"250 ok\r\n421 enough\r\n", ["accepted", "untried"], False),
        (b"421 enough\r\n", ["refused", "untried"], False),
    ],
)
def test_an_end_with_one_behind(kit, said, fates, failed):
    listener = kit.Listener(kit.message(), kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    assert line.hear(said) == b""
    assert [str(event.fate) for event in listener.settlements] == fates
    assert listener.closed.pipelining_failed == failed
    assert len(listener.queue) == 1


def test_a_server_that_drops_what_stands_behind_a_dot(kit):
    listener = kit.Listener(kit.message(), kit.message(), follows=True)
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    line.hear(b"250 ok\r\n")
    line.clock.advance(60)
    assert [str(event.fate) for event in listener.settlements] == ["accepted", "untried"]
    assert (listener.closed.reason, listener.closed.pipelining_failed) == ("no answer to MAIL within 60 s", True)


def test_what_waits_behind_a_message_tells_no_readiness(kit):
    listener = kit.Listener(kit.message(), kit.message())
    line = kit.Line(kit, listener)
    line.hear(ENVELOPE)
    line.hear(b"250 ok\r\n421 enough\r\n")
    assert listener.heard == ["ready", "dot", "accepted", "over", "closed"]
    assert len(listener.queue) == 1


def test_another_listener_may_take_over(kit):
    first, second = kit.Listener(quits=False), kit.Listener(quits=False)
    line = kit.Line(kit, first)
    assert line.conn.listener is first
    line.conn.listener = second
    line.conn.submit(kit.message())
    line.hear(ENVELOPE)
    line.hear(b"250 ok\r\n")
    assert (first.heard, second.heard) == (["ready"], ["dot", "accepted", "over", "ready"])


def test_our_own_verdict_does_not_recurse(kit):
    too_large = [kit.message() for _ in range(3000)]
    listener = kit.Listener(*too_large)
    line = kit.Line(kit, listener, greet=False)
    line.hear(b"220 mx\r\n")
    assert line.hear(b"250-mx\r\n250 SIZE 10\r\n") == b"QUIT\r\n"
    assert len(listener.settlements) == 3000
    assert {event.category for event in listener.settlements} == {Category.TOO_LARGE}


STAGES = [
    ("greeting", (), "no greeting within 60 s", None),
    ("ehlo", (GREETING[0],), "no answer to EHLO within 60 s", None),
    ("mail", GREETING, "no answer to MAIL within 60 s", "lost"),
    ("rcpt", (*GREETING, b"250 s\r\n"), "no answer to RCPT within 60 s", "lost"),
    ("data", (*GREETING, b"250 s\r\n250 r\r\n"), "no answer to DATA within 120 s", "lost"),
    ("dot", (*GREETING, ENVELOPE), "no answer to the final dot within 600 s", "unknown"),
]


@pytest.mark.parametrize(("stage", "before", "words", "fate"), STAGES)
def test_every_wait_has_a_deadline_over_the_whole_reply(kit, stage, before, words, fate):
    listener = kit.Listener(kit.message())
    line = kit.Line(kit, listener, greet=False)
    for data in before:
        line.conn.dataReceived(data)
    seconds = kit.DEFAULTS[stage]
    line.conn.dataReceived(b"2")
    for _ in range(9):
        line.clock.advance(seconds / 10)
        line.conn.dataReceived(b"5")  # a drip does not help
    assert listener.closed is None
    line.clock.advance(seconds / 10)
    assert listener.closed.reason == words
    assert listener.closed.stage == Stage(stage)
    assert [str(event.fate) for event in listener.settlements] == ([fate] if fate else [])
    assert line.wire.aborting
    line.lose()


def test_a_thousand_messages_leave_the_timer_alone(kit):
    listener = kit.Listener(*(kit.message() for _ in range(1001)))  # QUIT, which has little time, is not reached
    line = kit.Line(kit, listener)
    (timer,) = line.clock.getDelayedCalls()
    for _ in range(1000):
        line.hear(ENVELOPE)
        line.hear(b"250 ok\r\n")
        assert line.clock.getDelayedCalls() == [timer]
    assert len(listener.settlements) == 1000


def test_an_idle_connection_has_no_deadline_and_half_a_421_has(kit):
    listener = kit.Listener(quits=False)
    line = kit.Line(kit, listener)
    line.clock.advance(10_000)
    assert listener.closed is None
    assert line.conn.ready
    line.conn.dataReceived(b"42")
    assert not line.conn.ready
    line.clock.advance(60)
    assert (listener.closed.stage, listener.closed.category) == (None, Category.NO_ANSWER)


def test_quit_unanswered_closes_after_its_timeout(kit):
    listener = kit.Listener()
    line = kit.Line(kit, listener)
    assert line.wire.said().endswith(b"QUIT\r\n")
    line.clock.advance(10)
    assert listener.closed.reason == "no answer to QUIT within 10 s"
    line.lose()


def test_last_words_that_nobody_takes_do_not_hold_the_socket(kit):
    listener = kit.Listener()
    line = kit.Line(kit, listener, greet=False)
    assert line.hear(b"554 no\r\n") == b"QUIT\r\n"
    assert (listener.closed.stage, listener.closed.reply.code) == (Stage.GREETING, 554)
    assert line.wire.disconnecting
    assert not line.wire.aborting
    line.clock.advance(10)
    assert line.wire.aborting
    line.lose()


def test_protocol_errors_abort(kit):
    listener = kit.Listener(quits=False)
    line = kit.Line(kit, listener)
    assert line.hear(b"250 nobody asked\r\n") == b""
    assert listener.closed.category is Category.PROTOCOL
    assert line.wire.aborting
    line.conn.dataReceived(b"more\r\n")
    line.lose()
    assert listener.heard == ["ready", "closed"]


@pytest.mark.parametrize(
    ("error", "words"),
    [(ConnectionDone(), "the server closed the connection"), (ConnectionLost(), "connection lost: ")],
)
def test_a_lost_connection_settles_what_is_open(kit, error, words):
    listener = kit.Listener(kit.message())
    line = kit.Line(kit, listener)
    line.conn.dataReceived(b"250 s\r\n")
    line.lose(error)
    (settled,) = listener.settlements
    assert (settled.fate, settled.stage) == (Fate.LOST, Stage.RCPT)
    assert settled.note.startswith(words)


def test_abort_charges_nobody_and_closes_at_once(kit):
    listener = kit.Listener(kit.message())
    line = kit.Line(kit, listener)
    line.conn.abort("stopped")
    line.conn.abort("again")
    line.conn.quit()
    assert [(event.fate, event.note) for event in listener.settlements] == [(Fate.UNTRIED, "stopped")]
    assert line.wire.aborting
    assert listener.heard[-1] == "closed"
    line.lose()


def test_submit_reports_what_may_not_be_sent(kit):
    line = kit.Line(kit, kit.Listener(quits=False))
    with pytest.raises(ValueError, match="character"):
        line.conn.submit(kit.message("a@x.example>\r\nDATA"))
    assert line.conn.ready
    line.conn.submit(kit.message())
    with pytest.raises(RuntimeError):
        line.conn.submit(kit.message())


class TestTls:
    class Certified:
        """A handshake with a fixed opinion of the certificate."""

        resuming = True
        large = False
        unanswered = True

        def __init__(self, objection: str = "") -> None:
            self.words = objection
            self.heard: list[str] = []

        def remember(self, connection: object) -> None:
            self.heard.append("remember")

        def failed(self) -> None:
            self.heard.append("failed")

        def objection(self, connection: object) -> str:
            return self.words

    class Handle:
        def get_protocol_version_name(self) -> str:
            return "TLSv1.3"

        def get_cipher_name(self) -> str:
            return "TLS_AES_128_GCM_SHA256"

        def get_group_name(self) -> str:
            return "x25519"

    def upgrade(self, kit, listener, objection: str = "", *, large: bool = False, **timeouts) -> object:
        self.handshake = self.Certified(objection)
        self.handshake.large = large
        options = {"mode": TlsMode.OPPORTUNISTIC, "handshake": self.handshake}
        line = kit.Line(kit, listener, greet=False, **options, **timeouts)
        line.hear(GREETING[0])
        assert line.hear(b"250-mx\r\n250 STARTTLS\r\n") == b"STARTTLS\r\n"
        assert line.hear(b"220 go\r\n") == b""
        assert line.wire.tls is not None
        line.wire.getHandle = self.Handle
        return line

    def test_ehlo_follows_the_handshake_and_the_version_is_told(self, kit):
        listener = kit.Listener(quits=False)
        line = self.upgrade(kit, listener)
        line.conn.handshakeCompleted()
        assert line.wire.said() == b"EHLO me.example\r\n"
        assert self.handshake.heard == [], "the ticket of TLS 1.3 comes with what is read next"
        line.hear(b"250 mx\r\n")
        peer = line.conn.peer
        assert (peer.tls, peer.cipher, peer.group) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519")
        assert listener.heard == ["ready"]
        assert self.handshake.heard == ["remember"]
        line.conn.submit(kit.message())
        line.hear(b"550 s\r\n")
        assert self.handshake.heard == ["remember"], "once for each connection"

    def test_an_objection_ends_it_before_a_word_is_said(self, kit):
        listener = kit.Listener()
        line = self.upgrade(kit, listener, "the certificate is not for mx.example")
        line.conn.handshakeCompleted()
        assert line.wire.said() == b""
        closed = listener.closed
        assert (closed.stage, closed.category, closed.tls_failed) == (Stage.STARTTLS, Category.TLS, True)
        assert line.wire.aborting
        line.conn.handshakeCompleted()
        assert self.handshake.heard == ["failed"], "nothing of it is resumed"
        assert line.conn.resuming

    def test_a_handshake_has_a_deadline(self, kit):
        listener = kit.Listener()
        line = self.upgrade(kit, listener)
        line.clock.advance(30)
        assert listener.closed.reason == "no TLS handshake within 30 s"
        assert listener.closed.tls_failed

    def test_a_connection_lost_in_the_handshake_is_a_failed_handshake(self, kit):
        listener = kit.Listener()
        self.upgrade(kit, listener).lose()
        assert listener.closed.reason == "TLS handshake failed: the server closed the connection"
        assert listener.closed.tls_failed

    @pytest.mark.parametrize(("patience", "seconds"), [(30.0, 5.0), (2.0, 2.0)])
    def test_a_large_hello_is_waited_for_5_seconds_then_a_small_one_may_help(self, kit, patience, seconds):
        listener = kit.Listener()
        line = self.upgrade(kit, listener, large=True, starttls=patience)
        line.clock.advance(seconds)
        assert listener.closed.reason == f"no TLS handshake within {seconds:g} s"
        assert line.conn.wants_small_hello

    @pytest.mark.parametrize(
        ("large", "unanswered", "error", "wants"),
        [
            (True, True, ConnectionDone(), True),
            (True, True, ConnectionLost(), True),
            (True, True, SSL.Error([("", "", "tls alert handshake failure")]), False),
            (True, False, ConnectionLost(), False),
            (False, True, ConnectionLost(), False),
        ],
    )
    def test_a_small_hello_may_help_where_a_large_one_got_no_answer_at_all(self, kit, large, unanswered, error, wants):
        line = self.upgrade(kit, kit.Listener(), large=large)
        self.handshake.unanswered = unanswered
        line.lose(error)
        assert line.conn.wants_small_hello is wants

    def test_a_handshake_that_is_under_way_was_answered(self, kit):
        line = self.upgrade(kit, kit.Listener(), large=True)
        self.handshake.unanswered = False
        line.clock.advance(5)
        line.clock.advance(24)
        assert line.listener.closed is None, "it has the patience of the settings"
        line.clock.advance(1)
        assert line.listener.closed.reason == "no TLS handshake within 30 s"
        assert not line.conn.wants_small_hello

    def test_implicit_tls_starts_with_the_connection(self, kit):
        listener = kit.Listener(quits=False)
        handshake = self.Certified()
        options = {"mode": TlsMode.VERIFY, "handshake": handshake, "implicit_tls": True}
        line = kit.Line(kit, listener, greet=False, **options)
        assert line.wire.tls is handshake
        line.wire.getHandle = self.Handle
        line.conn.handshakeCompleted()
        assert line.wire.said() == b""
        assert line.hear(GREETING[0]) == b"EHLO me.example\r\n"
        line.hear(b"250 mx\r\n")
        assert (line.conn.peer.tls, listener.heard, handshake.heard) == ("TLSv1.3", ["ready"], ["remember"])
        late = kit.Listener()
        line = kit.Line(kit, late, greet=False, **{**options, "handshake": self.Certified()})
        line.clock.advance(30)
        assert (late.closed.reason, late.closed.tls_failed) == ("no TLS handshake within 30 s", True)

    def test_plaintext_behind_220_starts_no_handshake(self, kit):
        listener = kit.Listener()
        line = kit.Line(kit, listener, greet=False, mode=TlsMode.OPPORTUNISTIC)
        line.hear(GREETING[0])
        line.hear(b"250-mx\r\n250 STARTTLS\r\n")
        line.hear(b"220 go\r\n250-mx\r\n250 PIPELINING\r\n")
        assert line.wire.tls is None
        assert (listener.closed.stage, line.wire.aborting) == (Stage.STARTTLS, True)

    def test_an_abort_before_the_handshake_starts_none(self, kit):
        listener = kit.Listener()
        line = self.upgrade(kit, listener)
        line.conn.abort()
        assert listener.closed.stage is Stage.STARTTLS


def test_what_is_said_is_told_from_the_first_look_on(kit):
    told = []
    line = kit.Line(kit, kit.Listener(kit.message(), kit.message()))
    line.conn.tell(lambda what, text: told.append((str(what), text)))
    line.hear(ENVELOPE)
    line.conn.tell(lambda what, text: told.append((str(what), text)))  # another look at the same one
    line.hear(b"250 ok\r\n")
    line.conn.tell(None)
    line.hear(ENVELOPE)
    assert [text for what, text in told if what == "note"] == ["seen from here on, after 1 message"]
    assert told[1:7] == [
        ("reply", "250 s"), ("reply", "250 r"), ("reply", "354 go"),
        ("message", f"{len(kit.STUFFED) - 3} bytes"), ("command", "."), ("reply", "250 ok"),
    ]  # fmt: skip
    assert told[-1] == ("command", "DATA")


def test_the_way_of_a_connection_is_told_in_notes(kit):
    told = []
    line = kit.Line(kit, kit.Listener(), greet=False)
    line.conn.tell(lambda what, text: told.append(f"{what}: {text}"))
    line.hear(b"554 go away\r\n")
    assert told == [
        "note: seen from here on, after 0 messages", "reply: 554 go away", "command: QUIT",
        "note: closed: refused: 554 go away",
    ]  # fmt: skip
