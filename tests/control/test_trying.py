from __future__ import annotations

from bulkmail.control.campaign_models import TriedAnswer
from bulkmail.control.trying import kept_back, tried_answer, tried_words
from bulkmail.spool import Tried

SITUATION = {"word": "sending", "sentence": "Sending.", "reason": "", "since": None, "next_attempt_at": None}
SITUATION |= {"alive": True, "fault": "", "planned_end_at": None, "expected_end_at": None}
TOLD = {
    "campaign": "spring",
    "situation": SITUATION,
    "holds": [
        {"kind": "rule", "provider": "google", "reason": "12 % bounced"},
        {"kind": "paused", "provider": "yahoo", "reason": ""},
    ],
    "waiting_sites": [
        {"site": "mx.a.example", "why": "421 busy", "until": "2026-12-02T03:31:00.000Z"},
        {"site": "mx.b.example", "why": "", "until": None},
    ],
}
SITES = ["mx.a.example is left alone until 2026-12-02 03:31 UTC: 421 busy", "mx.b.example is left alone"]


def test_what_keeps_rows_back_is_told():
    google, yahoo = "google: a rule has stopped it (12 % bounced)", "yahoo: a person has paused it"
    assert kept_back(TOLD) == [google, yahoo, *SITES]
    assert kept_back(TOLD, "google") == [google, *SITES]
    whole = {**TOLD, "waiting_sites": [], "holds": [{"kind": "of a later version", "provider": "", "reason": ""}]}
    assert kept_back(whole, "google") == ["All of it: of a later version"]


def test_the_answer_and_its_lines():
    answer = tried_answer(TOLD, Tried(1, 2), "google")
    TriedAnswer.model_validate(answer)
    assert tried_words(answer) == [
        "spring: 1 deferred row is tried at once.",
        "2 wait for their time, for a copy may have arrived.",
        "Kept back: google: a rule has stopped it (12 % bounced)",
        *(f"Kept back: {words}" for words in SITES),
        "Limits count as before.",
    ]
