from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Status, Word
from bulkmail.web.views import (
    SHOWN,
    bar,
    campaign_line,
    categories_of,
    counts_of,
    domains_of,
    holds_of,
    lasting,
    matrix,
    of_provider,
    plotted,
    possible,
    replies_of,
    resume_of,
    slowed,
    status_row,
    tone,
    variants_of,
    waiting_of,
    when,
)
from tests.web.known import AT, DOMAIN, HOSTILE, PROVIDER, RECENT, ROW, VARIANTS, campaign, hold


@given(st.dictionaries(st.sampled_from([str(one) for one in Status]), st.integers(0, 10**9)), st.integers(0, 10**9))
def test_a_bar_never_overflows_and_shows_every_row_that_is_not_pending(by_status, rows):
    parts = bar(by_status, rows)
    assert sum(part.width for part in parts) <= 100.1
    pending = by_status.get("pending", 0)
    assert sum(part.rows for part in parts) == sum(by_status.values()) - pending
    for before, after in pairwise(parts):
        assert after.start == pytest.approx(before.start + before.width, abs=0.01)


def test_every_word_has_its_colour():
    assert {word for word in Word if tone(word) == "wrong"} == {word for word in Word if word.wrong}
    assert tone("sending") == "good"
    assert tone("paused") == "wait"
    assert tone("finished") == "over"
    assert tone("a word of a later version") == "wrong"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (1, "about 1 min"),
        (7500, "about 2 h 5 min"),
        (86400 * 2 + 3600, "about 2 d 1 h"),
        (3600, "about 1 h"),
    ],
)
def test_a_time_in_words(seconds, words):
    assert lasting(seconds) == words


def test_a_moment():
    assert when(AT) == "2026-12-02 03:31"
    assert (when(None), when("soon")) == ("", "soon")


def test_a_line_adds_up():
    line = campaign_line(campaign())
    assert (line["delivered"], line["failed"], line["waiting"]) == (300, 40, 660)
    assert line["delivered"] + line["failed"] + line["waiting"] + line["never"] == line["rows"]
    counts = {"delivered": 5, "invalid": 1, "duplicate": 2, "suppressed": 3, "cancelled": 4, "pending": 6}
    assert campaign_line(campaign(by_status=counts))["never"] == 10


def test_a_status_and_a_category_say_what_they_mean():
    shown = counts_of({"bounced": 2, "pending": 0})
    assert [(one["status"], one["count"]) for one in shown] == [("bounced", 2)]
    assert "The address is no good" in shown[0]["sentence"]
    assert [(one["category"], one["why"]) for one in categories_of({"policy": 1, "bad-mailbox": 2})] == [
        ("bad-mailbox", "The mailbox does not exist"),
        ("policy", "Against the receiver's rules"),
    ]
    assert status_row(ROW)["why"] == "The mailbox does not exist"
    assert status_row({**ROW, "category": ""})["why"] == ""
    assert status_row(ROW)["provider"] == ROW["provider"]
    assert status_row({**ROW, "attempts": 0, "provider": "other"})["provider"] == ""


def test_a_provider_has_its_counts_its_light_and_its_pace():
    counts = {"a": {"delivered": 1}, "google": {"delivered": 5, "blocked": 2}}
    rows = matrix(counts, [PROVIDER], [{"provider": "google", "last": 50, "delivered": 12}])
    assert [row["provider"] for row in rows] == ["google", "a"]
    assert (rows[0]["light"], rows[0]["last"], rows[0]["open"], rows[0]["pace"]) == ("wrong", "12 of 50", 1, 50)
    assert [rows[0][status] for status in SHOWN] == [5, 0, 0, 2, 0, 0]
    assert (rows[1]["light"], rows[1]["open"], rows[1]["in_flight"]) == ("over", None, None)


def test_a_provider_has_what_is_in_flight_before_anything_came_of_it():
    rows = matrix({"a": {"delivered": 1}, "b": {"delivered": 9}}, [], [], {"a": 3, "c": 2})
    assert [(row["provider"], row["in_flight"]) for row in rows] == [("b", 0), ("a", 3), ("c", 2)]


def test_a_site_that_two_campaigns_wait_for_is_told_once():
    assert waiting_of([campaign(), campaign("other")]) == campaign()["waiting_sites"]


def test_what_is_held_of_campaigns_that_are_not_over():
    found = holds_of([campaign(holds=[hold("approval"), hold()]), campaign("old", "cancelled", holds=[hold()])])
    assert [(one["campaign"], one["kind"], one["resumable"]) for one in found] == [
        ("spring", "approval", False),
        ("spring", "paused", True),
    ]
    several = [hold(), hold("rule", "other"), hold("paused", "google"), hold("schedule", "gmx")]
    assert {one["provider"]: one["also"] for one in holds_of([campaign(holds=several)])} == {
        "": ["google", "other"],
        "other": [],
        "google": [],
        "gmx": [],
    }


