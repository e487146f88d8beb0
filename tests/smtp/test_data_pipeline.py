"""When a transaction may be announced behind another, and that the session keeps the two apart."""

from __future__ import annotations

import pytest

from bulkmail.mail import Category, Reply
from bulkmail.smtp import Closed, Settled, Slot, Transaction, TransactionOver
from bulkmail.smtp.capabilities import NONE
from bulkmail.smtp.data_pipeline import DataPipeline
from bulkmail.smtp.settlement import Ending

ENVELOPE = b"250 s\r\n250 r\r\n354 go\r\n"


def make() -> Transaction:
    return Transaction("", ("r@you.example",), b"\r\n")


def test_only_between_the_354_and_the_dot(talk):
    spoken = talk().ready("PIPELINING")
    follows = []

    def look() -> None:
        follows.append(spoken.session.may_pipeline)

    look()
    spoken.submit()
    look()
    spoken.session.receive(ENVELOPE)
    look()
    spoken.session.submit_behind(make())
    look()
    with pytest.raises(RuntimeError, match="behind another"):
        spoken.session.submit_behind(make())
    spoken.drain()
    look()
    spoken.session.receive(b"250 d\r\n" + ENVELOPE)
    look()
    spoken.drain()
    look()
    assert follows == [False, False, True, False, False, True, False]


@pytest.mark.parametrize(("extensions", "options"), [((), {}), (("PIPELINING",), {"pipelining": False})])
def test_never_without_pipelining(talk, extensions, options):
    spoken = talk(**options).ready(*extensions)
    spoken.submit()
    for line in ("250 s", "250 r"):
        spoken.hear(line)
    spoken.session.receive(b"354 go\r\n")
    assert not spoken.session.may_pipeline


def test_nothing_follows_once_we_are_leaving(talk):
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    spoken.session.receive(ENVELOPE)
    spoken.session.quit()
    assert not spoken.session.may_pipeline


def test_one_that_is_ruled_out_is_settled_at_once_and_leaves_the_place_free(talk):
    spoken = talk().ready("PIPELINING", "SIZE 100")
    spoken.submit(message=b"1\r\n")
    spoken.session.receive(ENVELOPE)
    with pytest.raises(ValueError, match="character"):
        spoken.session.submit_behind(Transaction("", ("a b@x.example",), b"\r\n"))
    settled, over = spoken.session.submit_behind(Transaction("", ("r@you.example",), b"x" * 200 + b"\r\n"))
    assert (settled.category, settled.permanent) == (Category.TOO_LARGE, True)
    assert isinstance(over, TransactionOver)
    assert spoken.session.may_pipeline
    assert spoken.session.submitted == 1
    assert spoken.drain() == b"1\r\n.\r\n"


def test_quit_waits_for_the_one_behind(talk):
    spoken = talk()
    spoken.sending()
    spoken.session.quit()
    spoken.hear("250 d", "250 s", "250 r", "354 go")
    assert spoken.said == b"2\r\n.\r\n"
    spoken.hear("250 d")
    assert spoken.said == b"QUIT\r\n"


def test_the_order_of_the_ends():
    mail = DataPipeline()
    first, second = make(), make()
    assert [slot for slot, _, _ in mail.start(first, NONE)] == [Slot.MAIL, Slot.RCPT, Slot.DATA]
    assert (mail.current.reused, mail.follower) == (False, None)
    mail.start(second, NONE)
    assert mail.follower is not None
    assert (mail.current.transaction, mail.follower.reused, mail.started) == (first, True, 2)
    told = mail.broken_off(Slot.DOT, Ending.GONE, "gone", asked=True, silent=True)
    told += mail.closed("gone", None)
    assert [(type(event), event.transaction) for event in told] == [
        *[(Settled, first), (TransactionOver, first), (Settled, second), (TransactionOver, second)],
    ]


