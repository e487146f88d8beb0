from __future__ import annotations

import pytest

from bulkmail.delivery.message import Message, Queue, Queues
from bulkmail.delivery.run import Run
from bulkmail.mail import address_in
from bulkmail.spool import Claimed

RUN = Run(1, "spring", "/c", {}, "retry", 0.0)


def message(email, *, lane="lane", domain="example.com"):
    claimed = Claimed(1, 1, 1, email, "[]", 0, 0, 0.0, 1000.0, "pending", "", "")
    return Message(claimed, Queue(1, RUN, domain), RUN, lane)


@pytest.mark.parametrize(
    ("written", "sent_to"),
    [
        ("ann@example.com", "ann@example.com"),
        (" Ann@Example.COM ", "Ann@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ('"Ann @ home"@example.com', '"Ann @ home"@example.com'),
        ('"ann"@example.com', "ann@example.com"),
        ("\u00a0cafe\u0301@example.com", "caf\u00e9@example.com"),
        ("'=eq@example.com", "=eq@example.com"),
        ("ann@example.com ::: bob@b.example", "ann@example.com"),
    ],
)
def test_the_address_is_in_its_one_form(written, sent_to):
    address = address_in(written)  # which the import asks for the queue's domain
    assert message(written, domain=address.domain).recipient == sent_to == str(address)


def test_a_row_that_another_version_took_is_sent_to_as_it_was():
    assert message(" \u200bann@example.com").recipient == "\u200bann@example.com"


def test_two_messages_are_never_equal():
    """They are kept in dicts: one is in exactly one place, whatever its content."""
    assert message("a@b.example") != message("a@b.example")
    assert len({message("a@b.example"), message("a@b.example")}) == 2


def test_a_message_stays_with_the_lane_that_claimed_it():
    one = message("a@b.example", lane="old")
    one.queue.lane = "new"
    assert one.lane == "old"


def test_queues_are_served_in_turn():
    queues = Queues()
    three = [Queue(n, RUN, f"d{n}.example") for n in range(3)]
    for queue in three:
        queues.add(queue)
    assert [queues.next() for _ in range(4)] == [*three, three[0]]
    queues.discard(three[1])
    queues.discard(three[1])
    assert (len(queues), three[1] in queues, three[2] in queues) == (2, False, True)
    assert [queues.next() for _ in range(3)] == [three[2], three[0], three[2]]
    assert set(queues) == {three[0], three[2]}
    queues.clear()
    assert not queues
    with pytest.raises(StopIteration):
        queues.next()
