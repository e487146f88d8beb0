from __future__ import annotations

import pytest

from bulkmail.report import Facts, Stats, write_recipients
from bulkmail.report.view import length, minute, share, view
from tests.places import file_at

KEY = bytes(range(32))
START = 1_796_119_200.123  # 2026-12-01T10:00:00.123Z


@pytest.fixture
def seen(tmp_path, facts):
    def seen(*rows, **changes):
        numbered = [row._replace(n=n) for n, row in enumerate(rows, 1)]
        stats = write_recipients(file_at(tmp_path / "r.csv"), numbered, [("a.csv", ["email"])], KEY, "example.com")
        return view(facts(input_rows=len(rows), **changes), stats)

    return seen


@pytest.fixture
def of(recipient):
    return lambda count, **changes: [recipient(**changes)] * count


def test_everybody(seen, of):
    assert seen(*of(3))["headline"] == "3 of 3 people got it"
    assert seen(*of(3))["lines"] == []


def test_one(seen, of):
    assert seen(*of(1))["headline"] == "1 of 1 person got it"


def test_a_repeated_row_is_no_other_person(seen, of):
    page = seen(*of(2), *of(1, status="duplicate"))
    assert page["headline"] == "2 of 2 people got it"
    assert page["lines"] == ["The list has 3 rows; 1 of them repeats an address that stands further up."]
    assert [group["title"] for group in page["groups"]] == ["Delivered"]
    assert [status["title"] for status in page["statuses"]] == ["Delivered", "Repeated in the list"]


def test_so_far(seen, of):
    page = seen(
        *of(2),
        *of(1, status="pending"),
        *of(2, status="deferred", category="greylisted"),
        situation={"next_attempt_at": START},
    )
    assert page["headline"] == "2 of 5 people have it so far"
    assert page["lines"] == [
        "1 person is still waiting for their turn.",
        "2 people could not be reached yet and will be tried again, next at 10:00 UTC.",
    ]


def test_the_list_is_still_being_read(seen, of):
    page = seen(*of(2), input_complete=False)
    assert page["headline"] == "2 of 2 people have it so far"
    assert page["lines"] == ["The list is still being read: 2 rows so far."]


def test_through_a_relay_delivered_is_what_the_relay_took(seen, of):
    page = seen(*of(2), *of(1, status="pending"), via_relay="smtp.example.com", by_provider={"relay": {"delivered": 2}})
    assert page["headline"] == "The relay has taken the messages to 2 of 3 people so far"
    assert page["lines"][0].startswith("Everything went to the relay smtp.example.com, so “delivered” means here that")
    assert page["groups"][0]["title"] == page["statuses"][0]["title"] == "Taken by the relay"
    assert "got it" not in str(page)
    assert page["providers"][0]["name"] == "The relay"
    assert seen(*of(2), via_relay="r")["headline"] == "The relay has taken the messages to 2 of 2 people"


def test_what_came_back_is_one_sentence_and_counts_in_the_files_beside_it(seen, of):
    page = seen(
        *of(5),
        *of(12, status="bounced", category="bad-mailbox", stage="dsn", late_at=START),
        *of(3, complained_at=START),
        *of(2, unsubscribed_at=START),
        *of(1, status="blocked", category="policy", unsubscribed_at=START),
        *of(1, status="blocked", category="policy"),
    )
    assert page["lines"] == ["After the messages were taken, 12 came back later, 3 complained, 3 unsubscribed."]
    assert (page["take_off"], page["try_again"]) == ("18 people", "1 person")
    assert seen(*of(1, complained_at=START))["lines"] == ["After the messages were taken, 1 complained."]


def test_an_empty_list(seen):
    assert seen()["headline"] == "The list is empty"
    assert seen(input_complete=False)["headline"] == "The list is being read"


def test_what_is_not_known_is_said_and_not_counted_as_delivered(seen, of):
    page = seen(*of(1), *of(1, status="unknown", category="no-answer"), possibly_doubled=1)
    assert page["headline"] == "1 of 2 people got it"
    unknown, doubled = page["lines"]
    assert unknown == "For 1 person we cannot say whether the message arrived; they are not counted as delivered."
    assert doubled.startswith("1 person may have got it twice")


def test_reasons_are_the_most_frequent_first_with_what_was_said(seen, of):
    page = seen(
        *of(1, status="blocked", category="policy", smtp_code=550, reply="5.7.1 no"),
        *of(2, status="bounced", category="bad-mailbox", smtp_code=550, reply="5.1.1 unknown user"),
        *of(1, status="deferred", category="bad-mailbox", smtp_code=450, reply="4.1.1 try later"),
        *of(1, category="policy"),  # delivered in the end: nothing went wrong
    )
    first, second = page["reasons"]
    assert (first["title"], first["count"]) == ("The mailbox does not exist", "3 people")
    assert first["waiting"] == "1 still being tried"
    assert first["replies"] == [
        {"text": "550 5.1.1 unknown user", "count": "2 ×"},
        {"text": "450 4.1.1 try later", "count": ""},
    ]
    assert first["remedy"]
    assert second["count"] == "1 person"


