"""What the spool holds of refusals, over a real one in memory."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import BulkmailError, Problem, Refused, WrongState

WRONG = Refused([Problem("html", 3, 0, "no link"), Problem("text", 1, 0, "no word")])


@pytest.fixture
def scene(world):
    one = world()
    one.campaign({"a.example": 2})
    steering = Steering(spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers=(), changed=lambda _: None)
    refusals = Refusals(one.spool, steering)

    def ask(work):
        done = Deferred.fromCoroutine(work)
        got = []
        done.addBoth(got.append)
        one.until(lambda: got)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()

    return one, refusals, ask


def holds(one):
    return [(hold.kind, hold.reason) for hold in one.store.holds()]


def test_a_refusal_is_told_and_taken_back_without_a_trace(scene):
    one, refusals, ask = scene
    (row,) = one.store.campaigns()
    behind = []
    refusals.on_told(behind.append)
    ask(refusals.tell(row.name, WRONG))
    assert behind == ([] if row.state == "ready" else [row.id])
    assert holds(one) == [("refused", "html:3: no link (and 1 more; STATUS.txt in its folder has them)")]
    ask(refusals.tell(row.name, BulkmailError("the check was killed")))
    assert holds(one) == [("refused", "the check was killed")]
    ask(refusals.checking(row))
    assert [kind for kind, _ in holds(one)] == ["checking", "refused"]
    ask(refusals.checked(row))
    ask(refusals.taken_up(row))
    ask(refusals.taken_up(row))
    assert holds(one) == []
    assert one.store.held_times(row.id) == []


def test_what_has_ended_is_not_refused(scene):
    one, refusals, ask = scene
    (row,) = one.store.campaigns()
    one.store.set_state(row.id, "finished", 5.0)
    with pytest.raises(WrongState, match="finished already"):
        ask(refusals.tell(row.name, WRONG))
    assert holds(one) == []
