"""Several messages in entry by BDAT: every row of the module's table, what is on the wire, and when it is told."""

from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, Reply
from bulkmail.smtp import Closed, DotNext, Ready, Settled, Transaction, TransactionOver
from bulkmail.smtp import pipeline as pipeline_module
from bulkmail.smtp.settlement import Ending
from bulkmail.smtp.window import Window

ACCEPTED, REFUSED, UNKNOWN = ("accepted", "dot", 250), ("refused", "dot", 550), ("unknown", "dot", 0)
FREE = ("untried", "mail", 0)
FIRST, NEXT = ["250 s", "250 r", "250 taken"], ["250 reset", "250 s", "250 r", "250 taken"]


def window(talk, count: int = 3, *extensions: str, **options):
    """So many messages on the wire, none answered."""
    spoken = talk(**options).ready("PIPELINING", "CHUNKING", *extensions)
    flying = [spoken.submit(message=b"1\r\n")]
    flying += [spoken.submit_behind(f"r{n}@you.example", message=b"%d\r\n" % n) for n in range(2, count + 1)]
    spoken.events.clear()
    return spoken, flying


def test_a_message_is_one_group_with_its_commands_and_is_not_stuffed(talk):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    assert spoken.session.chunking
    transaction = spoken.submit("a@x.example", "b@x.example")
    assert spoken.events[-1] == DotNext(transaction)
    assert spoken.said == (
        b"MAIL FROM:<s@me.example>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 27 LAST\r\n" + talk.MESSAGE
    )
    events = spoken.hear("250 s", "250 a", "550 b", "250 taken")
    assert [type(event) for event in events] == [Settled, Settled, TransactionOver, Ready]
    assert spoken.fate_of(transaction) == [("refused", "rcpt", 550), ACCEPTED]


def test_the_next_one_has_an_rset_before_its_mail(talk):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    spoken.submit(message=b"1\r\n")
    spoken.submit_behind("r2@you.example", message=b"2\r\n", sender="s2@me.example")
    assert spoken.said == b"RSET\r\nMAIL FROM:<s2@me.example>\r\nRCPT TO:<r2@you.example>\r\nBDAT 3 LAST\r\n2\r\n"


@pytest.mark.parametrize("verdict", ["550 no", "450 later"])
def test_after_a_refusal_the_next_window_begins_with_rset_and_after_success_it_does_not(talk, verdict):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    for reply, begins in (("250 taken", b"MAIL"), (verdict, b"MAIL"), ("250 taken", b"RSET"), ("250 taken", b"MAIL")):
        spoken.submit()
        assert spoken.said.startswith(begins)
        spoken.hear(*(["250 reset"] if begins == b"RSET" else []), "250 s", "250 r", reply)
        assert spoken.session.ready
    spoken.submit()
    spoken.submit_behind()
    spoken.hear("250 s", "250 r", verdict, *NEXT)
    spoken.submit()
    assert spoken.said.startswith(b"MAIL")  # the second one's RSET did it


@pytest.mark.parametrize("extensions", [("CHUNKING",), ("PIPELINING",)])
def test_without_both_extensions_it_is_data(talk, extensions):
    spoken = talk().ready(*extensions)
    assert not spoken.session.chunking
    spoken.submit()
    assert b"BDAT" not in spoken.said


@pytest.mark.parametrize("options", [{"chunking": False}, {"pipelining": False}])
def test_it_can_be_switched_off(talk, options):
    spoken = talk(**options).ready("PIPELINING", "CHUNKING")
    assert not spoken.session.chunking


def test_it_is_the_list_under_tls_that_counts(talk):
    spoken = talk(tls="required")
    spoken.hear("220 mx")
    spoken.hear("250-mx", "250-PIPELINING", "250-CHUNKING", "250 STARTTLS")
    spoken.hear("220 go")
    spoken.told(spoken.session.tls_established("TLSv1.3"))
    spoken.hear("250-mx", "250 PIPELINING")
    assert not spoken.session.chunking


