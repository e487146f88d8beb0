"""When everybody had a turn: the feeder is real, the other machines are what the test says of them."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from bulkmail.delivery.lifecycle.first_round import FirstRound
from bulkmail.mail import OwnFault


class Leases:
    def __init__(self):
        self.over, self.rested, self.answer = False, [], False

    def rest(self, queue_ids):
        self.rested.append(sorted(queue_ids))
        return succeed(None) if not isinstance(self.answer, OwnFault) else fail(self.answer)

    def first_round_over(self, campaign_id, now):
        assert now > 1e9, "wall"
        return fail(self.answer) if isinstance(self.answer, OwnFault) else succeed(self.answer)


def answer(work):
    got = []
    Deferred.fromCoroutine(work).addBoth(got.append)
    return got[0]


def dead(one, *names):
    """The addresses of these domains' hosts."""
    return [ip for name in names for host in one.site(name).hosts for ip in host.addresses]


@pytest.fixture
def one(world):
    made = world()
    made.farm.obliging()
    return made


def test_alone_it_is_over_when_nothing_is_left_to_do(one):
    run = one.campaign({"a.example": 5})
    first_round = FirstRound(feeder=one.feeder, clocks=one.clocks, pause=one.pause, leases=None)
    run.import_done = True
    assert not answer(first_round.over(run))
    one.start()
    one.run(5.0)
    assert answer(first_round.over(run))
    run.import_done = False
    assert not answer(first_round.over(run)), "there may be more"


def test_where_a_site_cannot_be_used_all_machines_hear_of_it_now_and_then(one):
    one.farm.dead = set(dead(one, "a.example", "b.example"))
    one.campaign({"a.example": 1000, "b.example": 1000})
    leases = Leases()
    first_round = FirstRound(feeder=one.feeder, clocks=one.clocks, pause=one.pause, leases=leases)
    first_round.look()
    assert leases.rested == []
    one.start()
    one.run(5.0)
    queues = sorted(one.feeder.open_queues.queues)
    assert len(queues) == 2
    for _ in range(10):
        first_round.look()
        one.run(1.0)
    assert leases.rested == [queues]
    one.run(30.0)
    first_round.look()
    assert leases.rested == [queues, queues], "a campaign that was started anew has forgotten it"
    leases.over = True
    one.run(40.0)
    first_round.look()
    assert len(leases.rested) == 2


def test_with_others_the_spool_counts(one):
    run = one.campaign({"a.example": 2})
    run.shared = run.import_done = True
    leases = Leases()
    first_round = FirstRound(feeder=one.feeder, clocks=one.clocks, pause=one.pause, leases=leases)
    assert not answer(first_round.over(run))
    leases.answer = True
    assert answer(first_round.over(run))
    leases.answer = False
    run.counted({("", "delivered", ""): 1, ("", "deferred", ""): 1})
    assert answer(first_round.over(run)), "everybody has a status"


def test_a_fault_of_the_spool_pauses_and_says_nothing_of_the_round(one):
    one.farm.dead = set(dead(one, "a.example"))
    run = one.campaign({"a.example": 1000})
    run.shared = run.import_done = True
    leases = Leases()
    leases.answer = OwnFault("the database is gone")
    first_round = FirstRound(feeder=one.feeder, clocks=one.clocks, pause=one.pause, leases=leases)
    assert not answer(first_round.over(run))
    assert one.pause.fault == "the database is gone"
    one.run(6.0)
    one.start()
    one.run(5.0)
    one.pause.fault = ""
    first_round.look()
    assert one.pause.fault == "the database is gone"
