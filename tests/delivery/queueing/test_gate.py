"""Who is suppressed while a campaign is sent gets nothing that is composed afterwards."""

from __future__ import annotations

from collections import Counter
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock, deferLater

from bulkmail.delivery.queueing.gate import Gate
from bulkmail.mail import OwnFault
from bulkmail.spool import EVERYTHING, Audience, Suppression, campaign_scope, list_scope


def entry(address, scope=EVERYTHING, reason="unsubscribed"):
    return Suppression(address, scope, reason, "a test", 1.0)


def outcomes(one):
    return {
        settlement.recipient_id & 0xFFFFFFFFFF: (settlement.status, settlement.category, settlement.note)
        for settlement in one.spool.settlements
    }


def test_without_any_suppression_nothing_is_asked(world):
    one = world()
    one.farm.obliging()
    asked = []
    look_up = one.store.suppressed
    one.store.suppressed = lambda *given: asked.append(1) or look_up(*given)
    run = one.campaign({"a.example": 500})
    one.send(60)
    assert one.statuses(run) == {"delivered": 500}
    assert asked == []
    one.settle_down()
    one.check_empty()


def test_rows_of_who_is_suppressed_end_without_an_attempt(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 40, "b.example": 3})
    one.store.suppress(
        [
            entry("u7@a.example"),
            entry("@b.example", reason="complained"),
            entry("u9@a.example", campaign_scope("spring"), "listed"),
            entry("u10@a.example", list_scope("other")),
        ],
        hashed=False,
    )
    one.send(60)
    assert one.statuses(run) == {"delivered": 38, "suppressed": 5}
    assert run.by_category == {"unsubscribed": 1, "complained": 3, "listed": 1}
    assert run.by_status["suppressed"] == 5
    found = outcomes(one)
    words = "unsubscribed from everything, since 1970-01-01T00:00:01Z (a test)"
    assert found[7] == ("suppressed", "unsubscribed", words)
    assert found[42][:2] == ("suppressed", "complained")
    assert found[42][2].startswith("the domain b.example: complained")
    assert all(settlement.attempt is None for settlement in one.spool.settlements if settlement.status == "suppressed")
    one.settle_down()
    one.check_empty()


def test_a_list_counts_for_its_campaigns_alone(world):
    one = world()
    one.farm.obliging()
    runs = {name: one.campaign({"a.example": 3}, name) for name in ("news", "invoice", "offers")}
    for run in runs.values():
        run.list_name = "offers" if run.name == "offers" else "news"
    runs["invoice"].kind = "transactional"
    assert runs["news"].audience == Audience("news", "news")
    one.store.suppress([entry("u2@a.example", list_scope("news"))], hashed=True)
    one.send(60)
    assert [one.statuses(run).get("suppressed", 0) for run in runs.values()] == [1, 0, 0]


def test_a_row_that_waits_for_its_retry_is_not_tried_again(world):
    one = world()
    one.farm.obliging(451)
    run = one.campaign({"a.example": 2})
    one.start()
    one.until(lambda: one.statuses(run) == {"deferred": 2}, 60)
    one.spool.suppress([entry("u1@a.example", reason="bounced-before")], hashed=False)
    one.farm.obliging(250)
    one.until(lambda: run.complete, 10_000)
    assert one.statuses(run) == {"suppressed": 1, "delivered": 1}
    assert outcomes(one)[1][:2] == ("suppressed", "bounced-before")
    assert Counter(number for number, *_ in one.attempts()) == {1: 1, 2: 2}


def test_a_message_that_may_have_arrived_stays_unknown(world):
    one = world()
    one.farm.connects = True

    def lose(connection):
        one.clock.callLater(0.01, lambda: connection.dot() and connection.lose())

    one.farm.answers = lose
    run = one.campaign({"a.example": 1})
    one.start()
    one.until(lambda: one.statuses(run) == {"deferred": 1}, 60)
    one.spool.suppress([entry("u1@a.example")], hashed=False)
    one.until(lambda: run.complete, 10_000)
    assert one.statuses(run) == {"unknown": 1}
    assert outcomes(one)[1] == ("unknown", "no-answer", entry("u1@a.example").words)


@pytest.mark.parametrize("fault", [OwnFault("the database is gone"), RuntimeError("a mistake of ours")])
def test_whatever_fails_nobody_is_lost(world, fault):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 20})
    one.store.suppress([entry("u1@a.example")], hashed=False)
    look_up, faults = one.store.suppressed, [fault]

    def fails(*given):
        if faults:
            raise faults.pop()
        return look_up(*given)

    one.store.suppressed = fails
    one.send(600)
    assert one.statuses(run) == {"delivered": 19, "suppressed": 1}
    assert len(one.farm.sent) == 19
    one.settle_down()
    one.check_empty()