def test_a_421_with_nothing_under_way_settles_nobody():
    mail = DataPipeline()
    assert mail.shut_down(None, Reply(421, ("bye",)), asked=False) == []
    assert mail.closed("bye", None) == []
    assert mail.broken_off(None, Ending.GARBLED, "", asked=False, silent=True) == []
    assert mail.failed(None, Ending.GARBLED) == {"pipelining_failed": False}


def test_a_2xx_is_provisional_until_the_replies_behind_it_prove_the_count(talk):
    spoken = talk().ready("PIPELINING")
    first = spoken.submit()
    spoken.session.receive(ENVELOPE)
    spoken.session.submit_behind(make())
    spoken.drain()
    assert spoken.session.take_provisional() == []
    spoken.session.receive(b"250 taken\r\n250 s\r\n")
    (event,) = spoken.session.take_provisional()
    assert spoken.session.take_provisional() == []
    assert (str(event.fate), event.reply.lines) == ("accepted", ("taken",))
    assert first is None or event.transaction is first
    spoken.session.receive(b"250 r\r\n354 go\r\n")
    assert spoken.session.take_provisional() == []


def test_a_refused_dot_is_not_provisional(talk):
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    spoken.session.receive(ENVELOPE)
    spoken.session.submit_behind(make())
    spoken.drain()
    spoken.session.receive(b"550 no\r\n")
    assert spoken.session.take_provisional() == []


@pytest.mark.parametrize(
    ("heard", "settled", "broken"),
    [
        (["250 s", "503 r", "503 go"], ("lost", "rcpt", 0), True),
        (["250 s", "500 r"], ("lost", "rcpt", 0), True),
        (["250 s", "250 r", "502 go"], ("lost", "data", 0), True),
        (["503 s", "503 r", "503 go"], ("refused", "mail", 503), False),
        (["250 s", "503 5.1.1 r", "503 go"], ("refused", "rcpt", 503), False),
        (["250 s", "250 r", "500 5.7.1 go"], ("refused", "data", 500), False),
        (["250 s", "550 r", "503 go"], ("refused", "rcpt", 550), False),
        (["250 s", "250 r", "554 go"], ("refused", "data", 554), False),
    ],
)
def test_a_group_that_was_not_understood_says_nothing_of_a_recipient(talk, heard, settled, broken):
    spoken = talk().ready("PIPELINING")
    transaction = spoken.submit()
    spoken.hear(*heard)
    assert spoken.fate_of(transaction) == [settled]
    last = spoken.events[-1]
    assert (isinstance(last, Closed) and last.pipelining_failed) == broken


def test_one_at_a_time_the_same_words_are_the_servers_verdict(talk):
    spoken = talk().ready()
    transaction = spoken.submit()
    spoken.hear("250 s")
    spoken.hear("503 r")
    assert spoken.fate_of(transaction) == [("refused", "rcpt", 503)]


@pytest.mark.parametrize(("heard", "broken"), [([], False), (["250 s"], True), (["250 s", "250 r"], True)])
@pytest.mark.parametrize("pipelining", [False, True])
def test_silence_behind_an_answered_mail_speaks_against_groups(talk, heard, broken, pipelining):
    spoken = talk().ready(*(["PIPELINING"] if pipelining else []))
    spoken.submit()
    for line in heard:
        spoken.hear(line)
    closed = spoken.session.deadline("late")[-1]
    assert closed.pipelining_failed == (broken and pipelining)


GROUP = b"RSET\r\nMAIL FROM:<s@me.example>\r\nRCPT TO:<r@you.example>\r\nDATA\r\n"


@pytest.fixture
def behind_a_refusal(talk):
    """A second transaction is on its way, behind one whose recipient was refused."""

    def make_one():
        spoken = talk().ready("PIPELINING")
        spoken.submit()
        events = spoken.hear("250 s", "550 5.1.1 r", "503 d")
        assert [type(event).__name__ for event in events] == ["Settled", "TransactionOver", "Ready"]
        assert spoken.said == b"", "nothing is written for its own sake"
        second = spoken.submit()
        assert spoken.said == GROUP
        return spoken, second

    return make_one


