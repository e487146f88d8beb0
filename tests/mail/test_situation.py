from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Held, Standing, Word, clock, is_late, situation

NOW = 1796133900.0  # 2026-12-01T14:05:00Z
TIMES = st.none() | st.floats(0, 2 * NOW)


def test_a_campaign_that_is_being_sent():
    found = situation(Standing(state="running", alive=True, pending=5, started_at=NOW - 60), NOW)
    assert found.word == "sending"
    assert (found.sentence, found.reason, found.since) == ("It is being sent.", "", NOW - 60)
    assert (found.alive, found.fault, found.wrong) == (True, "", False)


def test_one_that_waits_says_for_how_many_and_until_when():
    found = situation(Standing(state="running", alive=True, deferred=12, next_try_at=NOW + 600), NOW)
    assert found.word == "waiting"
    assert found.sentence == "Waiting: 12 deferred, next try 14:15 UTC."
    assert found.next_attempt_at == NOW + 600


def test_rows_that_came_back_untried_may_wait_too():
    known = Standing(state="running", alive=True, deferred=2, pending=14, resting=True, next_try_at=NOW + 600)
    assert situation(known, NOW).sentence == "Waiting: 2 deferred and 14 not tried yet, next try 14:15 UTC."


def test_while_the_list_is_still_being_read_it_does_not_wait():
    assert situation(Standing(state="running", alive=True, deferred=12, input_complete=False), NOW).word == "sending"


def test_a_reason_that_ends_with_a_full_stop_gets_no_second_one():
    held = Held("refused", reason="publish it. IN PTR mta1.example.com.", since=NOW)
    found = situation(Standing(state="running", alive=True, pending=5, held=[held]), NOW)
    assert found.sentence == "Refused since 14:05 UTC: publish it. IN PTR mta1.example.com."


def test_a_pause_names_who_when_and_why():
    held = Held(reason="wrong price", who="ann", since=NOW, until=NOW + 7200)
    found = situation(Standing(state="running", alive=True, pending=5, held=[held], fault="no resolver"), NOW)
    assert found.word == "paused"
    assert found.sentence == "Paused by ann since 14:05 UTC until 16:05 UTC: wrong price."
    assert (found.reason, found.since) == ("wrong price", NOW)
    assert not Word.PAUSED.wrong


@pytest.mark.parametrize(
    ("first_at", "words"),
    [
        (["google"], "google"),
        (["google", "other receivers"], "google and other receivers"),
        (["apple", "google", "gmx", "qq", "yahoo"], "apple, google, gmx and 2 others"),
    ],
)
def test_one_that_waits_for_its_first_messages_says_where(first_at, words):
    known = Standing(state="running", alive=True, pending=800, first_at=first_at, started_at=NOW - 60)
    rest = f"The rest for {words} follows once the first messages there are answered."
    assert situation(known, NOW).sentence == f"It is being sent. {rest}"
    waits = replace(known, deferred=180, resting=True, next_try_at=NOW + 360)
    assert situation(waits, NOW).sentence.endswith(f"next try 14:11 UTC. {rest}")
    more = situation(replace(known, first_again_at=NOW + 300), NOW).sentence
    assert more.endswith(f"{rest[:-1]}; too few had a final answer, so more are tried at 14:10 UTC.")


def test_a_pause_outlives_its_process():
    found = situation(Standing(state="running", alive=False, held=[Held(who="ann")]), NOW)
    assert found.word == "paused"
    assert found.sentence == "Paused by ann until it is resumed. No process is running."
    assert found.alive is False


def test_a_pause_of_one_provider_leaves_the_rest_sending():
    held = Held("paused", "google", "complaints", "ann", NOW)
    found = situation(Standing(state="running", alive=True, pending=5, held=[held]), NOW)
    assert found.word == "sending"
    assert found.sentence == (
        "It is being sent. google: Paused by ann since 14:05 UTC until it is resumed: complaints."
    )


def test_a_fault_of_our_own_is_told_with_its_words():
    known = Standing(state="running", alive=True, pending=5, fault="the disk is full", fault_since=NOW - 300)
    found = situation(known, NOW)
    assert found.word == "faulty"
    assert found.sentence == (
        "Nothing is sent since 14:00 UTC: the disk is full. It is tried again, and no recipient is charged."
    )
    assert (found.fault, found.wrong) == ("the disk is full", True)


