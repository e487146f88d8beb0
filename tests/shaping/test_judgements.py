from __future__ import annotations

import pytest

from bulkmail.mail import Category, Fate, Outcome, Peer, Reply, Stage
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
