"""What is on the wire when, and that only what was asked for is an answer."""

from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, Stage
from bulkmail.smtp import Closed, DotNext, Phase, Settled, Slot, Transaction
from bulkmail.smtp import pipeline as module
from bulkmail.smtp.pipeline import Pipeline


def test_the_server_speaks_first():
    line = Pipeline()
    assert (line.oldest, line.asked, line.stage, line.pending) == (Slot.BANNER, 1, Stage.GREETING, False)
    line.answered()
    assert (line.oldest, line.asked, line.stage) == (None, 0, None)


def test_replies_are_asked_for_when_the_commands_are_taken():
    line = Pipeline()
    line.answered()
    line.send_group([(Slot.MAIL, 0, "MAIL\r\n"), (Slot.RCPT, 1, "RCPT\r\n")])
    assert (line.asked, line.pending) == (0, True)
    assert line.take() == b"MAIL\r\nRCPT\r\n"
    assert (line.asked, line.pending, line.take()) == (2, False, b"")


def test_turn_moves_with_the_oldest_owed_reply_and_with_each_piece(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 4)
    line = Pipeline()
    turns = [line.turn]
    line.answered()
    turns.append(line.turn)
    line.send_command(Slot.MAIL, "MAIL\r\n")
    turns.append(line.turn)
    line.send_command(Slot.RCPT, "RCPT\r\n")
    assert line.turn == turns[-1]  # the oldest is the same
    line.take()
    assert line.turn == turns[-1]
    line.answered()
    line.answered()
    line.send_message(b"123456")
    for piece in (b"1234", b"56.\r\n"):
        turns.append(line.turn)
        assert line.take() == piece
    turns.append(line.turn)
    assert turns == sorted(set(turns))


def test_the_dot_is_asked_for_once_its_last_piece_is_taken(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 4)
    line = Pipeline()
    line.answered()
    line.send_message(b"123456")
    assert (line.in_message, line.asked) == (True, 0)
    line.take()
    assert (line.in_message, line.asked) == (True, 0)
    line.take()
    assert (line.in_message, line.asked) == (False, 1)


def test_what_is_said_behind_a_message_leaves_in_one_write_with_its_dot(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 4)
    line = Pipeline()
    line.answered()
    line.send_message(b"123456")
    line.send_group([(Slot.MAIL, 0, "MAIL\r\n"), (Slot.DATA, 0, "DATA\r\n")])
    assert (line.take(), line.asked) == (b"1234", 0)
    assert (line.take(), line.asked) == (b"56.\r\nMAIL\r\nDATA\r\n", 3)
    assert (line.pending, line.take()) == (False, b"")


def test_after_drop_only_the_last_words_are_left():
    line = Pipeline()
    line.send_command(Slot.EHLO, "EHLO\r\n")
    line.drop(b"QUIT\r\n")
    assert (line.take(), line.owed, line.asked) == (b"QUIT\r\n", type(line.owed)(), 0)
    line.send_message(b"x\r\n")
    line.drop()
    assert (line.take(), line.in_message) == (b"", False)


def test_with_pipelining_a_group_is_one_write(talk):
    spoken = talk().ready("PIPELINING")
    spoken.submit("a@x.example", "b@x.example")
    assert spoken.said == b"MAIL FROM:<s@me.example>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"
    spoken.hear("250 s", "250 a", "250 b", "354 go")
    assert spoken.said == talk.STUFFED


@pytest.mark.parametrize("options", [{}, {"pipelining": False}])
def test_without_it_one_command_at_a_time(talk, options):
    spoken = talk(**options).ready(*(["PIPELINING"] if options else []))
    spoken.submit("a@x.example", "b@x.example")
    said = [spoken.said]
    for line in ("250 s", "250 a", "251 b", "354 go"):
        spoken.hear(line)
        said.append(spoken.said)
    assert said == [
        b"MAIL FROM:<s@me.example>\r\n",
        b"RCPT TO:<a@x.example>\r\n",
        b"RCPT TO:<b@x.example>\r\n",
        b"DATA\r\n",
        talk.STUFFED,
    ]


EARLY = [
    ((), ["220 mx", "250 too early"]),
    (("220 mx",), ["250 mx", "250 surplus"]),
    (("220 mx", "250 mx"), ["250 nobody asked"]),
    (("220 mx", "250 mx"), ["garbage"]),
    (("220 mx", "250 mx"), ["500 what"]),
    (("220 mx", "250 mx"), ["422 no 421"]),
    (("220 mx", "250 mx", "submit"), ["250 sender", "250 recipient"]),  # RCPT is not said yet
]


@pytest.mark.parametrize(("before", "lines"), EARLY)
def test_what_nobody_asked_for_ends_the_session(talk, before, lines):
    spoken = talk()
    for step in before:
        spoken.submit() if step == "submit" else spoken.hear(step)
    closed = spoken.hear(*lines)[-1]
    assert isinstance(closed, Closed)
    assert closed.category is Category.PROTOCOL
    assert spoken.said == b""
    assert Fate.ACCEPTED not in [fate for _, fate, _ in spoken.fates]


