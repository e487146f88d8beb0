"""Trying who was put off at once, over a spool that is real and connections that are the test's."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import UnknownName, WrongState
from bulkmail.spool import Tried


@pytest.fixture
def put_off(world):
    """A campaign of ten rows at each of two sites, one of them Google's, all of which were put off for ten minutes."""
    one = world()
    one.routes["g.example"] = one.site("g.example", provider="google")
    one.run_of = one.campaign({"g.example": 10, "b.example": 10})
    one.steering = Steering(
        spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers={"google", "yahoo"}, changed=lambda _: None
    )
    one.farm.obliging(451)
    one.start()
    one.until(lambda: len(one.attempts()) == 20)
    one.run(5)
    one.farm.obliging()
    return one


def ask(one, work):
    got = []
    Deferred.fromCoroutine(work).addBoth(got.append)
    one.until(lambda: got, 10)
    if hasattr(got[0], "raiseException"):
        got[0].raiseException()
    return got[0]


def test_who_was_put_off_is_tried_at_once_and_not_when_the_wait_is_over(put_off):
    one = put_off
    assert len(one.attempts()) == 20
    assert ask(one, one.steering.trying.try_now("spring", site="B.example", who="ann")) == Tried(10)
    one.run(5)
    assert len(one.attempts()) == 30
    assert ask(one, one.steering.trying.try_now("spring")) == Tried(10)
    one.run(5)
    assert len(one.attempts()) == 40


def test_what_is_held_at_a_provider_stays_back_until_it_is_released(put_off):
    one = put_off
    ask(one, one.steering.pause("spring", provider="google"))
    assert ask(one, one.steering.trying.try_now("spring")) == Tried(20)
    one.run(30)
    assert len(one.attempts()) == 30
    ask(one, one.steering.resume("spring"))
    one.run(5)
    assert len(one.attempts()) == 40


def test_a_site_that_is_left_alone_stays_so(put_off):
    one = put_off
    one.until(lambda: not one.farm.open)
    one.farm.dead = {connection.peer.ip for connection in one.farm.made}
    assert ask(one, one.steering.trying.try_now("spring", provider="google")) == Tried(10)
    one.run(5)
    (lane,) = [lane for lane in one.feeder.lanes.values() if lane.site.provider == "google"]
    assert lane.suspended
    made = len(one.farm.made)
    ask(one, one.steering.trying.try_now("spring", provider="google"))
    one.run(5)
    assert lane.suspended
    assert len(one.farm.made) == made


def test_what_is_asked_for_has_to_be_there(put_off):
    one = put_off
    with pytest.raises(UnknownName, match="provider 'gogle'"):
        ask(one, one.steering.trying.try_now("spring", provider="gogle"))
    with pytest.raises(UnknownName, match="campaign 'sprig'"):
        ask(one, one.steering.trying.try_now("sprig"))

    async def finish():
        await one.spool.set_state(one.run_of.id, "finished", one.wall())

    ask(one, finish())
    with pytest.raises(WrongState, match="finished already, and cannot be tried now"):
        ask(one, one.steering.trying.try_now("spring"))
