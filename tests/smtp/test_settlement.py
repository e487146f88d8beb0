"""The fate of each recipient, by how far the dialogue came and how it ended."""

from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp import Closed, Settled, Slot, Transaction, TransactionOver
from bulkmail.smtp.settlement import Ending, RecipientSettlement, out_of_step

STEPS = {"mail": [], "rcpt": ["250 s"], "data": ["250 s", "250 r"], "dot": ["250 s", "250 r", "354 go"]}


def arrive(talk, stage: str, *, reused: bool, pipelining: bool, taken: bool = True):
    """A transaction of which the server still owes ``stage``, on a fresh or a used connection."""
    spoken = talk().ready(*(["PIPELINING"] if pipelining else []))
    if reused:
        spoken.submit()
        for line in ("250 s", "250 r", "354 go", "250 ok"):
            spoken.hear(line)
        spoken.events.clear()
    if not taken and stage == "mail":
        spoken.session.submit(Transaction("", ("r@you.example",), b"x\r\n"))
        return spoken
    spoken.submit()
    for line in STEPS[stage][:-1]:
        spoken.hear(line)
    if STEPS[stage]:
        spoken.events += spoken.session.receive(STEPS[stage][-1].encode() + b"\r\n")
        if taken:
            spoken.drain()
    return spoken


ENDINGS = {
    "gone": lambda s: s.eof("gone"),
    "late": lambda s: s.deadline("late"),
    "garbled": lambda s: s.receive(b"garbage\r\n"),
    "421": lambda s: s.receive(b"421 4.3.2 bye\r\n"),
    "ours": lambda s: s.abandon("ours"),
}
# (where, ending, reused) -> fate, stage; everything not named is lost at its stage
EXPECTED = {
    ("mail", "gone", True): ("untried", "mail"),
    ("mail", "421", True): ("untried", "mail"),
    **{(stage, "421", reused): ("refused", stage) for stage in STEPS for reused in (False, True)},
    **{(stage, "ours", reused): ("untried", stage) for stage in STEPS for reused in (False, True)},
    **{
        ("dot", ending, reused): ("unknown", "dot")
        for ending in ("gone", "late", "garbled", "ours")
        for reused in (False, True)
    },
}
EXPECTED["mail", "421", True] = ("untried", "mail")


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("stage", STEPS)
def test_fate_by_stage_and_ending(talk, stage, ending, reused, pipelining):
    spoken = arrive(talk, stage, reused=reused, pipelining=pipelining)
    spoken.told(ENDINGS[ending](spoken.session))
    fate, where = EXPECTED.get((stage, ending, reused), ("lost", stage))
    assert spoken.fates == [(0, fate, where)]
    *_, over, closed = spoken.events
    assert isinstance(over, TransactionOver)
    assert isinstance(closed, Closed)
    assert closed.stage == Stage(stage)


CATEGORIES = {"gone": Category.CONNECTION, "late": Category.NO_ANSWER, "garbled": Category.PROTOCOL}


@pytest.mark.parametrize("ending", CATEGORIES)
def test_our_words_and_the_category_are_told(talk, ending):
    for stage, category in (("data", CATEGORIES[ending]), ("dot", Category.NO_ANSWER)):
        spoken = arrive(talk, stage, reused=False, pipelining=True)
        settled, _, closed = ENDINGS[ending](spoken.session)
        assert (settled.category, settled.reply) == (category, None)
        assert closed.category is CATEGORIES[ending]
        assert settled.note == closed.reason != ""


@pytest.mark.parametrize("ending", ["gone", "late", "ours"])
@pytest.mark.parametrize("reused", [False, True])
def test_a_message_whose_dot_was_not_taken_was_not_delivered(talk, ending, reused):
    spoken = arrive(talk, "dot", reused=reused, pipelining=True, taken=False)
    spoken.told(ENDINGS[ending](spoken.session))
    assert spoken.fates == [(0, "untried", "dot") if ending == "ours" else (0, "lost", "data")]


@pytest.mark.parametrize("ending", ENDINGS)
def test_mail_that_was_not_taken_is_untried(talk, ending):
    spoken = arrive(talk, "mail", reused=False, pipelining=True, taken=False)
    spoken.told(ENDINGS[ending](spoken.session))
    assert spoken.fates == [(0, "untried", "mail")]
    assert spoken.said == b""


