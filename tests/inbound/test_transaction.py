"""One envelope: parameters, limits, recipients for one purpose."""

from __future__ import annotations

import pytest

from bulkmail.inbound import Limits, OwnAddresses
from bulkmail.inbound.transaction import Transaction


@pytest.fixture
def transaction():
    return Transaction(OwnAddresses(["in.example.com"], rest=True), Limits(size=1000, recipients=3))


@pytest.mark.parametrize(
    "rest",
    [
        b"FROM:<>",
        b"FROM:<> SMTPUTF8",  # as Courier sends every bounce
        b"FROM:<> BODY=8BITMIME SIZE=1000",
        b"FROM:<a@b.example> body=7bit",
        "FROM:<δ@b.example> SMTPUTF8".encode(),
    ],
)
def test_senders_that_are_taken(transaction, rest):
    assert transaction.mail(rest) is None
    assert transaction.sender is not None


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (b"FROM:<> SIZE=1001", 552),
        (b"FROM:<> SIZE=", 501),
        (b"FROM:<> SIZE=" + b"1" * 21, 501),
        ("FROM:<> SIZE=١٢".encode(), 501),
        (b"FROM:<> BODY=BINARYMIME", 501),
        (b"FROM:<> SMTPUTF8=1", 501),
        (b"FROM:<> RET=HDRS", 555),
        (b"FROM:<> AUTH=<>", 555),
        ("FROM:<δ@b.example>".encode(), 553),
        (b"FROM:<root>", 501),
        (b"TO:<>", 501),
    ],
)
def test_senders_that_are_refused(transaction, rest, code):
    assert transaction.mail(rest).code == code
    assert transaction.sender is None
    assert transaction.rcpt(b"TO:<postmaster>").code == 503


def test_the_order_is_strict(transaction):
    assert transaction.rcpt(b"TO:<postmaster>").code == 503
    assert transaction.ready().code == 503
    assert transaction.mail(b"FROM:<>") is None
    assert transaction.mail(b"FROM:<>").code == 503
    assert transaction.ready().code == 554
    assert transaction.rcpt(b"TO:<postmaster>") is None
    assert transaction.ready() is None
    transaction.reset()
    assert transaction.ready().code == 503


def test_recipients(transaction):
    transaction.mail(b"FROM:<a@b.example> SMTPUTF8")
    assert transaction.rcpt(b"TO:<bounces+a@in.example.com>") is None
    assert transaction.rcpt(b"TO:<x@other.example>").code == 550
    assert transaction.last == "x@other.example"
    assert transaction.rcpt(b"TO:<bounces+b@in.example.com> NOTIFY=NEVER").code == 555
    assert transaction.rcpt(b"TO:<anna@in.example.com>").enhanced == "4.5.3"  # for another purpose
    assert transaction.rcpt(b"TO:<bounces+a@in.example.com>") is None  # again
    assert transaction.rcpt(b"TO:<bounces+b@in.example.com>") is None
    assert transaction.rcpt("TO:<bounces+δ@in.example.com>".encode()) is None
    assert transaction.rcpt(b"TO:<bounces+d@in.example.com>").code == 452
    sender, recipients, smtputf8 = transaction.end()
    assert (sender, smtputf8) == ("a@b.example", True)
    assert [one.token for one in recipients] == ["a", "b", "δ"]
    assert transaction.sender is None


def test_beyond_ascii_only_with_smtputf8(transaction):
    transaction.mail(b"FROM:<>")
    assert transaction.rcpt("TO:<bounces+δ@in.example.com>".encode()).enhanced == "5.6.7"
