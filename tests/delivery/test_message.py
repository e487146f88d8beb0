from __future__ import annotations

import pytest

from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run
from bulkmail.mail import address_in
from bulkmail.spool import Claimed

RUN = Run(1, "spring", "/c", {}, "retry", 0.0)


def message(email, *, lane="lane", domain="example.com"):
    claimed = Claimed(1, 1, 1, email, "[]", 0, 0, 0.0, 1000.0, "pending", "", "")
    return Message(claimed, domain, RUN, lane)


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
