from __future__ import annotations

from bulkmail.delivery.queueing.withholding import Withholding


def made(world, rows=20):
    one = world()
    one.campaign({"a.example": rows})
    told = []
    withholding = Withholding(one.feeder, one.clocks)
    withholding.on_paused(lambda run, hold: told.append((run, hold.kind, hold.reason)))
    return one, withholding, told


def test_nothing_is_claimed_while_a_campaign_is_in_doubt(world):
    one, withholding, told = made(world)
    (run,) = one.feeder.runs.values()
    withholding.doubt(run, [])
    one.feeder.rescan()
    one.run(30.0)
    assert one.pool.asked == []
    assert one.feeder.open_queues.queues == {}
    withholding.clear(run)
    one.run(1.0)
    assert one.pool.asked
    assert told == []


def test_a_pause_gives_everything_back_and_says_why(world):
    one, withholding, told = made(world, 40)
    (run,) = one.feeder.runs.values()
    one.feeder.rescan()
    one.until(lambda: one.pool.asked, 10)
    one.run(1.0)
    withholding.pause(run, "for a test", [])
    one.run(10.0)
    assert told == [(run, "fault", "for a test")]
    assert run.paused == withholding.reason(run.name) == "for a test"
    assert withholding.lasts(run.name) == 10.0
    assert one.feeder.held == 0
    assert one.feeder.idle
    assert one.store.totals(run.id) == {("", "pending", ""): 40}
    withholding.begin(run.name)
    assert withholding.reason(run.name) == ""


def test_who_is_alone(world):
    one, withholding, _ = made(world)
    (run,) = one.feeder.runs.values()
    assert withholding.alone(run)
    one.campaign({"b.example": 1}, name="autumn")
    (other,) = (known for known in one.feeder.runs.values() if known is not run)
    assert not withholding.alone(run)
    other.over = True
    assert withholding.alone(run)
