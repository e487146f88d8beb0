"""The commands of one message behind the dot of another: every sequence of the module's table, and some more."""

from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp import Closed, DotNext, Ready, Settled, Slot, Transaction, TransactionOver
from bulkmail.smtp.alignment import PendingReplies

ACCEPTED, REFUSED, UNKNOWN = ("accepted", "dot", 250), ("refused", "dot", 550), ("unknown", "dot", 0)
FREE = ("untried", "mail", 0)

# what the server says behind the first message, in one go; the fates of both messages; what follows
TABLE = {
    # aligned: the session goes on
    "all well": (["250 d", "250 s", "250 r", "354 go"], ACCEPTED, None, "body"),
    "dot refused": (["550 d", "250 s", "250 r", "354 go"], REFUSED, None, "body"),
    "dot deferred": (["452 d", "250 s", "250 r", "354 go"], ("refused", "dot", 452), None, "body"),
    "sender refused": (["250 d", "550 s", "503 r", "503 go"], ACCEPTED, ("refused", "mail", 550), "ready"),
    "both refused": (["550 d", "451 s", "503 r", "503 go"], REFUSED, ("refused", "mail", 451), "ready"),
    "recipient refused": (["250 d", "250 s", "452 r", "503 go"], ACCEPTED, ("refused", "rcpt", 452), "reset"),
    "recipient refused, 354": (["250 d", "250 s", "550 r", "354 go"], ACCEPTED, ("refused", "rcpt", 550), "lone dot"),
    "DATA refused": (["250 d", "250 s", "250 r", "451 go"], ACCEPTED, ("refused", "data", 451), "reset"),
    "out of step": (["550 d", "503 s", "503 r", "503 go"], REFUSED, FREE, "ready"),
    "RCPT out of step": (["250 d", "250 s", "503 r", "503 go"], ACCEPTED, FREE, "reset"),
    "RCPT out of step, 354": (["250 d", "250 s", "500 r", "354 go"], ACCEPTED, FREE, "lone dot"),
    "DATA out of step": (["550 d", "250 s", "250 r", "503 go"], REFUSED, FREE, "reset"),
    "503 about the recipient": (
        ["250 d", "250 s", "503 5.1.1 r", "503 go"],
        ACCEPTED,
        ("refused", "rcpt", 503),
        "reset",
    ),
    "read as commands": (["552 d", "500 s", "500 r", "500 go"], ("refused", "dot", 552), FREE, "ready"),
    # 421: nothing contradicts
    "421 at the dot": (["421 bye"], ("refused", "dot", 421), FREE, "closed"),
    "421 behind it": (["250 d", "421 bye"], ACCEPTED, ("untried", "mail", 421), "closed"),
    "421 behind a refusal": (["550 d", "421 bye"], REFUSED, ("untried", "mail", 421), "closed"),
    "421 at RCPT": (["250 d", "250 s", "421 bye"], ACCEPTED, ("refused", "rcpt", 421), "closed"),
    "421 at DATA": (["250 d", "250 s", "250 r", "421 bye"], ACCEPTED, ("refused", "data", 421), "closed"),
    # a reply too many
    "surplus 2xx": (["250 d", "250 again", "250 s", "250 r"], ACCEPTED, FREE, "failed"),
    "surplus and refusal": (["250 d", "250 s", "550 r", "250 go"], ACCEPTED, FREE, "failed"),
    "stray 2xx": (["250 stray", "550 d", "250 s", "250 r"], UNKNOWN, FREE, "failed"),
    "stray 5xx": (["550 stray", "250 d", "250 s", "250 r"], UNKNOWN, FREE, "failed"),
    "surplus behind 354": (["250 d", "250 s", "250 r", "354 go", "250 x"], ACCEPTED, ("lost", "data", 0), "failed"),
    "surplus at the end": (["250 d", "250 s", "250 r", "550 r", "554 d"], ACCEPTED, ("refused", "data", 550), "failed"),
    # a reply too few
    "354 at the dot": (["354 go"], UNKNOWN, FREE, "failed"),
    "354 at MAIL": (["250 d", "354 go"], UNKNOWN, FREE, "failed"),
    "354 at RCPT": (["250 s", "250 r", "354 go"], UNKNOWN, FREE, "failed"),
    "354 early, refused": (["550 d", "250 s", "354 go"], UNKNOWN, FREE, "failed"),
    # no reply at all
    "garbage at the dot": (["what?", "250 d", "250 s", "250 r", "354 go"], UNKNOWN, FREE, "failed"),
    "garbage at MAIL": (["250 d", "what?"], UNKNOWN, FREE, "failed"),
    "garbage at DATA": (["250 d", "250 s", "250 r", "999 x"], UNKNOWN, FREE, "failed"),
    "garbage after a refusal": (["250 d", "550 s", "what?"], UNKNOWN, FREE, "failed"),
    "mixed codes": (["250-d", "550 d"], UNKNOWN, FREE, "failed"),
}
AFTERWARDS = {
    "body": b"2\r\n.\r\n",
    "ready": b"",
    "reset": b"",  # and the next group begins with it
    "lone dot": b".\r\n",
    "closed": b"",
    "failed": b"",
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("cut", [0, 1])
def test_table(talk, name, cut):
    lines, dot, behind, then = TABLE[name]
    spoken = talk()
    first, second = spoken.sending()
    assert spoken.said == b"1\r\n.\r\nMAIL FROM:<s2@me.example>\r\nRCPT TO:<r2@you.example>\r\nDATA\r\n"
    data = "".join(line + "\r\n" for line in lines).encode()
    events = []
    for piece in [data[n : n + 1] for n in range(len(data))] if cut else [data]:
        events += spoken.session.receive(piece)
    spoken.told(events)
    assert spoken.fate_of(first) == [dot]
    assert spoken.fate_of(second) == ([behind] if behind else [])
    assert spoken.said == AFTERWARDS[then]
    assert spoken.session.ready == (then in ("ready", "reset"))
    last = spoken.events[-1]
    assert isinstance(last, Closed) == (then in ("closed", "failed"))
    assert (isinstance(last, Closed) and last.pipelining_failed) == (then == "failed")
    overs = [event.transaction for event in spoken.events if isinstance(event, TransactionOver)]
    assert overs == [first, second][: 1 if behind is None else 2]
    if spoken.session.ready:
        spoken.submit()
        assert spoken.said.startswith(b"RSET\r\nMAIL" if then == "reset" else b"MAIL")


ENDINGS = {
    "gone": lambda session: session.eof("gone"),
    "late": lambda session: session.deadline("late"),
    "ours": lambda session: session.abandon("ours"),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("lines", "dot", "behind"),
    [
        ([], UNKNOWN, FREE),
        (["250 d"], ACCEPTED, FREE),
        (["550 d"], REFUSED, FREE),
        (["250 d", "250 s"], ACCEPTED, ("lost", "rcpt", 0)),
        (["250 d", "550 s"], ACCEPTED, ("refused", "mail", 550)),
        (["250 d", "250 s", "550 r"], ACCEPTED, ("refused", "rcpt", 550)),
        (["550 d", "250 s", "250 r"], REFUSED, ("lost", "data", 0)),
    ],
)
def test_a_close_or_a_deadline_contradicts_nothing(talk, ending, lines, dot, behind):
    spoken = talk()
    first, second = spoken.sending()
    assert spoken.hear(*lines) == []  # held
    spoken.told(ENDINGS[ending](spoken.session))
    assert spoken.fate_of(first) == [dot]
    if ending == "ours" and behind[0] == "lost":
        behind = ("untried", *behind[1:])
    assert spoken.fate_of(second) == [behind]
    assert spoken.events[-1].pipelining_failed == (ending == "late" and lines != [])


def test_nothing_is_told_before_it_is_proven_and_then_in_order(talk):
    spoken = talk()
    first, second = spoken.sending("a@you.example", "b@you.example")
    for line in ("250 d", "250 s", "550 a", "250 b"):
        assert spoken.hear(line) == []
    events = spoken.hear("354 go")
    assert [(type(event), event.transaction) for event in events] == [
        (Settled, first),
        (TransactionOver, first),
        (Settled, second),
        (DotNext, second),
    ]
    assert spoken.fate_of(second) == [("refused", "rcpt", 550)]


def test_a_refusal_that_may_be_another_recipients_charges_nobody(talk):
    spoken = talk()
    first, second = spoken.sending("a@you.example", "b@you.example")
    spoken.hear("250 d", "250 surplus", "250 s", "550 a", "250 b")  # b stands in DATA's slot, 550 in b's
    assert spoken.fate_of(first) == [ACCEPTED]
    assert spoken.fate_of(second) == [FREE, FREE]


def test_reply_by_reply_the_whole_way(talk):
    spoken = talk()
    first, second = spoken.sending()
    assert spoken.session.patience == "dot"
    spoken.hear("250 d")
    assert spoken.session.patience == "mail"
    spoken.hear("250 s")
    spoken.hear("250 r")
    spoken.hear("354 go")
    assert spoken.said == b"2\r\n.\r\n"
    spoken.hear("250 ok")
    assert [spoken.fate_of(each) for each in (first, second)] == [[ACCEPTED], [ACCEPTED]]
    assert isinstance(spoken.events[-1], Ready)
    assert spoken.session.submitted == 2


def test_a_refusal_in_the_middle_of_the_message_before(talk, monkeypatch):
    monkeypatch.setattr("bulkmail.smtp.pipeline.PIECE", 1)
    spoken = talk()
    first = spoken.ready("PIPELINING").submit(message=b"long\r\n")
    spoken.session.receive(b"250 s\r\n250 r\r\n354 go\r\n")
    second = Transaction("", ("r2@you.example",), b"2\r\n")
    spoken.session.submit_behind(second)
    assert spoken.session.take_output() == b"l"
    spoken.hear("552 too big")
    assert spoken.fate_of(first) == [("refused", "dot", 552)]
    assert spoken.fate_of(second) == [FREE]
    assert spoken.said == b""


def test_what_holds_when_the_count_is_wrong():
    reply, note = Reply(250, ("ok",)), "354 is no answer to RCPT"
    transaction, other = (Transaction("", ("r@you.example",), b"\r\n") for _ in range(2))
    held = PendingReplies(transaction, [Settled(transaction, 0, Fate.ACCEPTED, Stage.DOT, reply)], taken=True)
    held.add([Settled(other, 0, Fate.REFUSED, Stage.RCPT, reply)])
    held.saw(Slot.MAIL, 2)
    assert [event.fate for event in held.proven()] == [Fate.ACCEPTED, Fate.REFUSED]
    dot, behind = held.refuted(note)
    assert (dot.fate, dot.stage, dot.reply, dot.note, dot.category) == (
        *(Fate.UNKNOWN, Stage.DOT, None, note, Category.NO_ANSWER),
    )
    assert (behind.fate, behind.stage, behind.reply, behind.category) == (
        *(Fate.UNTRIED, Stage.MAIL, None, Category.PROTOCOL),
    )
    held.saw(Slot.DATA, 2)
    assert held.refuted(note)[0].fate is Fate.ACCEPTED