# what the server says to three messages, in one go; their fates; what follows
TABLE = {
    "barrier": ([*FIRST, *NEXT, *NEXT], [ACCEPTED] * 3, "ready"),
    "one refused": ([*FIRST, "250 x", "250 s", "250 r", "550 d", *NEXT], [ACCEPTED, REFUSED, ACCEPTED], "ready"),
    "MAIL refused": (
        [*FIRST, "250 x", "550 s", "503 r", "503 d", *NEXT],
        [ACCEPTED, ("refused", "mail", 550), ACCEPTED],
        "ready",
    ),
    "RCPT refused": (
        ["250 s", "450 r", "554 d", *NEXT, *NEXT],
        [("refused", "rcpt", 450), ACCEPTED, ACCEPTED],
        "ready",
    ),
    "421 at BDAT": (
        [*FIRST, "250 x", "250 s", "250 r", "421 bye"],
        [ACCEPTED, ("refused", "dot", 421), FREE],
        "closed",
    ),
    "421 at RSET": ([*FIRST, "421 bye"], [ACCEPTED, ("untried", "mail", 421), FREE], "closed"),
    "421 at RCPT": (["250 s", "421 bye"], [("refused", "rcpt", 421), FREE, FREE], "closed"),
    "421 first of all": (["421 bye"], [("refused", "mail", 421), FREE, FREE], "closed"),
    "421 behind a refused RCPT": (
        [*FIRST, "250 x", "250 s", "550 r", "421 bye"],
        [ACCEPTED, ("refused", "rcpt", 550), FREE],
        "closed",
    ),
    "surplus 2xx": ([*FIRST, *NEXT, *NEXT, "250 again"], [ACCEPTED] * 3, "failed"),
    "surplus 2xx and a refusal": (
        [*FIRST, "250 x", "250 s", "550 r", "554 d", *NEXT, "250 again"],
        [ACCEPTED, UNKNOWN, ACCEPTED],  # the refusal may be RCPT's or BDAT's own, or the one before
        "failed",
    ),
    "stray 2xx, then a refusal": (
        ["250 stray", *FIRST, "250 x", "250 s", "550 r", "554 d", *NEXT],
        [UNKNOWN] * 3,  # 554 stands where RSET's reply belongs
        "failed",
    ),
    "RCPT's reply in BDAT's place": (
        ["250 stray", "250 2.1.0 s", "250 2.1.5 r"],
        [UNKNOWN] * 3,
        "failed",
    ),
    "surplus 5xx": ([*FIRST, *NEXT, *NEXT, "500 what"], [UNKNOWN] * 3, "failed"),
    "surplus garbage": ([*FIRST, *NEXT, *NEXT, "what"], [UNKNOWN] * 3, "failed"),
    "surplus 354": ([*FIRST, *NEXT, *NEXT, "354 go"], [UNKNOWN] * 3, "failed"),
    "a 354": ([*FIRST, "250 x", "354 go"], [UNKNOWN] * 3, "failed"),
    "garbage": ([*FIRST, "what"], [UNKNOWN] * 3, "failed"),
    "garbage after a refusal": (["250 s", "550 r", "what"], [UNKNOWN] * 3, "failed"),
    "RSET refused": ([*FIRST, "500 what"], [UNKNOWN] * 3, "failed"),
    "taken without recipients": (["250 s", "550 r", "250 d"], [UNKNOWN] * 3, "failed"),
    "taken without a sender": (["550 s", "250 r", "250 d"], [UNKNOWN] * 3, "failed"),
    "not understood": (["250 s", "250 r", "502 what"], [FREE] * 3, "not understood"),
    "not understood, others behind it": (["250 s", "250 r", "500 5.5.1 what"], [FREE] * 3, "not understood"),
    "not understood, last": (
        [*FIRST, *NEXT, "250 x", "250 s", "250 r", "500 5.5.1 what"],
        [ACCEPTED, ACCEPTED, FREE],
        "not understood",
    ),
    # the server lost its place: the one concerned is free, and the others are what their own replies say
    "MAIL out of step": (
        [*FIRST, "250 x", "503 s", "503 r", "503 d", *NEXT],
        [ACCEPTED, FREE, ACCEPTED],
        "left",
    ),
    "MAIL refused by 503, first of all": (
        ["503 s", "503 r", "503 d", *NEXT, *NEXT],
        [("refused", "mail", 503), ACCEPTED, ACCEPTED],
        "ready",
    ),
    "RCPT out of step": ([*FIRST, "250 x", "250 s", "503 r", "503 d", *NEXT], [ACCEPTED, FREE, ACCEPTED], "left"),
    "RCPT out of step, first": (["250 s", "500 r", "554 d", *NEXT, *NEXT], [FREE, ACCEPTED, ACCEPTED], "left"),
    "503 about the recipient": (
        ["250 s", "503 5.1.1 r", "503 d", *NEXT, *NEXT],
        [("refused", "rcpt", 503), ACCEPTED, ACCEPTED],
        "ready",
    ),
    "BDAT out of step": (
        [*FIRST, "250 x", "250 s", "250 r", "500 5.5.1 what", *NEXT],
        [ACCEPTED, FREE, ACCEPTED],
        "left",
    ),
    "BDAT out of step, first": (["250 s", "250 r", "503 d", *NEXT, *NEXT], [FREE, ACCEPTED, ACCEPTED], "left"),
    "all out of step": (
        ["250 s", "503 r", "503 d", *["250 x", "250 s", "503 r", "503 d"] * 2],
        [FREE, FREE, FREE],
        "left",
    ),
    "taken out of step": (["250 s", "503 r", "250 d"], [UNKNOWN] * 3, "failed"),
    "out of step, then garbage": ([*FIRST, "250 x", "250 s", "503 r", "what"], [UNKNOWN] * 3, "failed"),
    "out of step, then 421": (["250 s", "503 r", "421 bye"], [FREE] * 3, "failed"),
    "503 behind a refusal is no news": (
        ["250 s", "550 r", "503 d", *NEXT, *NEXT],
        [("refused", "rcpt", 550), ACCEPTED, ACCEPTED],
        "ready",
    ),
    "500 about the message": (
        ["250 s", "250 r", "500 5.7.1 spam", *NEXT, *NEXT],
        [("refused", "dot", 500), ACCEPTED, ACCEPTED],
        "ready",
    ),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("cut", [0, 1])
def test_table(talk, name, cut):
    lines, fates, then = TABLE[name]
    spoken, flying = window(talk)
    data = "".join(line + "\r\n" for line in lines).encode()
    for piece in [data[n : n + 1] for n in range(len(data))] if cut else [data]:
        spoken.told(spoken.session.receive(piece))
    if cut and name.startswith("surplus"):
        # the barrier was reached before anything more was there
        fates = [("refused", "rcpt", 550) if "550 r" in lines and n == 1 else ACCEPTED for n in range(3)]
    assert [spoken.fate_of(each) for each in flying] == [[fate] for fate in fates]
    assert [event.transaction for event in spoken.events if isinstance(event, TransactionOver)] == flying
    last = spoken.events[-1]
    if then == "ready":
        assert isinstance(last, Ready)
        assert spoken.session.ready
    else:
        assert isinstance(last, Closed)
        assert last.chunking_failed == (then != "closed")
        assert not last.pipelining_failed
        assert spoken.said == (b"QUIT\r\n" if then == "left" else b"")


ENDINGS = {
    "gone": lambda session: session.eof("gone"),
    "late": lambda session: session.deadline("late"),
    "ours": lambda session: session.abandon("ours"),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("lines", "fates"),
    [
        ([], [UNKNOWN] * 3),
        (["250 s"], [UNKNOWN] * 3),
        (["250 s", "550 r"], [("refused", "rcpt", 550), UNKNOWN, UNKNOWN]),
        (FIRST, [ACCEPTED, UNKNOWN, UNKNOWN]),
        ([*FIRST, "250 x", "550 s"], [ACCEPTED, ("refused", "mail", 550), UNKNOWN]),
        (["250 s", "250 r", "550 d", *NEXT], [REFUSED, ACCEPTED, UNKNOWN]),
    ],
)
def test_a_close_or_a_deadline_settles_what_was_read_and_leaves_the_rest_unknown(talk, ending, lines, fates):
    spoken, flying = window(talk)
    assert spoken.hear(*lines) == []  # held
    spoken.told(ENDINGS[ending](spoken.session))
    assert [spoken.fate_of(each) for each in flying] == [[fate] for fate in fates]
    proven = "250 taken" in lines
    assert spoken.events[-1].chunking_failed == (ending != "ours" and not proven)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_not_written_to_its_last_byte_was_not_delivered(talk, ending, monkeypatch):
    monkeypatch.setattr(pipeline_module, "PIECE", 8)
    spoken = talk().ready("PIPELINING", "CHUNKING")
    first = Transaction("", ("r@you.example",), b"long enough\r\n")
    second = Transaction("", ("r2@you.example",), b"2\r\n")
    spoken.events += spoken.session.submit(first)
    spoken.events += spoken.session.submit_behind(second)
    spoken.session.take_output()
    spoken.events += ENDINGS[ending](spoken.session)
    assert spoken.fate_of(first) == [("untried" if ending == "ours" else "lost", "mail", 0)]
    assert spoken.fate_of(second) == [FREE]


def test_a_used_connection_found_closed_leaves_a_written_message_unknown(talk):
    spoken, _ = window(talk, 1)
    spoken.hear(*FIRST)
    later = spoken.submit()
    spoken.told(spoken.session.eof("gone"))
    assert spoken.fate_of(later) == [UNKNOWN]
    assert not spoken.events[-1].chunking_failed


def test_nothing_more_goes_into_a_window_that_is_out_of_step(talk):
    spoken, (_, second) = window(talk, 2)
    spoken.hear("250 s")
    assert spoken.session.may_pipeline
    spoken.hear("503 r")
    assert not spoken.session.may_pipeline
    with pytest.raises(RuntimeError):
        spoken.submit_behind()
    spoken.told(spoken.session.eof("gone"))
    assert spoken.events[-1].chunking_failed
    assert spoken.fate_of(second) == [UNKNOWN]


def test_out_of_step_with_one_of_several_recipients(talk):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    transaction = spoken.submit("a@x.example", "b@x.example", "c@x.example")
    spoken.hear("250 s", "250 a", "503 b", "550 c", "250 taken")
    assert spoken.fate_of(transaction) == [FREE, ("refused", "rcpt", 550), ACCEPTED]
    assert spoken.events[-1].chunking_failed


def test_out_of_step_before_the_last_byte_leaves_nobody_behind_it_in_doubt(talk, monkeypatch):
    spoken, (first,) = window(talk, 1)
    spoken.hear(*FIRST)
    monkeypatch.setattr(pipeline_module, "PIECE", 8)
    second, third = (Transaction("", (f"{n}@you.example",), b"long enough\r\n") for n in (2, 3))
    spoken.events += spoken.session.submit(second) + spoken.session.submit_behind(third)
    spoken.session.take_output()
    spoken.told(spoken.session.receive(b"250 s\r\n250 r\r\n503 not now\r\n"))
    assert [spoken.fate_of(each) for each in (first, second, third)] == [[ACCEPTED], [FREE], [FREE]]
    assert spoken.events[-1].chunking_failed


def test_nothing_is_told_before_the_barrier_and_then_in_order(talk):
    spoken, flying = window(talk)
    for line in [*FIRST, *NEXT, *NEXT[:-1]]:
        assert spoken.hear(line) == []
    events = spoken.hear("250 taken")
    assert [type(event) for event in events] == [Settled, TransactionOver] * 3 + [Ready]
    assert [event.transaction for event in events[:-1:2]] == flying


def test_half_a_421_at_the_barrier_waits_for_its_other_half(talk):
    spoken, flying = window(talk, 2)
    data = "".join(line + "\r\n" for line in [*FIRST, *NEXT]).encode()
    assert spoken.told(spoken.session.receive(data + b"42")) == []
    assert not spoken.session.ready
    assert not spoken.session.may_pipeline
    assert spoken.session.patience == "mail"
    spoken.told(spoken.session.receive(b"1 bye\r\n"))
    assert [spoken.fate_of(each) for each in flying] == [[ACCEPTED]] * 2


def test_a_2xx_is_provisional_until_the_barrier(talk):
    spoken, (first, second) = window(talk, 2)
    spoken.hear(*FIRST)
    (event,) = spoken.session.take_provisional()
    assert (event.transaction, event.fate) == (first, Fate.ACCEPTED)
    assert spoken.session.take_provisional() == []
    spoken.hear("250 reset")
    assert spoken.session.take_provisional() == []
    spoken.hear(*NEXT[1:])
    assert spoken.session.take_provisional() == []  # settled meanwhile
    assert spoken.fate_of(second) == [ACCEPTED]


def test_more_may_pipeline_until_all_is_answered(talk):
    spoken, flying = window(talk, 1)
    assert spoken.session.may_pipeline
    spoken.hear("250 s")
    flying.append(spoken.submit_behind())
    spoken.hear("250 r", "250 taken")
    flying.append(spoken.submit_behind())
    spoken.hear(*NEXT, *NEXT)
    assert [spoken.fate_of(each) for each in flying] == [[ACCEPTED]] * 3
    assert not spoken.session.may_pipeline
    with pytest.raises(RuntimeError, match="behind another"):
        spoken.submit_behind()


def test_quit_waits_for_the_window(talk):
    spoken, _ = window(talk, 2)
    spoken.session.quit()
    assert not spoken.session.may_pipeline
    spoken.hear(*FIRST)
    assert spoken.said == b""
    events = spoken.hear(*NEXT)
    assert spoken.said == b"QUIT\r\n"
    assert not any(isinstance(event, Ready) for event in events)


def test_one_that_is_ruled_out_is_settled_at_once_and_the_window_stays(talk):
    spoken, _ = window(talk, 1, "SIZE 20")
    settled, over = spoken.session.submit_behind(Transaction("", ("r@you.example",), b"x" * 40 + b"\r\n"))
    assert (settled.category, type(over)) == (Category.TOO_LARGE, TransactionOver)
    assert spoken.session.submitted == 1
    spoken.hear(*FIRST)
    assert spoken.session.ready


@pytest.mark.parametrize("taken", [1, 2])
def test_a_refusal_in_the_middle_of_the_message_is_one_and_the_end(talk, monkeypatch, taken):
    monkeypatch.setattr(pipeline_module, "PIECE", 8)
    spoken = talk().ready("PIPELINING", "CHUNKING")
    first = Transaction("", ("r@you.example",), b"a long message that is cut\r\n")
    second = Transaction("", ("r2@you.example",), b"2\r\n")
    session = spoken.session
    spoken.events += session.submit(first) + session.submit_behind(second)
    for _ in range(taken):
        session.take_output()
    assert session.patience == "body"
    spoken.events += session.receive(b"250 s\r\n250 r\r\n552 too big\r\n")
    assert spoken.fate_of(first) == [("refused", "dot", 552)]
    assert spoken.fate_of(second) == [FREE]
    assert isinstance(spoken.events[-1], Closed)
    assert session.take_output() == b""


def test_a_success_before_the_last_byte_is_none(talk, monkeypatch):
    monkeypatch.setattr(pipeline_module, "PIECE", 8)
    spoken = talk().ready("PIPELINING", "CHUNKING")
    only = Transaction("", ("r@you.example",), b"a long message that is cut\r\n")
    spoken.events += spoken.session.submit(only)
    spoken.session.take_output()
    spoken.events += spoken.session.receive(b"250 s\r\n250 r\r\n250 taken\r\n")
    assert spoken.fate_of(only) == [("lost", "data", 0)]


def test_a_window_of_large_messages_leaves_in_pieces(talk, monkeypatch):
    monkeypatch.setattr(pipeline_module, "PIECE", 30)
    spoken = talk().ready("PIPELINING", "CHUNKING")
    messages = [b"%d" % n * 38 + b"\r\n" for n in range(3)]
    session = spoken.session
    for n, message in enumerate(messages):
        transaction = Transaction("", (f"r{n}@you.example",), message)
        session.submit(transaction) if n == 0 else session.submit_behind(transaction)
    pieces = []
    while session.output_pending:
        pieces.append(session.take_output())
    said = b"".join(pieces)
    assert max(map(len, pieces)) < 30 + 120
    for n, message in enumerate(messages):
        assert b"RCPT TO:<r%d@you.example>\r\nBDAT 40 LAST\r\n" % n + message in said
    assert session.patience == "mail"


@pytest.mark.parametrize("code", ["500 what", "503 5.5.1 what"])
def test_recipients_refused_before_a_bdat_that_is_not_understood_are_told_too(talk, code):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    transaction = spoken.submit("a@x.example", "b@x.example", "c@x.example")
    spoken.hear("250 s", "250 a", "550 b", "250 c", code)
    assert spoken.fate_of(transaction) == [("refused", "rcpt", 550), FREE, FREE]
    assert isinstance(spoken.events[-1], Closed)


def test_with_a_surplus_and_a_refused_recipient_nobody_knows_which_one_it_was(talk):
    """The stray reply may have come first: then it is the first recipient who was refused."""
    spoken = talk().ready("PIPELINING", "CHUNKING")
    transaction = spoken.submit("a@x.example", "b@x.example")
    spoken.hear("250 stray", "250 s", "550 a", "250 b", "250 taken")
    assert spoken.fate_of(transaction) == [UNKNOWN, UNKNOWN]


def test_with_a_surplus_all_of_several_recipients_that_were_taken_are_delivered(talk):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    transaction = spoken.submit("a@x.example", "b@x.example")
    spoken.hear("250 stray", "250 s", "250 a", "250 b", "250 taken")
    assert spoken.fate_of(transaction) == [ACCEPTED, ACCEPTED]


@pytest.mark.parametrize("lines", [["500 what"], ["250 x", "354 go"], ["250 x", "250 s", "550 a", "354 go"]])
def test_behind_others_a_lost_count_charges_nobody_whose_message_is_not_complete(talk, monkeypatch, lines):
    monkeypatch.setattr(pipeline_module, "PIECE", 8)
    spoken = talk().ready("PIPELINING", "CHUNKING")
    session = spoken.session
    first = Transaction("", ("r@you.example",), b"1\r\n")
    second = Transaction("", ("a@you.example", "b@you.example"), b"a long message that is cut\r\n")
    spoken.events += session.submit(first) + session.submit_behind(second)
    for _ in range(2):
        session.take_output()
    spoken.events += session.receive("".join(line + "\r\n" for line in [*FIRST, *lines]).encode())
    assert spoken.fate_of(first) == [UNKNOWN]
    assert spoken.fate_of(second) == [FREE, FREE]


@pytest.mark.parametrize("taken", [1, 2])
def test_what_is_withdrawn_is_free_and_what_is_begun_goes_on(talk, monkeypatch, taken):
    monkeypatch.setattr(pipeline_module, "PIECE", 8)
    spoken = talk().ready("PIPELINING", "CHUNKING")
    session = spoken.session
    messages = [Transaction("", (f"r{n}@you.example", "z@you.example"), b"long enough\r\n") for n in range(3)]
    session.submit(messages[0])
    said = b"".join(session.take_output() for _ in range(taken))
    session.submit_behind(messages[1])
    session.submit_behind(messages[2])
    spoken.events += session.withdraw("disk full")
    assert [spoken.fate_of(each) for each in messages] == [[], [FREE] * 2, [FREE] * 2]
    assert not session.may_pipeline
    assert (said + spoken.drain()).endswith(b"BDAT 13 LAST\r\nlong enough\r\n")
    spoken.hear("250 s", "250 r", "250 z", "250 taken")
    assert spoken.fate_of(messages[0]) == [ACCEPTED] * 2
    assert spoken.said == b"QUIT\r\n"


def test_withdrawing_all_of_it_is_the_end(talk):
    spoken = talk().ready("PIPELINING", "CHUNKING")
    only = Transaction("", ("r@you.example",), b"1\r\n")
    spoken.events += spoken.session.submit(only) + spoken.session.withdraw("disk full")
    assert spoken.fate_of(only) == [FREE]
    assert isinstance(spoken.events[-1], Closed)
    assert spoken.drain() == b""


def test_an_empty_window_has_nothing_to_tell():
    made = Window()
    assert (made.idle, made.held, made.started) == (True, False, 0)
    assert made.closed("gone", None) == made.believed() == []
    assert made.shut_down(None, Reply(421, ("bye",)), asked=False) == []
    assert made.failed(None, Ending.GARBLED) == made.failed(None, Ending.GONE) == {"chunking_failed": False}
