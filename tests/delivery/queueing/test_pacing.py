from __future__ import annotations

import json

import pytest

from bulkmail.campaign import RowZones
from bulkmail.delivery.resting import Resting
from bulkmail.mail import parse_rate
from bulkmail.shaping import Allowance, Schedule, parse_hours
from bulkmail.zones import zone


@pytest.fixture
def paced(world):
    """A world with a campaign of 100 rows in a lane of its own, sent with the allowance that is asked for."""

    def make(rate=None, per_day=None):
        one = world()
        one.farm.obliging()
        run = one.campaign({"a.example": 100})
        run.allowance = Allowance(parse_rate(rate) if rate else None, per_day, one.clock.seconds())
        one.start()
        return one, run

    return make


def test_so_many_are_claimed_as_the_rate_allows_and_the_lane_is_woken_for_the_next(paced):
    one, run = paced("10/s,burst=1")
    for second in range(1, 6):
        one.run(1.0)
        assert second * 10 - 2 <= one.statuses(run).get("delivered", 0) <= second * 10 + 1
    one.run(6.0)
    assert one.statuses(run) == {"delivered": 100}
    assert run.allowance.under_way == 0


def test_no_more_are_claimed_than_the_day_has_left(paced):
    one, run = paced(per_day=30)
    one.run(60.0)
    assert one.statuses(run) == {"delivered": 30, "pending": 70}
    assert run.allowance.spent
    assert one.feeder.held == 0


def test_what_comes_back_without_an_attempt_is_not_counted(paced):
    one, run = paced(per_day=40)
    one.run(0.05)
    one.feeder.take_back(run)
    one.feeder.rescan()
    one.run(60.0)
    assert one.statuses(run) == {"delivered": 40, "pending": 60}
    assert (run.allowance.sent_today, run.allowance.under_way) == (40, 0)


def test_a_row_whose_zone_is_closed_is_put_off_until_it_opens(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({})
    own = Schedule(zone("UTC"), hours=parse_hours("22:00-23:00"))  # the world begins at 22:13:20
    run.row_zones = RowZones(own, "tz", [["email", "tz"]])
    rows = [
        (n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example", name]), "ok", "")
        for n, name in enumerate(["UTC", "Etc/GMT-1", "UTC", "Etc/GMT+1"], 1)
    ]
    one.store.add_rows(run.id, rows, {}, True, 0.0)
    run.input_rows = 4
    one.start()
    one.run(10.0)
    assert one.statuses(run) == {"delivered": 2, "pending": 2}
    assert one.store.next_due(run.id) - one.wall() == pytest.approx(46 * 60 + 30, abs=1), (
        "one hour behind: at 23:00 UTC"
    )
    one.run(3600.0)
    assert one.statuses(run) == {"delivered": 3, "pending": 1}
    assert one.attempts()[-1][:2] == (4, 1)


def test_the_rest_is_put_off_until_the_variants_were_tried(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 40})
    shares = [("a", 500_000, False)]
    run.resting = Resting(shares, 3600.0, None)
    one.start()
    one.run(10.0)
    tried = one.statuses(run)["delivered"]
    assert 5 < tried < 35
    assert one.statuses(run) == {"delivered": tried, "pending": 40 - tried}
    assert one.store.next_due(run.id) - one.wall() == pytest.approx(3590, abs=2)
    assert run.next_try_at == pytest.approx(one.wall() + 3590, abs=2)
    run.resting = None
    one.run(3600.0)
    assert one.statuses(run) == {"delivered": 40}
    assert {attempt[1] for attempt in one.attempts()} == {1}