def test_a_used_connection_that_answered_half_a_line_was_not_idle(talk):
    spoken = arrive(talk, "mail", reused=True, pipelining=True)
    spoken.session.receive(b"2")
    spoken.told(spoken.session.eof())
    assert spoken.fates == [(0, "lost", "mail")]


@pytest.mark.parametrize("half", ["2", "250", "250-ok\r\n", "250 ok"])
def test_half_a_reply_to_the_dot_is_none(talk, half):
    spoken = arrive(talk, "dot", reused=False, pipelining=True)
    assert spoken.session.receive(half.encode()) == []
    spoken.told(spoken.session.eof())
    assert spoken.fates == [(0, "unknown", "dot")]


def test_a_whole_reply_before_the_end_counts(talk):
    spoken = arrive(talk, "dot", reused=False, pipelining=True)
    spoken.told(spoken.session.receive(b"250 ok\r\n"))
    spoken.told(spoken.session.eof())
    assert spoken.fates == [(0, "accepted", "dot")]
    assert spoken.events[-1].stage is None


@pytest.mark.parametrize("pipelining", [False, True])
def test_each_recipient_by_its_position(talk, pipelining):
    spoken = talk().ready(*(["PIPELINING"] if pipelining else []))
    spoken.submit("a@x.example", "b@x.example", "c@x.example", "d@x.example")
    for line in ("250 s", "550 a", "250 b", "452 4.5.3 c", "252 d", "354 go", "250 ok"):
        spoken.hear(line)
    assert spoken.fates == [
        (0, "refused", "rcpt"),
        (2, "refused", "rcpt"),
        (1, "accepted", "dot"),
        (3, "accepted", "dot"),
    ]
    assert spoken.session.ready


@pytest.mark.parametrize("pipelining", [False, True])
def test_421_at_one_recipient_is_the_answer_for_all_that_are_left(talk, pipelining):
    spoken = talk().ready(*(["PIPELINING"] if pipelining else []))
    spoken.submit("a@x.example", "b@x.example", "c@x.example")
    for line in ("250 s", "550 a", "421 4.7.0 enough"):
        spoken.hear(line)
    assert spoken.fates == [(0, "refused", "rcpt"), (1, "refused", "rcpt"), (2, "refused", "rcpt")]
    assert [e.reply.code for e in spoken.events if isinstance(e, Settled)] == [550, 421, 421]


def test_a_recipient_is_settled_once():
    settlement = RecipientSettlement(Transaction("", ("a@x.example", "b@x.example"), b"\r\n"), reused=False)
    reply = Reply(550, ("no",))
    assert len(settlement.settle(1, Fate.REFUSED, Stage.RCPT, reply)) == 1
    assert settlement.settle(1, Fate.REFUSED, Stage.RCPT, reply) == []
    assert [e.index for e in settlement.settle_rest(Fate.ACCEPTED, Stage.DOT, reply)] == [0]
    assert settlement.settle_rest(Fate.ACCEPTED, Stage.DOT, reply) == []
    assert settlement.broken_off(Slot.DOT, Ending.GONE, "", asked=True, silent=True) == []


@pytest.mark.parametrize(
    ("reply", "lost"),
    [
        (Reply(503, ("bad sequence",)), True),
        (Reply(500, ("5.5.1 what?",)), True),
        (Reply(502, ("5.0.0 what?",)), True),
        (Reply(503, ("2.1.0 what?",)), True),
        (Reply(503, ("5.1.1 no such user",)), False),
        (Reply(502, ("5.7.1 go away",)), False),
        (Reply(550, ("5.5.1 no",)), False),
        (Reply(450, ("later",)), False),
    ],
)
def test_what_says_that_the_server_lost_its_place(reply, lost):
    assert out_of_step(reply) is lost


def test_one_of_several_may_be_free():
    settlement = RecipientSettlement(Transaction("", ("a@x.example", "b@x.example"), b"m\r\n"), reused=False)
    (event,) = settlement.not_tried("lost", Category.PROTOCOL, 1)
    assert (event.index, event.fate, event.note) == (1, Fate.UNTRIED, "lost")
    assert list(settlement.left) == [0]