def test_a_text_that_changes_meanwhile_is_composed_anew(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 5})
    one.store.suppress([entry("other@a.example")], hashed=False)
    one.disk.delay = 0.5
    look_up = one.store.suppressed

    def changed(*given):
        one.store.suppressed = look_up
        run.edition += 1
        return look_up(*given)

    one.store.suppressed = changed
    one.send(600)
    one.disk.delay = 0.0
    one.settle_down(5)
    assert one.statuses(run) == {"delivered": 5}
    assert sum(len(job[2]) for job in one.pool.asked) > 5
    one.settle_down()
    one.check_empty()


def test_a_stop_while_it_is_looked_up_loses_nobody(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 64})
    one.store.suppress([entry("u3@a.example")], hashed=False)
    one.start()
    asked = []
    look_up = one.store.suppressed
    one.store.suppressed = lambda *given: asked.append(one.feeder.stop()) or look_up(*given)
    one.until(lambda: asked, 60)
    one.settle_down(20)
    one.check_empty()
    assert one.farm.sent == []
    assert one.statuses(run) == {"pending": 64}


class Turns(Clock):
    """A clock that leaves what is asked for in one turn to the next, as a reactor does."""

    def callLater(self, delay, *given, **named):
        return super().callLater(max(delay, 0.001), *given, **named)


class Lanes:
    """What is behind a gate, alone: in which turn each message came."""

    stopping = False

    def __init__(self):
        self.turn = 0
        self.came = []

    def composed(self, message):
        self.came.append((self.turn, message))

    def not_composed(self, messages):
        assert not messages

    def unrenderable(self, message, reason):
        raise AssertionError(reason)


class Asked:
    """A spool that knows suppressions of others; it answers after ``delay``."""

    may_suppress = True

    def __init__(self, clock, delay):
        self.clock, self.delay = clock, delay

    def suppressed(self, keys, audience):
        return deferLater(self.clock, self.delay, dict)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=12), st.sampled_from([0.0, 0.01]))
def test_a_few_go_on_in_each_turn_in_order(given, delay):
    """``given``: after so many turns so many messages come."""
    clock, lanes = Turns(), Lanes()
    gate = Gate(clock, lanes, spool=Asked(clock, delay), ledger=None, pause=None)
    run = SimpleNamespace(edition=0, audience=None, over=False, name="spring")
    messages = []

    def turn():
        lanes.turn += 1
        clock.advance(0.001)

    for turns, many in given:
        for _ in range(turns):
            turn()
        for _ in range(many):
            claimed = SimpleNamespace(email=f"u{len(messages)}@a.example")
            messages.append(SimpleNamespace(run=run, claimed=claimed, domain="a.example"))
            gate.composed(messages[-1])
    for _ in range(20 * len(given) + len(messages)):
        turn()
    assert [message for _, message in lanes.came] == messages
    # the last few of one question and the first few of the next may meet in a turn
    assert max(Counter(turn for turn, _ in lanes.came).values(), default=0) <= 6


class Watch:
    """Numbers what happens, and puts the number of its composing into each message."""

    def __init__(self, one):
        self.now = 0
        self.one = one
        self.acknowledged = {}
        self.late = []
        handle, left = one.pool.handle, one.farm.left

        def numbered(job):
            self.now += 1
            return [(row[0], b"%d" % self.now, *row[2:]) for row in handle(job)]

        def leaves(connection, transaction):
            for message in transaction.context.messages:
                if int(message.wire) > self.acknowledged.get(message.claimed.email, self.now + 1):
                    self.late.append(message.claimed.email)
            left(connection, transaction)

        one.pool.handle, one.farm.left = numbered, leaves

    def suppress(self, address):
        self.one.spool.suppress([entry(address)], hashed=False).addCallback(self._done, address)

    def _done(self, _, address):
        self.now += 1
        self.acknowledged.setdefault(address, self.now)


@pytest.mark.parametrize("alone", [True, False])
@settings(max_examples=settings.default.max_examples // 4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.floats(0, 0.3), st.floats(0, 0.3))
def test_nothing_is_composed_for_who_is_suppressed(world, alone, seed, composing, disk):
    dice = Random(seed)
    one = world(seed=seed)
    one.store._tables.sole_writer = alone
    one.farm.obliging(250)
    one.pool.delay, one.disk.delay = composing, disk
    run = one.campaign({f"{name}.example": 30 for name in "ab"})
    addresses = [f"u{n}@{'ab'[(n - 1) // 30]}.example" for n in range(1, 61)]
    watch = Watch(one)
    whom = dice.sample(addresses, 15)
    for address in whom:
        one.clock.callLater(dice.uniform(0, 1.5), watch.suppress, address)
    one.send(600)
    one.until(lambda: len(watch.acknowledged) == 15, 60)
    assert watch.late == []
    one.disk.delay = 0.0
    one.settle_down(100)
    one.check_empty()
    statuses = one.statuses(run)
    assert statuses.get("delivered", 0) + statuses.get("suppressed", 0) == 60
    assert statuses.get("suppressed", 0) <= 15
