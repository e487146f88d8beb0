from __future__ import annotations

import pytest

from bulkmail.commands.top_lines import VIEWS, Told, clip, ordered, screen

EVIL = "ev\x1b]0;owned\x07il\x9b2J\u202e漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字"


def campaign(name="spring", word="sending", **more):
    return {
        "campaign": name,
        "situation": {"word": word, "sentence": f"It says {name}."},
        "by_status": {"delivered": 1_234_567, "bounced": 5, "pending": 9},
        "by_category": {"bad-mailbox": 5},
        "by_provider": {"google": {"delivered": 1000, "bounced": 2}, "other": {"deferred": 3}},
        "input_rows": 10_000_000,
        "in_flight": {"google": 12},
        "rate": 2500.0,
        "seconds_left": 90,
        "holds": [],
    } | more


def told(*campaigns, reply="421 slow down"):
    lasts = [("google", 50, 20, None), ("other", 3, 3, "2026-12-03T14:05:09.000Z")]
    names = ("provider", "last", "delivered", "next_try_at")
    recent = {
        "providers": [dict(zip(names, one, strict=True)) for one in lasts],
        "replies": [{"provider": "google", "category": "rate-limited", "reply": reply, "count": 30}],
    }
    site = {
        "site": "(mx1|mx2).example.net", "provider": "google", "state": "suspended", "claimed": 5, "connections": 1,
        "why": reply, "until": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    providers = [{"provider": "google", "rate_factor": 0.5, "open": 4}]
    return Told(campaigns or (campaign(),), providers, [site], recent)


def text(lines):
    return "\n".join(line.text for line in lines)


def test_campaigns_with_their_figures():
    shown = screen(told(campaign("old", "finished", rate=None), campaign()), "campaigns", 0, 80, 24)
    assert shown[0].text == "bulkmail  1 of 2 campaigns going on, 2,500/s"
    assert shown[1].text.startswith("1*campaigns")
    assert "> spring" in shown[3].text
    assert "10,000,000  1,234,567" in shown[3].text
    assert shown[3].tone == "good"
    assert shown[4].text == "    It says spring. About 1.5m left."
    assert shown[5].text.startswith("  old")


def test_providers_with_a_light_that_needs_no_colour():
    shown = screen(told(), "providers", 0, 80, 24)
    google = next(line for line in shown if line.text.startswith("google"))
    other = next(line for line in shown if line.text.startswith("other "))
    assert (google.tone, " SLOW " in google.text, "20/50" in google.text, " 50% " in google.text) == (
        "wrong",
        *[True] * 3,
    )
    assert (other.tone, " -  " in other.text) == ("plain", True)
    assert other.text.endswith(" 03 14:05"), "the first of those who wait there, in UTC"
    head = next(line for line in shown if line.text.startswith("provider"))
    assert len(head.text) == len(other.text) < 80, "with room for the edge of a terminal of 80 columns"
    assert "   30  google: 421 slow down" in text(shown)


def test_a_wide_terminal_has_the_columns_of_the_page():
    counts = {"delivered": 1000, "bounced": 2, "blocked": 3, "expired": 4, "unknown": 5}
    some = told(campaign(by_provider={"google": counts}))
    narrow, wide = (
        [
            line.text.split()
            for line in screen(some, "providers", 0, width, 24)
            if line.text.startswith(("prov", "goog"))
        ]
        for width in (114, 115)
    )
    assert narrow[0][-8:] == ["delivered", "deferred", "failed", "flight", "pace", "conn", "next", "try"]
    assert narrow[1] == ["google", "SLOW", "20/50", "1,000", "0", "14", "12", "50%", "4"]
    heads = ["delivered", "deferred", "bounced", "blocked", "expired", "unknown", "flight", "pace"]
    assert wide[0][-11:] == [*heads, "conn", "next", "try"]
    assert wide[1][3:] == ["1,000", "0", "2", "3", "4", "5", "12", "50%", "4"]


def test_a_provider_that_only_has_messages_in_flight_is_shown_and_a_campaign_that_is_not_sent_has_none():
    def rows(**more):
        shown = screen(told(campaign(**more)), "providers", 0, 80, 24)
        return [line.text.split() for line in shown if line.text.startswith(("goog", "yahoo"))]

    assert rows(in_flight={"yahoo": 7}) == [
        ["google", "SLOW", "20/50", "1,000", "0", "2", "0", "50%", "4"],
        ["yahoo", "-", "0/0", "0", "0", "0", "7"],
    ]
    assert rows(in_flight=None) == [["google", "SLOW", "20/50", "1,000", "0", "2", "50%", "4"]]


def test_sites_and_holds_with_their_reasons():
    assert "421 slow down" in text(screen(told(), "sites", 0, 100, 24))
    hold = {"kind": "paused", "provider": "google", "since": "2026-12-01T10:00:00.000Z", "reason": "look at it"}
    shown = text(screen(told(campaign(holds=[hold])), "holds", 0, 100, 24))
    assert "2026-12-01 10:00  look at it" in shown
    assert "reasons: bad-mailbox 5" in shown
    assert "nothing is held" in text(screen(told(campaign(by_category={})), "holds", 0, 80, 24))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("width", "height"), [(80, 24), (20, 3), (1, 1), (200, 60)])
def test_it_fits_and_is_harmless(view, width, height):
    hold = {"kind": "paused", "provider": EVIL, "since": None, "reason": EVIL}
    evil = campaign(EVIL, holds=[hold] * 40, by_provider={EVIL: {"delivered": 1}}, by_category={EVIL: 1})
    evil["situation"] = {"word": EVIL, "sentence": EVIL}
    for some in (told(evil, reply=EVIL), Told((), fault=EVIL), Told(())):
        lines = screen(some, view, 0, width, height)
        assert len(lines) <= height
        for line in lines:
            assert line.text.isprintable()
            assert line.text == clip(line.text, width)


def test_wide_characters_take_two_columns():
    assert clip("漢字漢字", 5) == "漢字"
    assert clip("abc", 2) == "ab"


def test_those_that_are_not_over_come_first_the_newest_at_the_top():
    some = [campaign("a", "finished"), campaign("b"), campaign("c", "cancelled"), campaign("d", "paused")]
    assert [one["campaign"] for one in ordered(some)] == ["d", "b", "c", "a"]


def test_a_long_sentence_goes_on_in_the_next_line():
    one = campaign(seconds_left=None)
    one["situation"] = {"word": "dead", "sentence": "Nothing is sent: " + "its process has ended. " * 9}
    shown = screen(told(one), "campaigns", 0, 80, 24)
    assert [line.text[:4] for line in shown[4:]] == ["    "] * 3
    assert all(len(line.text) <= 80 for line in shown)
    assert screen(told(one), "providers", 0, 80, 24)[5].text.startswith("provider ")
