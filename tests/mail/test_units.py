from __future__ import annotations

import time

import pytest

from bulkmail.mail import (
    Rate,
    UnitError,
    count_of,
    format_duration,
    parse_duration,
    parse_moment,
    parse_rate,
    read_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("10m", 600), ("2h", 7200), ("3d", 259200), ("1.5s", 1.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "10 m", "ten minutes", "-1s", "1e3s", "50ms", "0s", 10, None, "1w", "٣s"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(UnitError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", 7200),
        ("2 hours", 7200),
        ("1 Hour", 3600),
        (" 30 min ", 1800),
        ("45minutes", 2700),
        ("1.5 h", 5400),
        ("10 SEC", 10),
        ("500 ms", 0.5),
        ("3 days", 259200),
    ],
)
def test_durations_that_a_person_types(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "two hours", "2", "hours", "2 weeks", "2 h 5", "-1 h", "50 ms", "٣ h"])
def test_what_a_person_types_that_is_no_duration(text: str) -> None:
    with pytest.raises(UnitError, match=r"such as 30 min, 2 hours, 2h or 3 days|the shortest duration is 100ms"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50/s", Rate(50, 1, 5)),
        ("19/s", Rate(19, 1, 1)),
        ("5000/h", Rate(5000, 3600, 1)),
        ("5000/h,burst=10", Rate(5000, 3600, 10)),
        ("20000/d, burst=2", Rate(20000, 86400, 2)),
        ("100/m", Rate(100, 60, 1)),
    ],
)
def test_rates(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("text", ["0/s", "100", "100/w", "-5/s", "5/s,burst=0", "5/s burst=1", 7, True])
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(UnitError):
        parse_rate(text)


def test_durations_read_well() -> None:
    assert [format_duration(s) for s in (0.25, 1, 90, 3600, 5400, 86400 * 3)] == [
        "250ms",
        "1s",
        "1.5m",
        "1h",
        "1.5h",
        "3d",
    ]


def test_a_rate_knows_its_pace() -> None:
    assert parse_rate("120/m").interval == 0.5


def test_a_part_of_a_rate_has_a_period_of_its_own():
    assert str(Rate(100, 2.5, 3)) == "100/2.5s,burst=3"


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia"])
def test_a_moment_without_an_offset_is_utc_wherever_it_is_read(monkeypatch, zone):
    some = ("2026-12-01T09:30", " 2026-12-01 09:30:00 ", "2026-12-01T09:30:00.000Z", "2026-12-01T10:30+01:00")
    with monkeypatch.context() as there:
        there.setenv("TZ", zone)
        time.tzset()
        read = [parse_moment(text) for text in (*some, "2026-12-01")]
    time.tzset()
    assert read == [1796117400.0] * 4 + [1796083200.0]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+23:59", "01.12.2026"])
def test_what_is_no_moment_is_told(text):
    with pytest.raises(UnitError, match="is not a time such as"):
        parse_moment(text)


@pytest.mark.parametrize(
    ("number", "nouns", "told"),
    [
        (1, ("row",), "1 row"),
        (0, ("row",), "0 rows"),
        (2, ("row",), "2 rows"),
        (0, ("person", "people"), "0 people"),
        (12345, ("person", "people"), "12,345 people"),
        (1, ("fact is", "facts are"), "1 fact is"),
        (2, ("fact is", "facts are"), "2 facts are"),
    ],
)
def test_a_figure_has_its_noun(number: int, nouns: tuple[str, ...], told: str) -> None:
    assert count_of(number, *nouns) == told
