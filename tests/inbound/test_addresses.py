"""Which recipients are ours; the known forms of an open relay are not."""

from __future__ import annotations

import pytest

from bulkmail.inbound import Accepted, OwnAddresses, Purpose
from bulkmail.inbound.commands import parse_mailbox
from bulkmail.inbound.received import Refusal

OURS = ["in.example.com", "bücher.example"]

RELAY_ATTEMPTS = [
    "user@other.example",
    "user%other.example@in.example.com",
    "user%other.example%in.example.com@in.example.com",
    "other.example!user@in.example.com",
    "in.example.com!other.example!user@other.example",
    '"user@other.example"@in.example.com',
    '"user%other.example"@in.example.com',
    '"other.example!user"@in.example.com',
    "@in.example.com:user@other.example",
    "@other.example:user@in.example.com",
    "@other.example,@in.example.com:bounces+tok@in.example.com",
    "user@other.example@in.example.com",
    "user@in.example.com.other.example",
    "user@in.example.com.",
    "bounces+tok@in.example.com.",
    "bounces+tok@sub.in.example.com",
    "bounces+tok@example.com",
    "bounces+tok@[127.0.0.1]",
    "bounces+tok@xin.example.com",
    "bounces+user@other.example",
    "bounces+user%other.example@in.example.com",
    "bounces+tok@in.example.com\u3002",
    "x@..",
]


def judge(path, *, rest):
    mailbox = parse_mailbox(path)
    return mailbox if isinstance(mailbox, Refusal) else OwnAddresses(OURS, rest=rest)(mailbox)


@pytest.mark.parametrize("rest", [True, False])
@pytest.mark.parametrize("path", RELAY_ATTEMPTS)
def test_nothing_is_relayed(path, rest):
    verdict = judge(path, rest=rest)
    assert (verdict.code, verdict.enhanced) == (550, "5.7.1")


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("bounces+tok_AbC=x@in.example.com", ("bounces+tok_AbC=x@in.example.com", Purpose.BOUNCE, "tok_AbC=x")),
        ("BOUNCES+Tok@IN.Example.COM", ("BOUNCES+Tok@in.example.com", Purpose.BOUNCE, "Tok")),
        ('"bounces+tok"@in.example.com', ("bounces+tok@in.example.com", Purpose.BOUNCE, "tok")),
        ("unsubscribe+tok@in.example.com", ("unsubscribe+tok@in.example.com", Purpose.UNSUBSCRIBE, "tok")),
        ("complaints+tok@in.example.com", ("complaints+tok@in.example.com", Purpose.COMPLAINT, "tok")),
        ("complaints@in.example.com", ("complaints@in.example.com", Purpose.COMPLAINT, "")),
        ("postmaster", ("postmaster@in.example.com", Purpose.FORWARD, "")),
        ("Abuse@in.example.com", ("Abuse@in.example.com", Purpose.FORWARD, "")),
        ("bounces+a@BÜCHER.example", ("bounces+a@xn--bcher-kva.example", Purpose.BOUNCE, "a")),
        ("bounces+a@xn--bcher-kva.example", ("bounces+a@xn--bcher-kva.example", Purpose.BOUNCE, "a")),
    ],
)
@pytest.mark.parametrize("rest", [True, False])
def test_what_is_ours_whatever_is_forwarded(path, verdict, rest):
    assert judge(path, rest=rest) == Accepted(*verdict)


@pytest.mark.parametrize("path", ["anna@in.example.com", "bounces@in.example.com", "bounces+@in.example.com"])
def test_all_else_is_ours_only_where_it_is_forwarded(path):
    assert judge(path, rest=True) == Accepted(path, Purpose.FORWARD)
    unknown = judge(path, rest=False)
    assert (unknown.code, unknown.enhanced) == (550, "5.1.1")
