# ruff: noqa: DTZ001, DTZ901 - what a clock on the wall shows has no zone
from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.shaping import Opening, Schedule, instant, parse_days, parse_hours
from bulkmail.shaping.hours import DAY
from bulkmail.zones import zone, zone_names

BERLIN = zone("Europe/Berlin")
MINUTE = 60


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


OFFICE = Schedule(BERLIN, hours=parse_hours("09:00-18:00"), days=parse_days("mon-fri"))


def test_office_hours():
    monday = utc(2026, 12, 7, 8)
    assert OFFICE.at(monday) == Opening(open=True, until=utc(2026, 12, 7, 17))
    assert OFFICE.at(monday - 1) == Opening(open=False, until=monday)
    assert OFFICE.at(utc(2026, 12, 4, 17)) == Opening(open=False, until=monday)
    assert OFFICE.closed_between(utc(2026, 12, 4, 16), monday + 3600) == monday - utc(2026, 12, 4, 17)
    assert OFFICE.openings(monday + 1, 2) == [(monday + 1, monday + 9 * 3600), (monday + 86400, monday + 33 * 3600)]
    assert not OFFICE.never_opens(monday)


def test_without_hours_and_days_it_is_open_from_not_before_to_not_after():
    schedule = Schedule(BERLIN, not_before=100.0, not_after=200.0)
    assert schedule.at(99.0) == Opening(open=False, until=100.0)
    assert schedule.at(100.0) == Opening(open=True, until=200.0)
    assert schedule.at(200.0) == Opening(open=False, until=None)
    assert [schedule.over(at) for at in (199.0, 200.0)] == [False, True]
    assert Schedule(BERLIN).at(5.0) == Opening(open=True, until=None)
    assert schedule.closed_between(50.0, 150.0) == 50.0
    assert schedule.closed_between(50.0, 250.0) == 100.0
    assert Schedule(BERLIN).openings(5.0, 3) == [(5.0, None)]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts():
    schedule = Schedule(BERLIN, hours=parse_hours("22:00-06:00"), days=parse_days("fri"))
    friday = utc(2026, 12, 4, 21)
    assert schedule.at(friday + 7 * 3600) == Opening(open=True, until=friday + 8 * 3600)
    assert schedule.at(friday + 8 * 3600) == Opening(open=False, until=friday + 7 * 86400)


def test_a_window_that_lies_in_the_missing_hour_does_not_open_on_that_day():
    schedule = Schedule(BERLIN, hours=parse_hours("02:00-03:00"), days=parse_days("sun"))
    assert schedule.at(utc(2026, 3, 28)) == Opening(open=False, until=utc(2026, 4, 5))


def test_a_window_in_the_doubled_hour_opens_once():
    schedule = Schedule(BERLIN, hours=parse_hours("02:15-02:45"), days=parse_days("sun"))
    first = utc(2026, 10, 25, 0, 15)
    assert schedule.openings(utc(2026, 10, 24), 2)[0] == (first, first + 1800)
    assert schedule.openings(utc(2026, 10, 24), 2)[1][0] == utc(2026, 11, 1, 1, 15)


def test_a_schedule_that_never_opens():
    assert Schedule(BERLIN, not_after=50.0).never_opens(50.0)
    weekend = Schedule(BERLIN, utc(2026, 12, 7), utc(2026, 12, 11), days=parse_days("sat-sun"))
    assert weekend.never_opens(0.0)
    assert not Schedule(BERLIN, utc(2026, 12, 7), utc(2026, 12, 12), days=parse_days("sat-sun")).never_opens(0.0)


def test_a_day_that_has_sent_its_messages_is_over():
    monday = utc(2026, 12, 7, 8)
    schedule = Schedule(BERLIN, hours=OFFICE.hours, days=OFFICE.days, per_day=100)
    assert schedule.at(monday, 99).open
    assert schedule.at(monday, 100) == Opening(open=False, until=monday + 86400)
    assert Schedule(BERLIN, per_day=1).at(monday, 1) == Opening(open=False, until=utc(2026, 12, 7, 23))