@pytest.mark.parametrize(
    ("refusal", "asks"),
    [
        (["250 s", "550 r", "554 d"], True),
        (["250 s", "250 r", "451 d"], True),
        (["250 s", "550 r", "354 go", "554 no recipients"], True),
        (["250 s", "250 r", "354 go", "552 too large"], True),
        (["550 s", "503 r", "503 d"], False),
        (["250 s", "250 r", "354 go", "250 ok"], False),
    ],
)
def test_after_a_refusal_rset_stands_at_the_head_of_the_next_group_once(talk, refusal, asks):
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    for line in refusal[:3]:
        spoken.events += spoken.session.receive(line.encode() + b"\r\n")
    spoken.drain()
    spoken.hear(*refusal[3:])
    assert spoken.session.ready
    spoken.submit()
    assert spoken.said.startswith(b"RSET\r\nMAIL" if asks else b"MAIL")
    spoken.hear(*(["250 reset"] if asks else []), "250 s", "250 r", "354 go")
    spoken.hear("250 taken")
    spoken.submit()
    assert spoken.said.startswith(b"MAIL")


def test_a_round_trip_each_with_half_the_recipients_refused(talk):
    """Replies come when all that was written has been read: each write is a round trip."""
    spoken = talk().ready("PIPELINING")
    trips = messages = 0
    for n in range(30):
        if n == 0:
            spoken.submit()
        spoken.events += spoken.session.receive(b"250 reset\r\n" if spoken.said.startswith(b"RSET") else b"")
        spoken.events += spoken.session.receive(b"250 s\r\n250 r\r\n354 go\r\n")
        spoken.submit_behind()  # its commands go out with the message before
        trips += 1
        spoken.hear("250 taken", "250 s", "550 r", "503 d")
        messages += 2
        spoken.submit()
        trips += 1
    assert trips / messages <= 1.03
    assert len([event for event in spoken.events if isinstance(event, Settled)]) == messages


@pytest.mark.parametrize(
    ("lines", "fate", "blamed"),
    [
        (["502 no RSET", "503 s", "503 r", "503 d"], "untried", True),
        (["250 reset", "503 s", "503 r", "503 d"], "untried", True),
        (["250 reset", "550 5.7.1 s", "503 r", "503 d"], "refused", False),
        (["421 bye"], "untried", False),
        (["250 reset", "421 bye"], "untried", False),
        (["what?"], "untried", True),
        (["250 reset", "250 s", "what?"], "lost", True),
    ],
)
def test_what_goes_wrong_at_that_rset_is_charged_to_nobody(behind_a_refusal, lines, fate, blamed):
    spoken, second = behind_a_refusal()
    spoken.hear(*lines)
    assert [found for found, _, _ in spoken.fate_of(second)] == [fate]
    ended = [event for event in spoken.events if isinstance(event, Closed)]
    assert any(event.pipelining_failed for event in ended) == blamed
    assert bool(ended) == (fate != "refused")


@pytest.mark.parametrize(
    ("lines", "fate", "blamed"),
    [([], "untried", False), (["250 reset"], "untried", True), (["250 reset", "250 s"], "lost", True)],
)
def test_silence_behind_that_rset(behind_a_refusal, lines, fate, blamed):
    spoken, second = behind_a_refusal()
    spoken.hear(*lines)
    spoken.told(spoken.session.deadline("late"))
    assert [found for found, _, _ in spoken.fate_of(second)] == [fate]
    assert spoken.events[-1].pipelining_failed == blamed


def test_quit_needs_no_rset(talk):
    spoken = talk().ready("PIPELINING")
    spoken.submit()
    spoken.session.quit()
    spoken.hear("250 s", "550 r", "503 d")
    assert spoken.said == b"QUIT\r\n"