def test_widths_and_shares_add_up(sample, tmp_path):
    stats = write_recipients(file_at(tmp_path / "r.csv"), sample.rows, sample.files, KEY, "example.com")
    page = view(Facts(**sample.facts), stats)
    assert sum(group["width"] for group in page["groups"]) == pytest.approx(100, abs=0.1)
    for row in page["providers"] + page["domains"]:
        assert sum(part["width"] for part in row["bar"]) == pytest.approx(100, abs=0.1)
    assert page["providers"][0]["name"] == "Google (Gmail and Workspace)"
    assert page["domains"][0]["name"] == "gmail.com"


def test_the_attempts_over_time_are_drawn(facts):
    page = view(facts(timeline=[(START, 1, 0, 2)]), Stats())
    assert page["plot"].parts == ["delivered", "deferred"]
    assert view(facts(), Stats())["plot"] is None


def test_the_facts_of_the_campaign(facts):
    stats = Stats()
    stats.add(["a@b.example"] * 7200, ["delivered"] * 7200, [""] * 7200, [250] * 7200, [""] * 7200)
    listed = dict(
        view(facts(state="finished", started_at=START, ended_at=START + 3600, sender="a <b@c>"), stats)["facts"]
    )
    assert listed == {
        "From": "a <b@c>",
        "State": "Finished",
        "Started": "1 December 2026, 10:00 UTC",
        "Ended": "1 December 2026, 11:00 UTC",
        "Took": "1 h",
        "Delivered on average": "2.0 a second",
        "Possibly delivered twice": "0",
    }


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "0 %"),
        (0, 10, "0 %"),
        (10, 10, "100 %"),
        (1, 3, "33.3 %"),
        (1, 100_000, "< 0.1 %"),
        (99_999, 100_000, "> 99.9 %"),
    ],
)
def test_shares_are_honest_at_the_ends(part, whole, words):
    assert share(part, whole) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (183_600, "2 d 3 h"),
        (-5, "less than a second"),
    ],
)
def test_lengths_of_time(seconds, words):
    assert length(seconds) == words


def test_no_time_is_no_words():
    assert minute(None) == minute(1e300) == ""


def test_behind_the_examples_stands_how_many_more_there_are(seen, of):
    rows = [
        of(1, status="blocked", category="policy", reply=word)[0] for word in ("one", "two", "three", "four", "five")
    ]
    (reason,) = seen(*rows)["reasons"]
    assert (len(reason["replies"]), reason["more"]) == (3, "and 2 more")
    (reason,) = seen(*rows[:3])["reasons"]
    assert reason["more"] == ""


def test_the_domains_that_belong_to_no_provider_come_last(seen, of):
    page = seen(*of(9), by_provider={"other": {"delivered": 7}, "google": {"delivered": 1}, "gmx": {"bounced": 1}})
    assert [row["name"] for row in page["providers"]] == [
        "GMX and WEB.DE",
        "Google (Gmail and Workspace)",
        "All other domains",
    ]


def test_whom_to_take_off_and_whom_to_try_again(seen, of):
    page = seen(*of(2, status="bounced"), *of(1, status="expired"), *of(1, status="invalid", category="template"))
    assert (page["take_off"], page["try_again"]) == ("2 people", "2 people")
    assert (seen(*of(1))["take_off"], seen(*of(1))["try_again"]) == ("", "")
    left_out = seen(*of(3, status="suppressed", category="complained"), *of(4, status="suppressed", category="listed"))
    assert left_out["take_off"] == "3 people"


def test_times_are_those_of_the_zone(seen, of):
    attempts = [(START, 1, 0, 0)]
    page = seen(*of(1), started_at=START, now=START + 60, timezone="Europe/Berlin", timeline=attempts)
    assert page["written"] == "1 December 2026, 11:01 CET"
    assert dict(page["facts"])["Started"] == "1 December 2026, 11:00 CET"
    assert page["plot"].caption == "Each bar is 1 second. Times are those of Europe/Berlin (CET)."
    assert seen(*of(1), timeline=attempts)["plot"].caption == "Each bar is 1 second. Times are UTC."


def test_the_subject_is_the_one_that_somebody_got(tmp_path, facts, recipient):
    rows = [recipient(n=1, status="bounced"), recipient(n=2, email="b@example.com"), recipient(n=3)]
    stats = write_recipients(
        file_at(tmp_path / "r.csv"),
        rows,
        [("a.csv", ["email"])],
        KEY,
        "example.com",
        subject=lambda row, token: f"Hi {row.email}, {len(token)}",
    )
    page = view(facts(input_rows=3, subject="Hi {{ email }}"), stats)
    assert page["subject"] == dict(page["facts"])["Subject"] == "Hi b@example.com, 26"
