"""The arguments of MAIL, RCPT and EHLO."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.inbound.commands import Argument, parse_argument, parse_mailbox, parse_name, parse_sender
from bulkmail.inbound.received import Mailbox, Refusal


@pytest.mark.parametrize(
    ("rest", "word", "path", "parameters"),
    [
        (b"FROM:<>", "FROM", "", {}),
        (b"from:<a@b.example>", "FROM", "a@b.example", {}),
        (b"FROM: <a@b.example> ", "FROM", "a@b.example", {}),
        (b"FROM:<> SIZE=12 body=8BITMIME SMTPUTF8", "FROM", "", {"SIZE": "12", "BODY": "8BITMIME", "SMTPUTF8": ""}),
        (b'TO:<"a> b"@c.example>', "TO", '"a> b"@c.example', {}),
        ("TO:<δοκιμή@παράδειγμα.example>".encode(), "TO", "δοκιμή@παράδειγμα.example", {}),
    ],
)
def test_what_is_taken(rest, word, path, parameters):
    assert parse_argument(rest, word) == Argument(path, parameters)


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"TO:a@b.example",
        b"TO<a@b.example>",
        b"TO :<a@b.example>",
        b"FROM:<a@b.example>",
        b"TO:<a@b.example",
        b"TO:<a@b.example>x",
        b"TO:<a b@c.example>",
        b"TO:<a@b.example> SIZE==1",
        b"TO:<a@b.example> X X",
        b"TO:<a\x00@b.example>",
        b"TO:<a\xff@b.example>",
        b'TO:<"a@b.example>',
    ],
)
def test_what_is_refused(rest):
    assert parse_argument(rest, "TO").code == 501


@given(st.binary(max_size=60))
def test_any_octets_are_judged(octets):
    assert isinstance(parse_argument(b"TO:" + octets, "TO"), Argument | Refusal)
    assert isinstance(parse_mailbox(octets.decode("latin-1")), Mailbox | Refusal)
    assert isinstance(parse_sender(octets.decode("latin-1")), str | Refusal)


def test_a_long_line_costs_no_more_than_its_length():
    parse_argument(b"TO:<" + b'"\\' * 1000, "TO")
    parse_argument(b"TO:<" + b'""' * 1000, "TO")
    parse_mailbox('"' * 2000)


def test_mailboxes():
    assert parse_mailbox("a@b.example") == Mailbox("a", "b.example")
    assert parse_mailbox('"a\\@b"@c.example') == Mailbox("a@b", "c.example")
    assert parse_mailbox("PostMaster") == Mailbox("PostMaster", "")
    assert str(parse_mailbox("postmaster")) == "postmaster"


@pytest.mark.parametrize(
    ("path", "code", "enhanced"),
    [
        ("", 501, "5.5.4"),
        ("a", 501, "5.5.4"),
        ("a@", 501, "5.5.4"),
        ("@a:b@c.example", 550, "5.7.1"),
        ("a@b@c.example", 550, "5.7.1"),
        ('""@c.example', 501, "5.1.3"),
        ("x" * 65 + "@c.example", 501, "5.1.3"),
        ("x@" + "d" * 253 + ".example", 501, "5.1.3"),
    ],
)
def test_what_is_no_mailbox_of_ours(path, code, enhanced):
    refusal = parse_mailbox(path)
    assert (refusal.code, refusal.enhanced) == (code, enhanced)


def test_senders():
    assert parse_sender("") == ""
    assert parse_sender("a..b.@docomo.example") == "a..b.@docomo.example"
    assert parse_sender("x@[192.0.2.1]") == "x@[192.0.2.1]"
    assert parse_sender("@a:b@c.example").code == 501
    assert parse_sender("root").code == 501


def test_names():
    assert parse_name(b" mail.example ") == "mail.example"
    assert parse_name(b"[IPv6:2001:db8::1]") == "[IPv6:2001:db8::1]"
    assert parse_name(b"") is None
    assert parse_name(b"two words") is None
    assert parse_name(b"x" * 256) is None
    assert parse_name("ü.example".encode()) is None
