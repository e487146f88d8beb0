"""What a session may rely on, whichever way its messages go out."""

from __future__ import annotations

import inspect

import pytest

from bulkmail.mail import Category, Reply
from bulkmail.smtp import Settled, Slot, Transaction, TransactionOver
from bulkmail.smtp.capabilities import NONE
from bulkmail.smtp.data_pipeline import DataPipeline
from bulkmail.smtp.outstanding import Outstanding
from bulkmail.smtp.settlement import Ending
from bulkmail.smtp.window import Window

PUBLIC = sorted(name for name in vars(Outstanding) if not name.startswith("_"))


@pytest.fixture(params=[DataPipeline, Window])
def messages(request: pytest.FixtureRequest) -> Outstanding:
    return request.param()


def make(*recipients: str) -> Transaction:
    return Transaction("s@me.example", recipients or ("r@you.example",), b"hi\r\n")


@pytest.mark.parametrize("kind", [DataPipeline, Window])
def test_both_ways_have_the_same_calls(kind: type) -> None:
    assert len(PUBLIC) == 15
    for name in PUBLIC:
        wanted, found = vars(Outstanding)[name], inspect.getattr_static(kind, name)
        assert isinstance(found, property) == isinstance(wanted, property), name
        if not isinstance(wanted, property):
            assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters), name


def test_a_transaction_is_under_way_from_its_start(messages: Outstanding) -> None:
    assert (messages.idle, messages.started) == (True, 0)
    first = make("a@x.example", "b@x.example")
    commands = messages.start(first, NONE)
    assert [line for _, _, line in commands][:3] == [
        "MAIL FROM:<s@me.example>\r\n", "RCPT TO:<a@x.example>\r\n", "RCPT TO:<b@x.example>\r\n",
    ]  # fmt: skip
    assert (messages.idle, messages.started, messages.current.transaction) == (False, 1, first)
    assert messages.takes_another
    messages.start(make(), NONE)
    assert (messages.started, messages.current.transaction) == (2, first)


def test_the_end_settles_all_that_is_open_and_once(messages: Outstanding) -> None:
    first, second = make("a@x.example", "b@x.example"), make()
    messages.start(first, NONE)
    messages.start(second, NONE)
    reply = Reply(550, ("5.1.1 no",))
    messages.saw(Slot.RCPT, reply)
    told = messages.recipient_refused(0, reply)
    told += messages.broken_off(Slot.RCPT, Ending.GONE, "why", asked=True, silent=True)
    told += messages.closed("why", Category.CONNECTION)
    settled = [(event.transaction, event.index, str(event.fate)) for event in told if isinstance(event, Settled)]
    assert settled == [(first, 0, "refused"), (first, 1, "lost"), (second, 0, "untried")]
    assert [event.transaction for event in told if isinstance(event, TransactionOver)] == [first, second]
    assert messages.closed("again", None) == []
    assert messages.idle