def test_days_of_23_25_and_no_hours():
    assert OFFICE.day(utc(2026, 3, 29, 12)) == (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))
    assert OFFICE.day(utc(2026, 10, 25, 0)) == (utc(2026, 10, 24, 22), utc(2026, 10, 25, 23))
    apia = Schedule(zone("Pacific/Apia"))  # the 30th of December did not exist
    assert apia.day(utc(2011, 12, 30, 9)) == (utc(2011, 12, 29, 10), utc(2011, 12, 30, 10))
    assert apia.day(utc(2011, 12, 30, 10))[0] == utc(2011, 12, 30, 10)


# The law, by a slow clock: what it shows is read each minute, and the latest time it has shown counts.

WINDOWS = st.lists(st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY)), min_size=1, max_size=3)


def separate(windows: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Windows that do not overlap, in quarters of an hour."""
    found: list[tuple[int, int]] = []
    for start, length in sorted(windows):
        opens, closes = start // 15 * 15, (start + length) // 15 * 15
        if closes > opens and (not found or opens >= found[-1][1]):
            found.append((opens, closes))
    return tuple(found) or ((0, DAY),)


def minutes_open(schedule: Schedule, since: float, until: float) -> set[float]:
    """The minutes in which it is open, found by looking at the zone's clock in each one."""
    latest, found = datetime.min, set()
    for n in range(int(since - 3 * 86400) // MINUTE, int(until) // MINUTE):
        at = float(n * MINUTE)
        shown = datetime.fromtimestamp(at, UTC).astimezone(schedule.zone).replace(tzinfo=None)
        latest = max(latest, shown)
        if at >= since and any(
            (latest - timedelta(days)).weekday() in schedule.days
            and any(start <= latest.hour * 60 + latest.minute + days * DAY < end for start, end in schedule.hours)
            for days in (0, 1)
        ):
            found.add(at)
    return found


def a_change(name: str, year: int, n: int) -> float:
    """The ``n``th change of the clocks in the year, or a time in it where there is none."""
    schedule = Schedule(zone(name))
    changes = schedule.clock_changes(utc(year, 1, 1), utc(year + 1, 1, 1))
    return changes[n % len(changes)].at if changes else utc(year, 1, 1) + n * 86400


ZONES = st.sampled_from(sorted(zone_names()))


@settings(max_examples=25, deadline=None)
@given(
    ZONES,
    st.integers(2000, 2049),
    st.integers(0, 300),
    WINDOWS.map(separate),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.lists(st.integers(0, 3 * DAY - 1), max_size=5),
)
def test_it_is_open_in_just_the_minutes_that_a_slow_clock_shows(name, year, n, hours, days, looks):
    since = a_change(name, year, n) // MINUTE * MINUTE - 2 * 86400
    until = since + 3 * 86400
    schedule = Schedule(zone(name), hours=hours, days=days)
    expected = minutes_open(schedule, since, until)
    told: set[float] = set()
    for start, end in schedule.openings(since, 30):
        told |= {n * 60.0 for n in range(int(start) // 60, int(min(end or until, until)) // 60) if n * 60 < until}
    assert told == expected
    for minute in looks:
        at = since + minute * MINUTE
        opening = schedule.at(at)
        assert opening.open is (at in expected)
        while at < min(until, opening.until or until):  # the answer holds until the instant it names
            assert (at in expected) is opening.open
            at += MINUTE
        assert schedule.closed_between(since, at) == (at - since) - MINUTE * len([t for t in expected if t < at])


@settings(max_examples=100, deadline=None)
@given(ZONES, st.datetimes(datetime(2000, 1, 1), datetime(2049, 1, 1)))
def test_every_instant_lies_in_one_day(name, wall):
    schedule = Schedule(zone(name))
    now = instant(wall.replace(microsecond=0), schedule.zone)
    start, end = schedule.day(now)
    assert start <= now < end
    assert schedule.day(start) == schedule.day(end - 1) == (start, end)
    assert schedule.day(end)[0] == end
