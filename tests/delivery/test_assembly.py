from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.assembly import limits_by_provider
from bulkmail.settings import Settings
from bulkmail.shaping import Limits, provider_table


def test_limits_are_of_the_provider_of_the_default_or_of_the_relay():
    providers = provider_table({"big": {"mx": [".big.example"], "connections": 3}})
    limits = limits_by_provider(Settings(), providers, None)
    assert (limits("big").connections, limits("").connections, limits("unknown").connections) == (3, 10, 10)
    relay = SimpleNamespace(limits=Limits.of(Settings().shaping.default, tls="verify", shares=0))
    through = limits_by_provider(Settings(), providers, relay)
    assert through("big") is through("") is relay.limits


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