def test_what_a_resume_ends_and_what_stays_held():
    holds = [hold(), hold("rule", "google"), hold("approval"), hold("schedule", "gmx"), hold("paused", "gmx")]
    whole = resume_of(holds)
    assert whole.ends == ["the pause of the whole campaign", "the stop by a rule at google", "the pause at gmx"]
    assert whole.stays == [
        "all of it, because it waits to be approved",
        "what goes to gmx, because its schedule lets nothing be sent now",
    ]
    at_gmx = resume_of(holds, "gmx")
    assert at_gmx.ends == ["the pause at gmx"]
    assert at_gmx.stays == [
        "all of it, because a person has paused it",
        "all of it, because it waits to be approved",
        "what goes to gmx, because its schedule lets nothing be sent now",
    ]
    found = {(one["kind"], one["provider"]): one["stays"] for one in holds_of([campaign(holds=holds)])}
    assert found["rule", "google"] == at_gmx.stays[:2]
    assert found["approval", ""] == []


@pytest.mark.parametrize(
    ("word", "holds", "buttons"),
    [
        ("sending", [], ("pause", "try-now", "cancel")),
        ("waiting for approval", [hold("approval")], ("approve", "pause", "try-now", "cancel")),
        ("refused", [hold("refused"), hold("approval")], ("pause", "try-now", "cancel")),
        ("checking", [hold("checking"), hold("approval")], ("pause", "try-now", "cancel")),
        ("paused", [hold()], ("resume", "try-now", "cancel")),
        ("sending", [hold("paused", "google")], ("resume", "pause", "try-now", "cancel")),
        ("stopped", [hold("rule", "google")], ("resume", "pause", "try-now", "cancel")),
        ("finished", [], ()),
        ("cancelling", [], ()),
    ],
)
def test_what_can_be_done(word, holds, buttons):
    assert tuple(possible(campaign(word=word, holds=holds))) == buttons


def test_where_nobody_is_put_off_there_is_nobody_to_try_now():
    told = campaign()
    assert "try-now" not in possible({**told, "by_status": {**told["by_status"], "deferred": 0}})


def test_a_campaign_at_one_provider_and_what_was_said_there():
    told, recent = campaign(), {**RECENT, "campaign": "spring"}
    row = of_provider(told, recent, "google")
    assert (row["counts"]["delivered"], row["last"], row["median"], row["most"]) == (200, "12 of 50", 120, 900)
    nothing = of_provider(told, recent, "yahoo")
    assert (sum(nothing["counts"].values()), nothing["last"], nothing["median"]) == (0, "0 of 0", None)
    assert [(one["campaign"], one["count"], one["last_at"]) for one in replies_of([recent], "google")] == [
        ("spring", 38, "2026-12-02 03:31")
    ]
    assert replies_of([recent], "yahoo") == []


def test_the_domains_of_a_provider_in_all_campaigns_are_bounded():
    def told(name, rows, *, whole=True):
        domains = [{**DOMAIN, "domain": f"d{n}.example", "rows": n} for n in rows]
        return {"campaign": name, "provider": "google", "domains": domains, "whole": whole}

    both = domains_of([told("spring", (5, None)), told("autumn", (5, 7))])
    assert [(one["campaign"], one["rows"]) for one in both["rows"]] == [
        ("autumn", 7),
        ("autumn", 5),
        ("spring", 5),
        ("spring", None),
    ]
    assert (both["whole"], domains_of([told("spring", [1], whole=False)])["whole"]) == (True, False)
    many = domains_of([told("spring", range(51))])
    assert ([one["rows"] for one in many["rows"]], many["whole"]) == (list(range(50, 0, -1)), False)


def test_a_span_of_time_is_a_rate_and_its_numbers():
    bucket = {"at": AT, "delivered": 90, "failed": 1, "deferred": 2, "unknown": 0, "accepted_ms": [50, 900]}
    told = plotted(bucket, 60)
    assert (told["at"], told["seconds"], told["rate"]) == ("2026-12-02 03:31:00", 1796182260, 1.5)
    assert (told["median"], told["most"], told["deferred"]) == (50, 900, 2)
    assert plotted({**bucket, "accepted_ms": None}, 60)["median"] == ""


def test_variants_say_how_many_were_sent_and_which_one_was_chosen():
    a, other = variants_of(VARIANTS)
    shown = {name: a[name] for name in ("rows", "sent", "delivered", "bounced", "clicked", "wins")}
    assert shown == {"rows": 100, "sent": 95, "delivered": 90, "bounced": 3, "clicked": 30, "wins": True}
    assert (other["variant"], other["clicked"], other["wins"]) == (HOSTILE, None, False)
    assert not any(one["wins"] for one in variants_of({**VARIANTS, "winner": None}))


def test_who_has_slowed_us_down_the_slowest_first():
    given = [{**PROVIDER, "provider": name, "rate_factor": factor} for name, factor in
             (("gmx", 0.5), ("google", 1.0), ("yahoo", 0.05))]  # fmt: skip
    rate = PROVIDER["rate"].partition(",")[0]
    assert slowed(given) == [
        {"provider": "yahoo", "pace": 5, "rate": rate},
        {"provider": "gmx", "pace": 50, "rate": rate},
    ]
