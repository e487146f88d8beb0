from __future__ import annotations

from bulkmail.control.warmups import all_warmups, next_day, plain, warmups_at
from bulkmail.shaping import DAY, WarmupDay, WarmupPlan

TODAY = 20_788  # 2026-12-01
NOW = TODAY * DAY + 3600.0
PLANS = {"new": WarmupPlan(TODAY - 5, (10, 20)), "later": WarmupPlan(TODAY + 2, (10,))}


def told(provider, days):
    return [one["words"] for one in warmups_at(provider, PLANS, days, NOW)]


def test_it_tells_the_day_of_the_plan_what_is_used_and_when_it_goes_on():
    spent = "source new at google: day 1 of 2 of its warm-up, 10 of today's 10 messages are used, 9 delivered"
    begins = "source later at google: its warm-up begins on 2026-12-03 with 10 messages; nothing is sent before"
    assert told("google", {("new", "google"): WarmupDay(TODAY, 1, 12, 9)}) == [
        "source new at google: day 2 of 2 of its warm-up, 12 of today's 20 messages are used, 9 delivered",
        begins,
    ]
    assert told("partner at google", {("new", "google"): WarmupDay(TODAY, 0, 10, 9)}) == [
        f"{spent}; the next are sent on 2026-12-02 (UTC)",
        begins,
    ]


def test_an_earlier_day_is_told_as_of_today():
    first, _ = told("", {("new", "other"): WarmupDay(TODAY - 1, 0, 10, 10)})
    assert first == "source new at other: day 2 of 2 of its warm-up, 0 of today's 20 messages are used, 0 delivered"
    first, _ = told("", {("new", "other"): WarmupDay(TODAY - 1, 1, 20, 20)})
    assert first == "source new at other: is warm, nothing is counted any more"


def test_all_that_were_used_are_told_of_sources_that_still_warm_up():
    days = {("new", "yahoo"): WarmupDay(TODAY), ("new", "google"): WarmupDay(TODAY), ("gone", "google"): WarmupDay(1)}
    assert [(one["source"], one["provider"]) for one in all_warmups(PLANS, days, NOW)] == [
        ("new", "google"),
        ("new", "yahoo"),
    ]


def test_a_provider_waits_for_the_next_day_where_no_source_has_anything_left():
    spent = warmups_at("google", PLANS, {("new", "google"): WarmupDay(TODAY, 0, 10)}, NOW)
    assert next_day(spent, 2) == (TODAY + 1) * DAY
    assert next_day(spent, 3) is None, "one of the sources does not warm up"
    assert next_day(warmups_at("google", PLANS, {}, NOW), 2) is None
    assert next_day([], 0) is None
    assert plain(spent[0])["again"] == "2026-12-02T00:00:00.000Z"
