from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, LateEvent, LateResult, Outcome, Peer, Reply, Stage
from bulkmail.settings import Settings
from bulkmail.shaping import Judgements, Verdict, classify


def judgements(*given):
    return Judgements(Settings.model_validate({"classification": list(given)}).classification)


def said(code, text, fate=Fate.REFUSED, stage=Stage.RCPT):
    return Outcome(fate, stage, Reply(code, (text,)), peer=Peer("mx.a.example", "192.0.2.1", "", ""))


def test_own_words_come_before_ours():
    own = judgements({"match": "account retired", "category": "inactive-mailbox"})
    outcome = said(550, "5.7.1 Account retired")
    assert classify(outcome).category is Category.POLICY
    assert own.judge(outcome, "", "a.example") == Verdict(Category.INACTIVE_MAILBOX, permanent=True)
    assert own.judge(said(550, "5.1.1 no such user"), "", "a.example") == classify(said(550, "5.1.1 no such user"))


@pytest.mark.parametrize(
    ("code", "fate", "given", "permanent", "signal"),
    [
        (550, Fate.REFUSED, {"category": "policy"}, True, ""),
        (550, Fate.REFUSED, {"category": "policy", "permanent": False}, False, ""),
        (450, Fate.REFUSED, {"category": "policy", "permanent": True}, False, ""),
        (550, Fate.LOST, {"category": "policy", "permanent": True}, False, ""),
        (550, Fate.REFUSED, {"category": "rate-limited"}, False, "rate"),
        (550, Fate.REFUSED, {"category": "rate-limited", "permanent": True}, True, ""),
        (451, Fate.REFUSED, {"category": "greylisted"}, False, "greylist"),
    ],
)
def test_how_long_it_lasts(code, fate, given, permanent, signal):
    verdict = judgements({"match": "xyz", **given}).judge(said(code, "xyz in 5 minutes", fate), "", "")
    assert (verdict.permanent, verdict.signal) == (permanent, signal)
    assert verdict.wait == (300.0 if signal == "greylist" else None)


def test_each_scope():
    own = judgements(
        {"provider": "apple", "match": "xyz", "category": "policy"},
        {"mx": ".a.example", "match": "xyz", "category": "quota"},
        {"domain": "b.example", "match": "xyz", "category": "virus"},
    )
    outcome = said(550, "5.1.1 xyz")
    assert own.judge(outcome, "apple", "").category is Category.POLICY
    assert own.judge(outcome, "", "").category is Category.QUOTA
    elsewhere = Outcome(Fate.REFUSED, Stage.RCPT, outcome.reply)
    assert own.judge(elsewhere, "", "b.example").category is Category.VIRUS
    assert own.judge(elsewhere, "", "c.example").category is Category.BAD_MAILBOX


def test_what_is_no_refusal_is_left_alone():
    own = judgements({"match": "ok", "category": "policy"})
    accepted = Outcome(Fate.ACCEPTED, Stage.DOT, Reply(250, ("ok",)))
    ours = Outcome(Fate.REFUSED, Stage.DOT, Reply(550, ("ok",)), category=Category.TOO_LARGE, permanent=True)
    for outcome in (accepted, ours, Outcome(Fate.UNKNOWN, Stage.DOT), said(299, "ok")):
        assert own.judge(outcome, "", "") == classify(outcome)


def came(code=550, reply="5.7.1 Account retired", status="blocked", **more):
    fields = {"category": "policy", "enhanced": "5.7.1", "host": "mx.a.example", **more}
    return LateEvent(LateResult.RETURNED, 1.0, status, smtp_code=code, reply=reply, **fields)


@pytest.mark.parametrize(
    ("rule", "event", "status", "soft"),
    [
        ({"category": "inactive-mailbox"}, came(), "bounced", False),
        ({"category": "quota"}, came(status="bounced", category="bad-mailbox"), "blocked", False),
        ({"category": "bad-mailbox", "permanent": False}, came(), "blocked", True),
        ({"category": "rate-limited"}, came(), "blocked", True),
        ({"category": "bad-mailbox", "permanent": True}, came(450, soft=True), "blocked", True),
        ({"category": "bad-mailbox"}, came(enhanced="4.4.7", soft=True), "blocked", True),
        ({"category": "bad-mailbox"}, came(enhanced="5.4.7", soft=True), "blocked", True),
        ({"category": "bad-mailbox"}, came(soft=True), "bounced", False),
    ],
)
def test_a_reply_that_comes_back_later_means_the_same(rule, event, status, soft):
    own = judgements({"match": "account retired", **rule}).judge_late(event, "", "a.example")
    assert own == event._replace(status=status, category=rule["category"], soft=soft)


def test_the_code_and_each_scope_count_for_a_report_too():
    own = judgements(
        {"provider": "apple", "match": "550 5.7.1 account", "category": "spam-content"},
        {"mx": ".a.example", "match": "account", "category": "quota"},
        {"domain": "b.example", "match": "account", "category": "virus"},
    )
    assert own.judge_late(came(), "apple", "").category == "spam-content"
    assert own.judge_late(came(554), "apple", "").category == "quota"
    assert own.judge_late(came(host="MX.A.example. (192.0.2.1)"), "", "").category == "quota"
    assert own.judge_late(came(host="relay.example"), "", "b.example").category == "virus"
    assert own.judge_late(came(host="relay.example"), "", "c.example").category == "policy"


@pytest.mark.parametrize(
    "event",
    [
        came(status=""),
        came(0),
        came(250),
        came(reply="5.7.1 something else"),
        LateEvent(LateResult.COMPLAINED, 1.0, reply="account retired"),
    ],
)
def test_what_reports_no_reply_of_theirs_stays_as_it_is(event):
    assert judgements({"match": "account retired", "category": "quota"}).judge_late(event, "", "") == event
