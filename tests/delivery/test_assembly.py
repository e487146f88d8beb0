from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.delivery.assembly import limits_by_provider
from bulkmail.settings import Settings
from bulkmail.shaping import Limits, provider_table


def test_limits_are_of_the_provider_of_the_default_or_of_the_relay():
    providers = provider_table({"big": {"mx": [".big.example"], "connections": 3}})
    limits = limits_by_provider(Settings(), providers, {})
    assert (limits("big").connections, limits("").connections, limits("unknown").connections) == (3, 10, 10)
    relay = SimpleNamespace(limits=Limits.of(Settings().shaping.default, tls="verify", shares=0))
    through = limits_by_provider(Settings(), providers, {"relay": relay})
    assert through("relay") is relay.limits
    assert through("big").connections == 3


def test_what_is_assembled_sends_and_pauses_together(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 3})
    one.send(60)
    assert run.by_status["delivered"] == 3
    assert one.changed[run.id] == 3, "each outcome is told"
    one.pause.own_fault("no route out")
    one.import_more(run, ["a.example"])
    one.run(1.0)
    assert not run.complete
    one.until(lambda: run.complete, 60)


def test_a_row_that_is_due_again_is_looked_for_in_time(world, kit):
    one = world(settings=kit.retry(schedule=(600.0,)))
    one.farm.connects = True
    one.farm.answers = lambda connection: one.clock.callLater(0.05, connection.answer, 451, "4.3.0 later")
    run = one.campaign({"a.example": 1})
    one.start()
    one.until(one.attempts, 60)
    one.farm.answers = 250
    one.until(lambda: run.complete, 700)
    assert one.clock.seconds() == pytest.approx(600, abs=70)


def limited(kit, rate, **changed):
    given = kit.retry(schedule=changed.pop("schedule", (600.0,)))
    values = {"rate": rate, "connection_rate": kit.Rate(100_000, 1.0, 1000), **changed}
    default = given.shaping.default.model_copy(update=values)
    return given.model_copy(update={"shaping": given.shaping.model_copy(update={"default": default})})


def test_a_faster_rate_is_used_at_once_whatever_was_booked_on_the_slower_one(world, kit):
    one = world(settings=limited(kit, kit.Rate(2, 86400.0, 1)))
    one.farm.obliging()
    run = one.campaign({"a.example": 50})
    one.start()
    one.run(5)
    assert run.by_status["delivered"] == 1, "the next one would go in twelve hours"
    one.apply(limited(kit, kit.Rate(50, 1.0, 50)))
    one.until(lambda: run.complete, 10)


def test_a_slower_rate_is_used_at_once(world, kit):
    one = world(settings=limited(kit, kit.Rate(100, 1.0, 100)))
    one.farm.rtt = 0.001
    one.farm.obliging()
    run = one.campaign({"a.example": 400})
    one.start()
    one.run(1)
    before = len(one.farm.sent)
    one.apply(limited(kit, kit.Rate(2, 1.0, 10)))
    one.run(20)
    assert before > 100
    assert len(one.farm.sent) - before == pytest.approx(40, abs=2), "and no burst again"
    assert not run.complete


def test_fewer_connections_and_messages_on_each_are_used_by_the_lanes_there_are(world, kit):
    fast = kit.Rate(100_000, 1.0, 100_000)
    one = world(settings=limited(kit, fast, connections=8))
    one.farm.obliging()
    run = one.campaign({"a.example": 600})
    one.start()
    one.until(lambda: len(one.farm.open) == 8, 60)
    one.apply(limited(kit, fast, connections=2, messages_per_connection=5))
    old = set(one.farm.made)
    one.until(lambda: len(one.farm.open) <= 2, 60)
    one.until(lambda: run.complete, 60)
    new = [connection for connection in one.farm.made if connection not in old]
    assert max(connection.messages for connection in new) == 5
    one.settle_down()
    one.check_empty()


def test_another_schedule_is_used_for_the_next_failure(world, kit):
    one = world(settings=limited(kit, kit.Rate(100, 1.0, 1)))
    one.farm.connects = True
    one.farm.answers = lambda connection: one.clock.callLater(0.05, connection.answer, 451, "4.3.0 later")
    run = one.campaign({"a.example": 1, "b.example": 1})
    one.apply(limited(kit, kit.Rate(100, 1.0, 1), schedule=(30.0,)))
    one.start()
    one.until(lambda: len(one.attempts()) == 2, 60)
    one.farm.answers = 250
    one.until(lambda: run.complete, 60)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.floats(0.0, 3.0), st.integers(1, 200), st.integers(1, 20), st.integers(1, 9), st.integers(1, 50)),
        max_size=6,
    )
)
def test_whenever_and_whatever_is_changed_everybody_gets_one_message(world, kit, changes):
    one = world(settings=limited(kit, kit.Rate(20, 1.0, 5)))
    one.farm.obliging()
    run = one.campaign({"a.example": 60, "b.example": 60})
    one.start()
    for wait, count, burst, connections, messages in changes:
        one.run(wait)
        rate = kit.Rate(count, 1.0, burst)
        one.apply(limited(kit, rate, connections=connections, messages_per_connection=messages))
        limiter = one.limiters.of_site("a.example", "", one.clocks.now()).limiter
        assert (limiter.limits.rate, limiter.limits.connections) == (rate, connections)
    one.until(lambda: run.complete, 400)
    assert one.statuses(run) == {"delivered": 120}
    assert len(one.farm.sent) == 120
    one.settle_down()
    one.check_empty()
