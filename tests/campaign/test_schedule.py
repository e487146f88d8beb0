from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bulkmail.campaign import Campaign, RowZones, schedule_from, schema
from bulkmail.campaign.schedule import column_problem
from bulkmail.mail import parse_rate
from bulkmail.shaping import Opening, Schedule, parse_days, parse_hours
from bulkmail.spool.stored import restore, store
from bulkmail.zones import zone

ALL = """\
schedule:
  not_before: 2026-12-07T09:00
  not_after: 2026-12-11T18:00+01:00
  hours: "09:00-12:00, 13:00-18:00"
  days: mon-fri
  timezone: Europe/Berlin
  rate: 5000/h
  per_day: 20000
"""


def utc(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_all_keys(read: Callable[..., Campaign]) -> None:
    keys = read(ALL).schedule
    assert keys is not None
    expected = Schedule(
        zone("Europe/Berlin"),
        not_before=utc(2026, 12, 7, 8),
        not_after=utc(2026, 12, 11, 17),
        hours=((540, 720), (780, 1080)),
        days=parse_days("mon-fri"),
        rate=parse_rate("5000/h"),
        per_day=20000,
    )
    assert keys.decision == expected
    assert schedule_from(restore(store(keys.plain()))) == expected


def test_without_keys_it_is_always_open(read: Callable[..., Campaign]) -> None:
    keys = read("schedule: {}").schedule
    assert keys is not None
    assert keys.decision == Schedule(UTC) == schedule_from(restore(store(keys.plain())))


@pytest.mark.parametrize(
    "value", ['{hours: ["22:00-06:00"], days: [sat, sun], timezone: {column: tz, default: UTC}}', "{rate: 1/s}"]
)
def test_other_ways_to_write_it(read: Callable[..., Campaign], value: str) -> None:
    assert read(f"schedule: {value}").schedule is not None


def test_a_time_without_an_offset_is_one_of_the_zone(read: Callable[..., Campaign]) -> None:
    for text, at in [
        ("2026-12-07T09:00", utc(2026, 12, 7, 8)),
        ("2026-07-07 09:00", utc(2026, 7, 7, 7)),
        ("2026-03-29T02:30", utc(2026, 3, 29, 1)),  # does not exist
        ("2026-10-25T02:30", utc(2026, 10, 25, 0, 30)),  # comes twice
    ]:
        keys = read(f'schedule: {{not_before: "{text}", timezone: Europe/Berlin}}').schedule
        assert keys is not None
        assert keys.not_before == at


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{timezone: Europe/Berlni}", "timezone: 'Europe/Berlni' is not a time zone; did you mean Europe/Berlin?"),
        ("{timezone: UTC+1, not_before: 2026-12-07T09:00}",
         ("timezone: 'UTC+1' is not a time zone; an offset does not know when the clocks change, so name a place, such "
         "as Europe/Berlin")),
        ("{timezone: 1}",
         "timezone: must be the name of a zone, such as Europe/Berlin, or {column: tz, default: Europe/Berlin}"),
        ("{timezone: {column: tz}}", ("timezone: `default` is missing: add the zone of rows without one, for example "
         "{column: tz, default: Europe/Berlin}")),
        ("{timezone: {default: UTC}}", ("timezone: `column` is missing: add the column with each row's zone, for "
         "example {column: tz, default: Europe/Berlin}")),
        ("{timezone: {column: tz, default: Berlin}}",
         "timezone.default: 'Berlin' is not a time zone; did you mean Europe/Berlin?"),
        ("{timezone: {colum: tz, default: UTC}}", "timezone.colum: is not a known key; known here: column, default"),
        ('{hours: "9-18", timezone: UTC}', "hours: '9-18' is not a window; write it like 09:00-18:00"),
        ("{hours: 9, timezone: UTC}", "hours: must be text or a list of texts"),
        ("{days: funday, timezone: UTC}",
         "days: 'funday' is not a day; write mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri"),
        ('{hours: "09:00-18:00"}', "hours: needs a zone: add `timezone`, for example timezone: Europe/Berlin"),
        ("{days: mon-fri}", "days: needs a zone: add `timezone`, for example timezone: Europe/Berlin"),
        ("{rate: fast}", "rate: 'fast' is not a rate; write count/unit, such as 100/s, 5000/h or 20000/d,burst=10"),
        ("{per_day: 0}", "per_day: must be at least 1, not 0"),
        ('{per_day: "20000"}', "per_day: must be a whole number without quotes: 20000"),
        ("{not_before: 2026-12-07T09:00Z, not_after: 2026-12-11T18:00Z, days: sat-sun, timezone: UTC}",
         "not_before: no window of `days` and `hours` lies between not_before and not_after"),
        ('{not_before: 2026-03-29T01:00Z, not_after: 2026-03-29T06:00Z, hours: "02:00-03:00", timezone: Europe/Berlin}',
         "not_before: no window of `days` and `hours` lies between not_before and not_after"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(refusal: Callable[..., list[str]], value: str, words: str) -> None:
    told = refusal(f"schedule: {value}")
    assert [line.partition(": ")[2] for line in told] == [f"schedule.{words}"]
    assert told[0].startswith("campaign.yaml:6:")


def test_the_schema_takes_a_zone_or_a_column() -> None:
    known = schema()["$defs"]["ScheduleKeys"]["properties"]
    assert set(known) == {"timezone", "not_before", "not_after", "hours", "days", "rate", "per_day"}
    assert known["timezone"]["anyOf"][:2] == [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"column": {"type": "string"}, "default": {"type": "string"}},
            "required": ["column", "default"],
            "additionalProperties": False,
        },
    ]


