from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import format_days, format_hours, parse_days, parse_hours
from bulkmail.shaping.hours import DAY, always_open


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("09:00-18:00", ((540, 1080),)),
        ("9:00 - 18:00", ((540, 1080),)),
        ("13:00-18:00, 09:00-12:00", ((540, 720), (780, 1080))),
        (["09:00-12:00", "13:00-18:00"], ((540, 720), (780, 1080))),
        ("22:00-06:00", ((1320, 1800),)),
        ("22:00-24:00", ((1320, 1440),)),
        ("22:00-00:00", ((1320, 1440),)),
        ("00:00-24:00", ((0, 1440),)),
    ],
)
def test_hours(text, hours):
    assert parse_hours(text) == hours


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9-18", "'9-18' is not a window; write it like 09:00-18:00"),
        ("09:00", "'09:00' is not a window"),
        ("", "'' is not a window"),
        ([], "must hold at least one window"),
        ("09:00-25:00", "25:00 is not a time of the day"),
        ("09:60-10:00", "09:60 is not a time of the day"),
        ("24:00-06:00", "starts at the end of the day; write 00:00"),
        ("09:00-09:00", "opens and closes at the same minute; for the whole day leave `hours` out"),
        ("09:00-12:00, 11:00-13:00", "09:00-12:00 overlaps the window that starts at 11:00"),
    ],
)
def test_what_is_no_window_is_told(text, words):
    with pytest.raises(ValueError, match=words.replace("`", ".")):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("Sat", {5}),
        ("sat-mon", {5, 6, 0}),
        ("mon, wed,fri-sat", {0, 2, 4, 5}),
        (["tue", "thursday"], {1, 3}),
        ("mon-mon", {0}),
    ],
)
def test_days(text, days):
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["", "moon", "mon-", "mon..fri", "0-4", "mo"])
def test_what_is_no_day_is_told(text):
    with pytest.raises(ValueError, match="is not a day; write mon, tue, wed"):
        parse_days(text)


def test_a_list_without_days_is_told():
    with pytest.raises(ValueError, match="must hold at least one day"):
        parse_days([])


@given(st.frozensets(st.integers(0, 6), min_size=1))
def test_days_are_read_as_they_were_written(days):
    assert parse_days(format_days(days)) == days


@given(st.integers(0, DAY - 1), st.integers(1, DAY))
def test_hours_are_read_as_they_were_written(start, length):
    hours = ((start, start + length),)
    if length < DAY or start == 0:
        assert parse_hours(format_hours(hours)) == hours


def test_windows_that_leave_no_minute_out():
    week = frozenset(range(7))
    assert always_open(((0, DAY),), week)
    assert always_open(((0, 720), (720, DAY + 60)), week)
    assert not always_open(((0, DAY - 1),), week)
    assert not always_open(((0, DAY),), week - {6})
