from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import Rate, Scope, parse_pattern
from bulkmail.settings import Settings
from bulkmail.shaping import Rule, RuleAction, RuleBook, RuleCounter, own_rules

SLOW = RuleAction(slower=0.5)


def rule(match, times=1, within=3600.0, action=SLOW, name="", **scope):
    return Rule(name or match, Scope(**scope), parse_pattern(match), action, times, within)


def yahoo(match, times=1, **more):
    return rule(match, times, providers=frozenset({"yahoo"}), **more)


def hear(counter, now, text="[TSS04] later", *, key="provider yahoo", provider="yahoo", code=421, mended=False):
    about = {
        "mended": mended,
        "provider": provider,
        "host": "mx.example",
        "domain": "a.example",
        "code": code,
        "text": text,
    }
    return [one.name for one in counter.heard(key, now, **about)]


def test_it_acts_when_the_words_were_heard_so_often_in_the_time():
    counter = RuleCounter(RuleBook([yahoo("TSS04", 3, within=600.0)]))
    assert [hear(counter, now) for now in (0.0, 300.0, 599.0)] == [[], [], ["TSS04"]]
    counter = RuleCounter(RuleBook([yahoo("TSS04", 3, within=600.0)]))
    assert [hear(counter, now) for now in (0.0, 300.0, 600.0, 899.0)] == [[], [], [], ["TSS04"]]


def test_what_is_in_force_is_not_done_again_and_counts_nothing():
    counter = RuleCounter(RuleBook([yahoo("TSS04", 2)]))
    assert [hear(counter, float(now)) for now in range(5)] == [[], ["TSS04"], [], [], []]
    assert [hear(counter, 3601.0 + now) for now in range(2)] == [[], ["TSS04"]]


def test_each_limit_is_counted_for_itself():
    counter = RuleCounter(RuleBook([rule("busy", 2)]))
    assert hear(counter, 0.0, "busy", key="a") == hear(counter, 0.0, "busy", key="b") == []
    assert hear(counter, 0.0, "busy", key="a") == ["busy"]


def test_the_first_rule_that_matches_counts_and_a_ladder_counts_whole():
    rules = [yahoo("[TSS04]", 1, name="slow"), yahoo("[TSS04]", 3, name="rest"), yahoo("TSS", 1, name="wide")]
    counter = RuleCounter(RuleBook(rules))
    assert [hear(counter, float(now)) for now in range(3)] == [["slow"], [], ["rest"]]
    assert hear(counter, 9.0, "[TSS05]") == ["wide"]
    assert hear(counter, 9.0, provider="") == []


def test_the_code_belongs_to_what_is_matched():
    book = RuleBook([rule("553 5.7.1 [BL")])
    assert book.matching("", "h", "d", 553, "5.7.1 [BL21] Connections not accepted") == (0,)
    assert book.matching("", "h", "d", 421, "5.7.1 [BL21] Connections not accepted") == ()


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("bulkmail.shaping.rules._MOST_COUNTED", 3)
    counter = RuleCounter(RuleBook([rule("busy", 2)]))
    for n in range(10):
        hear(counter, 0.0, "busy", key=str(n))
    assert len(counter._heard) == 3


def test_a_long_hostile_reply_is_matched_in_its_first_characters_only():
    counter = RuleCounter(RuleBook([rule("busy")]))
    assert hear(counter, 0.0, "x" * 300 + " busy") == []


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (SLOW, "rate /2, for 1h"),
        (RuleAction(rate=Rate(10, 60.0, 1), lasts=1800.0), "rate 10/m,burst=1, for 30m"),
        (RuleAction(connections=1, messages=2), "connections 1, messages_per_connection 2, for 1h"),
        (RuleAction(fewer=0.25, chunking_off=True), "connections /4, chunking off, for 1h"),
        (RuleAction(rest=7200.0), "rest 2h"),
        (RuleAction(stop=True), "stop campaign"),
    ],
)
def test_an_action_in_words(action, words):
    assert action.words == words


def test_the_rules_of_the_settings():
    given_ = {
        "shaping": {
            "rules": [
                {"provider": "yahoo", "match": "TSS04", "times": 3, "within": "10m", "do": {"rate": "/2"}, "for": "2h"},
                {
                    "mx": ".example.com",
                    "match": "/slow/",
                    "do": {"rest": "30m", "connections": "/2", "chunking": "off"},
                },
                {"domain": ["a.example"], "match": "x", "do": {"rate": "10/m", "messages_per_connection": 3}},
                {"provider": ["apple"], "match": "x", "do": {"stop": "campaign", "connections": 2}},
            ]
        }
    }
    first, second, third, fourth = own_rules(Settings.model_validate(given_).shaping.rules)
    assert (first.times, first.within, first.action) == (3, 600.0, RuleAction(lasts=7200.0, slower=0.5))
    assert first.scope == Scope(frozenset({"yahoo"}))
    assert second.scope == Scope(mx=(".example.com",))
    assert second.action == RuleAction(rest=1800.0, fewer=0.5, chunking_off=True)
    assert third.action == RuleAction(rate=Rate(10, 60.0, 1), messages=3)
    assert fourth.action == RuleAction(stop=True, connections=2)
    assert fourth.name == "shaping.rules[3]"


@settings(max_examples=60)
@given(st.lists(st.floats(0.0, 400.0), max_size=60), st.integers(1, 4), st.sampled_from([10.0, 600.0]))
def test_it_never_acts_on_fewer_words_nor_twice_in_its_time(waits, times, within):
    action = RuleAction(lasts=300.0, slower=0.5)
    counter = RuleCounter(RuleBook([rule("busy", times, within, action)]))
    now, heard, acted = 0.0, deque(), []
    for wait in waits:
        now += wait
        heard.append(now)
        if hear(counter, now, "busy"):
            assert sum(now - within < at <= now for at in heard) >= times
            assert not acted or now - acted[-1] >= 300.0
            acted.append(now)


@settings(max_examples=60)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5))
def test_what_is_counted_in_a_row_acts_only_where_nothing_was_accepted_between(mended, times):
    words = Rule("in a row", Scope(), parse_pattern("busy"), RuleAction(lasts=0.5), times, 3600.0, in_a_row=True)
    counter, run = RuleCounter(RuleBook([words])), 0
    for now, accepted in enumerate(mended):
        run = 1 if accepted else run + 1
        acts = bool(hear(counter, float(now), "busy", mended=accepted))
        assert acts == (run >= times)
        run = 0 if acts else run
