from __future__ import annotations

from bulkmail.web.comparing import record, side, side_by_side
from tests.web.known import BEST, RECENT, campaign

UNKNOWN = {"minute": None, "hour": None}

BEGAN, ENDED = "2026-12-02T03:00:00.000Z", "2026-12-02T03:10:00.000Z"


def told(name, delivered, **changed):
    by_status = {"delivered": delivered, "bounced": 10, "duplicate": 7, "suppressed": 3}
    by_provider = {"google": {"delivered": delivered, "bounced": 10}}
    given = {"by_status": by_status, "by_provider": by_provider, "started_at": BEGAN, "ended_at": ENDED}
    return campaign(name, "finished", **{**given, **changed})


def test_shares_are_of_what_was_to_be_sent():
    line = record(told("autumn", 90, late={"returned": 0, "unsubscribed": 9, "complained": 1}), BEST)
    assert (line["sent"], line["took"]) == (100, "10 min")
    assert (line["of"]["delivered"], line["of"]["bounced"]) == ("90 (90.0 %)", "10 (10.0 %)")
    assert (line["late"]["unsubscribed"], line["late"]["complained"]) == ("9 (10.0 %)", "1 (1.1 %)")
    assert line["clicks"] == "3 (3.3 %)"


def test_a_campaign_that_did_not_begin_has_no_time():
    line = record(told("autumn", 0, started_at=None, clicks=None), UNKNOWN)
    assert (line["took"], line["clicks"], line["of"]["delivered"]) == ("", "", "0 (0 %)")
    assert side(told("autumn", 0, started_at=None), RECENT, UNKNOWN)["speed"] == ""


def test_each_row_has_a_cell_for_each_campaign():
    other = told("winter", 30, by_provider={"yahoo": {"delivered": 30}})
    rows = dict(
        side_by_side([side(told("autumn", 90), RECENT, BEST), side(other, {**RECENT, "providers": []}, UNKNOWN)])
    )
    assert rows["Of these to be sent"] == ["100", "40"]
    assert rows["delivered"] == ["90 (90.0 %)", "30 (75.0 %)"]
    assert rows["google: delivered"] == ["90 (90.0 %)", ""]
    assert rows["yahoo: delivered"] == ["", "30 (100 %)"]
    assert rows["google: accepted within"] == ["120 ms (half), 900 ms (95 %)", ""]
    assert rows["Accepted within"] == ["130 ms (half), 950 ms (95 %)"] * 2
    assert rows["Best minute"] == ["1,234 (2026-12-02 03:31)", ""]
    assert rows["Best hour"] == ["56,789 (2026-12-02 03:31)", ""]
    assert rows["Delivered on average"] == ["0.1/s", "0.1/s"]
    assert side_by_side([]) == [(heading, []) for heading, _ in side_by_side([])]
