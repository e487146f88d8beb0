from __future__ import annotations

import pytest

from bulkmail.delivery.lifecycle.ruled import stops_by_rule
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.settings import Settings


@pytest.fixture
def one(world):
    rules = [{"provider": "google", "match": "moon", "times": 3, "do": {"stop": "campaign"}}]
    one = world(settings=Settings.model_validate({"shaping": {"rules": rules}}))
    one.farm.obliging()
    one.routes["g.example"] = one.site("g.example", provider="google")
    one.steering = Steering(
        spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers={"google"}, changed=lambda _: None
    )
    one.ruling.on_stop(stops_by_rule(one.steering, one.clocks))
    return one


def refuse(one, run):
    def answer(connection):
        refused = connection.peer.host.endswith("g.example") and not run.holds.active
        words = (451, "4.0.0 the moon is in the way") if refused else (250,)
        one.clock.callLater(one.farm.rtt, connection.answer, *words)

    one.farm.answers = answer


def test_it_stops_there_and_nowhere_else_and_says_how_to_go_on(one):
    run = one.campaign({"g.example": 200, "a.example": 200})
    refuse(one, run)
    one.start()
    one.until(lambda: run.holds.active and one.statuses(run).get("delivered", 0) >= 200, 60)
    (hold,) = run.holds.active
    assert (hold.kind, hold.provider) == ("rule", "google")
    assert hold.reason == (
        "google said moon 3 times (shaping.rules[0]); `bulkmail resume spring --provider google` goes on"
    )
    assert one.store.holds() == [hold]
    assert one.statuses(run)["delivered"] == 200
    assert len(one.attempts()) < 220


def test_what_is_held_there_already_or_over_is_left_alone(one, caplog):
    run = one.campaign({"g.example": 1})
    asked = stops_by_rule(one.steering, one.clocks)
    asked(run, "google", "because")
    asked(run, "google", "for another reason")
    one.run(1.0)
    (hold,) = one.store.holds()
    assert hold.reason.startswith("because")
    run.over = True
    asked(run, "yahoo", "because")
    one.run(1.0)
    assert one.store.holds() == [hold]