def test_each_row_goes_by_the_clocks_of_its_zone() -> None:
    own = Schedule(zone("Europe/Berlin"), hours=parse_hours("09:00-18:00"))
    rows = RowZones(own, "tz", [["email", "tz"], ["email"]])
    now = utc(2026, 12, 7, 8)
    assert rows.of(0, '["a@b.example", "Asia/Tokyo"]').at(now) == Opening(open=True, until=utc(2026, 12, 7, 9))
    assert rows.of(0, '["a@b.example", " America/New_York "]').at(now) == Opening(
        open=False, until=utc(2026, 12, 7, 14)
    )
    for file_no, cells in [(0, '["a@b.example", ""]'), (0, '["a@b.example"]'), (1, '["a@b.example"]'), (2, "[]")]:
        assert rows.of(file_no, cells) == own
    assert rows.of(0, '["a@b.example", "Berlin"]') == own
    assert list(rows.unknown) == ["Berlin"]
    tokyo, york = '["a@b.example", "Asia/Tokyo"]', '["a@b.example", "America/New_York"]'
    for at in (now, now + 60.0):
        assert rows.opening(0, tokyo, at) == Opening(open=True, until=now + 3600)
        assert rows.opening(0, york, at) == Opening(open=False, until=utc(2026, 12, 7, 14))
        assert rows.next_closing(at) == now + 3600
    assert rows.opening(0, tokyo, now + 3600) == Opening(open=False, until=utc(2026, 12, 8, 0))
    assert rows.next_closing(now + 3600) is None


def test_a_column_that_no_file_has() -> None:
    assert column_problem("schedule.timezone.column", "tz", [["email"], ["email", "tz"]]) == ""
    assert column_problem("schedule.timezone.column", "tz", [["email", "tzn"]]) == (
        "schedule.timezone.column: no recipients file has a column 'tz'; did you mean tzn?"
    )
    assert column_problem("locale.column", "zone", [["email"]]) == (
        "locale.column: no recipients file has a column 'zone'; the columns are email"
    )
    assert column_problem("locale.column", "time_zone", [["email", "Time Zone"]]) == ""