def test_a_process_that_has_ended_is_told_whatever_fault_it_had():
    known = Standing(state="running", alive=False, pending=5, fault="the disk is full", last_sign=NOW - 120)
    found = situation(known, NOW)
    assert found.word == "dead"
    assert found.sentence == (
        "Nothing is sent: its process has ended without stopping it; it was last heard of at 14:03 UTC. "
        "The next start goes on."
    )
    assert (found.alive, found.fault, found.wrong) == (False, "", True)


@pytest.mark.parametrize(
    ("known", "word", "sentence"),
    [
        (Standing(state="ready", alive=None), "ready", "It has not been started yet."),
        (
            Standing(state="finished", alive=False, ended_at=NOW),
            "finished",
            "It is finished since 14:05 UTC: every row of the list has its final status.",
        ),
        (
            Standing(state="cancelled", alive=True, ended_at=NOW),
            "cancelled",
            "It was cancelled at 14:05 UTC; what was not sent is not sent any more.",
        ),
        (
            Standing(state="stopped", alive=False, ended_at=NOW),
            "stopped",
            "It was stopped before its end at 14:05 UTC; the next start goes on.",
        ),
        (
            Standing(state="cancelling", alive=True),
            "cancelling",
            "It is being cancelled: what is on the wire ends, and all other rows are settled as cancelled.",
        ),
        (
            Standing(
                state="running", alive=True, held=[Held("schedule", until=NOW + 60), Held("rule", reason="bounces")]
            ),
            "stopped",
            "Stopped by a rule: bounces.",
        ),
        (
            Standing(state="running", alive=True, held=[Held("fault", reason="templates take all memory")]),
            "stopped",
            "Stopped: templates take all memory.",
        ),
        (Standing(state="ready", alive=True, held=[Held("approval")]), "waiting for approval", "Waiting for approval."),
        (
            Standing(state="running", alive=True, held=[Held("schedule", reason="it is night", until=NOW + 60)]),
            "scheduled",
            "Scheduled: it is night.",
        ),
        (
            Standing(state="running", alive=True, held=[Held("folder", reason="it was moved")]),
            "paused",
            "Paused: it was moved.",
        ),
    ],
)
def test_the_other_words(known, word, sentence):
    found = situation(known, NOW)
    assert (found.word, found.sentence) == (word, sentence)


def test_a_time_of_another_day_has_its_day_and_the_zone_is_asked_for():
    assert clock(NOW, NOW) == "14:05 UTC"
    assert clock(NOW + 86400, NOW) == "2 December, 14:05 UTC"
    assert clock(NOW, NOW, timezone(timedelta(hours=1), "CET")) == "15:05 CET"


def test_it_goes_through_a_pipe():
    plain = situation(Standing(state="running", alive=True), NOW).plain()
    assert plain["word"] == "sending"
    assert type(plain["word"]) is str


@given(
    st.builds(
        Standing,
        state=st.sampled_from(["ready", "running", "stopped", "cancelling", "finished", "cancelled"]),
        alive=st.sampled_from([True, False, None]),
        pending=st.integers(0, 3),
        deferred=st.integers(0, 3),
        input_complete=st.booleans(),
        resting=st.booleans(),
        held=st.lists(
            st.builds(
                Held,
                kind=st.sampled_from(["paused", "rule", "fault", "approval", "schedule", "x"]),
                provider=st.sampled_from(["", "google"]),
                reason=st.just("why"),
                since=TIMES,
                until=TIMES,
            ),
            max_size=2,
        ),
        fault_since=TIMES,
        next_try_at=TIMES,
        started_at=TIMES,
        ended_at=TIMES,
        last_sign=TIMES,
        fault=st.sampled_from(["", "a fault"]),
    )
)
def test_whatever_is_known_there_is_one_sentence_that_says_why_nothing_is_sent(known):
    found = situation(known, NOW)
    assert found.sentence.endswith(".")
    assert found.word.wrong <= bool(found.reason)
    assert found.reason in found.sentence.lower() or found.word == "dead"
    assert found.word != "sending" or (found.alive is not False and not found.fault)