@pytest.mark.parametrize("goodbye", [["421 idle"], ["421-idle", "421 bye"], ["421"]])
def test_a_421_between_transactions_is_an_orderly_end(talk, goodbye):
    spoken = talk().ready()
    closed = spoken.hear(*goodbye)[-1]
    assert (closed.stage, closed.reply.code, closed.category) == (None, 421, None)


def test_half_a_421_makes_the_session_unready_and_has_a_deadline(talk):
    spoken = talk().ready()
    turn = spoken.session.turn
    assert spoken.session.receive(b"4") == []
    assert not spoken.session.ready
    assert (spoken.session.patience, spoken.session.turn) == ("mail", turn + 1)
    assert spoken.session.receive(b"21 dripp") == []
    assert spoken.session.turn == turn + 1  # dripping gains no time
    with pytest.raises(RuntimeError):
        spoken.submit()
    (closed,) = spoken.session.receive(b"ed\r\n")
    assert closed.reply.lines == ("dripped",)


def test_a_surplus_2xx_after_the_dot_closes_and_the_dot_stands(talk):
    spoken = talk().ready()
    transaction = spoken.submit()
    spoken.hear("250 s")
    spoken.hear("250 r")
    spoken.hear("354 go")
    events = spoken.hear("250 ok", "250 and again")
    assert [type(event).__name__ for event in events] == ["Settled", "TransactionOver", "Ready", "Closed"]
    assert events[0].transaction is transaction
    assert events[0].fate is Fate.ACCEPTED


def test_a_surplus_reply_never_becomes_a_success(talk):
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    closed = spoken.hear("250 s", "250 r", "250 surplus", "354 go", "250 ok")[-1]
    assert closed.category is Category.PROTOCOL
    assert spoken.fates == [(0, "lost", "data")]


@pytest.mark.parametrize("reply", ["250 ok", "250-ok", "354 again", "x"])
def test_a_success_before_the_message_is_written_is_none(talk, reply):
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    events = spoken.hear("250 s", "250 r", "354 go", reply)
    assert isinstance(events[0], DotNext)
    assert spoken.fates == [(0, "lost", "data")]
    assert spoken.said == b""


@pytest.mark.parametrize("reply", ["552 too big", "452 full"])
@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_refusal_in_the_middle_of_the_message_is_one(talk, monkeypatch, reply, taken):
    monkeypatch.setattr(module, "PIECE", 8)
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    session = spoken.session
    spoken.events += session.receive(b"250 s\r\n250 r\r\n354 go\r\n")
    for _ in range(taken):
        assert len(session.take_output()) == 8
    assert session.patience == "body"
    spoken.hear(reply)
    assert spoken.fates == [(0, "refused", "dot")]
    closed = spoken.events[-1]
    assert (closed.stage, closed.reply.code) == (Stage.DOT, int(reply[:3]))
    assert spoken.said == b""


def test_a_success_that_began_before_the_dot_was_written_is_none(talk, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 8)
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    session = spoken.session
    session.receive(b"250 s\r\n250 r\r\n354 go\r\n")
    session.take_output()
    spoken.events += session.receive(b"25")
    spoken.drain()
    assert session.receive(b"0 ok\r\n") == []
    assert spoken.fates == [(0, "lost", "data")]


def test_all_recipients_refused_and_yet_354_gets_a_lone_dot(talk):
    spoken = talk().ready("PIPELINING")
    transaction = spoken.submit("a@x.example", "b@x.example")
    events = spoken.hear("250 s", "550 a", "450 b", "354 go")
    assert spoken.said == b".\r\n"
    assert [type(event).__name__ for event in events] == ["Settled", "Settled", "TransactionOver"]
    assert not spoken.session.ready
    spoken.hear("554 no valid recipients")
    assert spoken.session.ready
    assert [e for e in spoken.events if isinstance(e, Settled)] == [e for e in events if isinstance(e, Settled)]
    assert transaction.recipients == ("a@x.example", "b@x.example")


def test_a_large_message_comes_in_pieces_with_one_dot(talk):
    spoken = talk().ready("PIPELINING")
    message = b".line\r\n" * 200_000
    spoken.session.submit(Transaction("", ("r@x.example",), message))
    spoken.drain()
    spoken.session.receive(b"250 s\r\n250 r\r\n354 go\r\n")
    pieces = []
    while spoken.session.output_pending:
        assert spoken.session.phase is Phase.BODY
        pieces.append(spoken.session.take_output())
    assert len(pieces) > 5
    assert max(map(len, pieces)) <= module.PIECE + 3
    assert b"".join(pieces) == b"..line\r\n" * 200_000 + b".\r\n"
    assert spoken.session.patience == "dot"
