# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import clock_changes, instant, moment, wall_time
from bulkmail.zones import zone, zone_names

BERLIN = zone("Europe/Berlin")


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("wall", "at"),
    [
        (datetime(2026, 3, 29, 1, 59), utc(2026, 3, 29, 0, 59)),
        (datetime(2026, 3, 29, 2, 0), utc(2026, 3, 29, 1, 0)),  # does not exist: the gap's end
        (datetime(2026, 3, 29, 2, 30), utc(2026, 3, 29, 1, 0)),
        (datetime(2026, 3, 29, 3, 0), utc(2026, 3, 29, 1, 0)),
        (datetime(2026, 10, 25, 2, 30), utc(2026, 10, 25, 0, 30)),  # comes twice: the first
        (datetime(2026, 10, 25, 3, 0), utc(2026, 10, 25, 2, 0)),
    ],
)
def test_both_changes_of_the_clocks(wall, at):
    assert instant(wall, BERLIN) == at


def test_a_midnight_and_a_day_that_do_not_exist():
    assert instant(datetime(2026, 4, 24), zone("Africa/Cairo")) == utc(2026, 4, 23, 22)
    samoa = zone("Pacific/Apia")
    assert instant(datetime(2011, 12, 30, 12), samoa) == instant(datetime(2011, 12, 31), samoa) == utc(2011, 12, 30, 10)


@given(
    st.sampled_from(sorted(zone_names())),
    st.datetimes(datetime(2000, 1, 1), datetime(2049, 1, 1)).map(lambda wall: wall.replace(microsecond=0)),
)
def test_no_earlier_second_shows_this_time_or_a_later_one(name, wall):
    at = instant(wall, zone(name))
    assert wall_time(at, zone(name)) >= wall
    assert wall_time(at - 1, zone(name)) < wall


def test_the_changes_of_a_year():
    changes = clock_changes(BERLIN, utc(2026, 1, 1), utc(2027, 1, 1))
    assert [(change.at, change.skipped) for change in changes] == [
        (utc(2026, 3, 29, 1), True),
        (utc(2026, 10, 25, 1), False),
    ]
    assert changes[0].before == datetime(2026, 3, 29, 2)
    assert changes[0].after == datetime(2026, 3, 29, 3)
    assert clock_changes(zone("UTC"), utc(2026, 1, 1), utc(2027, 1, 1)) == []


def test_an_instant_for_people():
    at = utc(2026, 12, 7, 8)
    assert moment(at, BERLIN) == "Mon 2026-12-07 09:00 Europe/Berlin (08:00 UTC)"
    assert moment(at, zone("UTC")) == moment(at, UTC) == "Mon 2026-12-07 08:00 UTC"
    assert moment(at, zone("Asia/Tokyo")) == "Mon 2026-12-07 17:00 Asia/Tokyo (08:00 UTC)"
    assert moment(utc(2026, 12, 7, 23), zone("Asia/Tokyo")) == (
        "Tue 2026-12-08 08:00 Asia/Tokyo (Mon 2026-12-07 23:00 UTC)"
    )
    assert moment(at + 5, BERLIN) == "Mon 2026-12-07 09:00:05 Europe/Berlin (08:00:05 UTC)"


def test_each_offset_lasts_from_change_to_change():
    lord_howe = zone("Australia/Lord_Howe")  # half an hour
    changes = clock_changes(lord_howe, utc(2026, 1, 1), utc(2027, 1, 1))
    assert [abs(change.after - change.before) for change in changes] == [timedelta(minutes=30)] * 2