@pytest.mark.parametrize(("next_try", "expected"), [(None, NOW + 60), (NOW + 5, NOW + 60), (NOW + 90, NOW + 90)])
def test_what_its_schedule_holds_is_tried_next_when_it_opens(next_try, expected):
    held = [Held("schedule", reason="it waits", until=NOW + 60)]
    known = Standing(state="running", alive=True, held=held, next_try_at=next_try)
    assert situation(known, NOW).next_attempt_at == expected


def test_the_last_report_of_a_campaign_is_told_until_it_is_whole():
    written = Standing(state="running", alive=True, settled=True)
    assert situation(written, NOW).sentence == "Every row has its final status, and the last report is being written."
    ended = Standing(state="finished", alive=True, ended_at=NOW, report_whole=False)
    assert situation(ended, NOW).sentence.endswith("has its final status. Its last report is not whole yet.")
    killed = Standing(state="cancelled", alive=False, report_whole=False)
    assert situation(killed, NOW).sentence.endswith(" Its last report is not whole yet; the next start writes it.")


def planned(**more):
    known = Standing(state="running", alive=True, pending=5, planned_from=NOW - 600, planned_end=NOW + 900, **more)
    return situation(known, NOW).sentence


def test_a_campaign_that_is_late_says_how_late_and_why():
    assert planned() == "It is being sent. Planned to end 14:20 UTC."
    assert planned(expected_end=NOW + 1020) == "It is being sent. Planned to end 14:20 UTC."
    late = planned(expected_end=NOW + 3600, late_because="google defers 9 messages")
    assert late == (
        "It is being sent. Planned to end 14:20 UTC, now expected 15:05 UTC, because google defers 9 messages."
    )


def test_a_plan_is_told_of_no_campaign_that_is_over_and_none_that_is_short():
    over = Standing(state="finished", alive=None, planned_from=NOW - 900, planned_end=NOW, expected_end=NOW)
    assert "lanned" not in situation(over, NOW).sentence
    assert (situation(over, NOW).planned_end_at, situation(over, NOW).expected_end_at) == (NOW, None)
    short = Standing(state="running", alive=True, pending=5, planned_from=NOW, planned_end=NOW + 59)
    assert situation(short, NOW).sentence == "It is being sent."


@pytest.mark.parametrize(
    ("planned_seconds", "late_by", "expected"),
    [(600, 60, False), (600, 61, True), (6000, 600, False), (6000, 601, True)],
)
def test_what_is_late(planned_seconds, late_by, expected):
    assert is_late(NOW, NOW + planned_seconds, NOW + planned_seconds + late_by) is expected
    assert not is_late(NOW, NOW + planned_seconds, None)


def test_what_is_left_at_a_provider_where_it_is_held_makes_it_stopped():
    parts = [Held("rule", "google", "too many bounced", since=NOW - 60)]
    known = {"state": "running", "alive": True, "pending": 5, "held": parts}
    found = situation(Standing(**known, only_held=True), NOW)
    assert (found.word, found.reason) == ("stopped", "google: too many bounced")
    assert found.sentence.startswith("All that can be sent is sent. google: Stopped by a rule since ")
    assert situation(Standing(**known), NOW).word == "sending"
    ended = situation(Standing(**{**known, "state": "stopped"}, only_held=True), NOW)
    assert "the next start goes on. google: Stopped by a rule" in ended.sentence


def test_a_refusal_comes_before_all_that_holds_it_too():
    held = [Held("approval", reason="look at plan.txt"), Held("paused"), Held("refused", reason="html: no link")]
    found = situation(Standing(state="ready", alive=True, held=held), NOW)
    assert (found.word, found.reason, found.wrong) == ("refused", "html: no link", True)
    assert found.sentence == "Refused: html: no link."
    found = situation(Standing(state="running", alive=True, held=held), NOW)
    assert (found.word, found.wrong) == ("stopped", True)
    found = situation(Standing(state="ready", alive=True, held=[held[0], Held("checking")]), NOW)
    assert (found.word, found.wrong) == ("checking", False)
