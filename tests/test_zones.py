from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import pytest

from bulkmail.zones import TZDATA, UnknownZoneError, zone, zone_names


def test_the_zones_are_those_of_the_package():
    assert import_module("tzdata").IANA_VERSION == TZDATA
    assert {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"} <= zone_names()
    assert str(zone("Europe/Berlin")) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        # what an older system's files have an hour off (tzdata 2025b and before)
        ("America/Vancouver", -7),
        ("America/Edmonton", -6),
        ("America/Inuvik", -6),
        ("America/Winnipeg", -5),
        ("America/Havana", -4),
        ("Africa/Casablanca", 0),
    ],
)
def test_zones_that_changed_their_rules_this_year(name, hours):
    offset = datetime(2026, 12, 7, tzinfo=UTC).astimezone(zone(name)).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == hours * 3600


def test_each_name_is_a_zone():
    assert all(datetime(2026, 12, 7, tzinfo=zone(name)).utcoffset() is not None for name in zone_names())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Europe/Berlni", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Asia/Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name, near):
    with pytest.raises(UnknownZoneError) as told:
        zone(name)
    assert str(told.value) == f"{name!r} is not a time zone; did you mean {near}?"


@pytest.mark.parametrize("name", ["UTC+1", "GMT-5", "+01:00", "utc +0530"])
def test_an_offset_is_no_zone(name):
    with pytest.raises(UnknownZoneError, match="an offset does not know when the clocks change"):
        zone(name)


@pytest.mark.parametrize("name", ["", "CEST", "../etc/passwd", "/etc/localtime", "Europe", "x" * 5000])
def test_what_is_near_nothing_gets_an_example(name):
    with pytest.raises(UnknownZoneError) as told:
        zone(name)
    assert str(told.value).endswith("write a name such as Europe/Berlin or UTC")
    assert len(str(told.value)) < 200
