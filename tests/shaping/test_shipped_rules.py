"""The shipped rules can act, and do at what their receivers say."""

from __future__ import annotations

import pytest

from bulkmail.settings import SHIPPED_PROVIDERS, never
from bulkmail.shaping import SHIPPED_RULES, RuleBook, provider_table

BOOK = RuleBook(SHIPPED_RULES)


def test_each_can_act():
    assert list(never(SHIPPED_RULES)) == []
    known = set(provider_table())
    assert known == set(SHIPPED_PROVIDERS)
    for rule in SHIPPED_RULES:
        assert rule.scope.providers <= known
        assert not rule.action.stop, "what ends a campaign is for its owner to say"


def test_large_providers_have_some():
    having = frozenset().union(*(rule.scope.providers for rule in SHIPPED_RULES))
    assert having >= {"google", "yahoo", "outlook", "office365", "apple", "gmx", "orange", "comcast", "qq", "netease"}


@pytest.mark.parametrize(
    ("provider", "code", "text", "words"),
    [
        ("google", 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", ["rest 1h"]),
        (
            "yahoo",
            421,
            "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
            ["rest 2h"],
        ),
        ("yahoo", 553, "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", ["rest 2h"]),
        ("yahoo", 421, "4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred", ["rest 4h"]),
        ("outlook", 550, "5.7.1 Unfortunately, part of their network is on our block list (S3150).", ["rest 2h"]),
        ("office365", 451, "4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77714)",
         ["rate /4, for 15m", "rest 30m"]),
        ("apple", 421, "4.7.1 [HCM1] Your mail from 192.0.2.1 was deferred", ["rest 15m"]),
        ("orange", 421, "opmta1 Service refuse. Trop de connexions, veuillez verifier. OFR_104",
         ["connections 1, for 1h"]),
        ("orange", 550, "5.2.0 Mail rejete. Service refuse", ["rest 1h"]),
        ("gmx", 554, "Transaction failed. Reject due to policy restrictions.",
         ["rate 1/m,burst=1, for 1h", "rest 2h"]),
        ("comcast", 421, "4.1.0 192.0.2.1 Throttled - try again later. RL000001", ["rate /2, for 2h"]),
        ("qq", 550, "Ip frequency limited [x]", ["rest 1h"]),
        ("netease", 554, "DT:SPM 163 mx1,AAAA", ["connections 1, for 1h"]),
        ("", 421, "4.7.1 Messages from 192.0.2.1 temporarily deferred", ["rate 1/m,burst=1, connections 1, for 1.5h"]),
        ("google", 550, "5.1.1 The email account that you tried to reach does not exist", []),
        ("yahoo", 250, "ok", []),
    ],
)  # fmt: skip
def test_what_is_done_about_what_they_say(provider, code, text, words):
    found = BOOK.matching(provider, "mx.example", "a.example", code, text)
    assert [SHIPPED_RULES[number].action.words for number in found] == words
