"""Guarding over a world in memory: a spool that is real, connections that are the test's."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail

from bulkmail.delivery.lifecycle.guarding import Guarding
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import LateEvent, LateResult, OwnFault, Stage, token
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival

UNKNOWN = (550, "5.1.1 There is no such user")
SPAM = (550, "5.7.1 This looks like spam")
LATER = (451, "4.7.1 Greylisted, come back later")
RULES = {"first": 20, "of": 50, "bounced": 10_000, "blocked": 5_000, "complained": 300}


class Scene:
    """``domains``: how many rows at each. Those that begin with g are Google's.

    ``refused(message)`` gives the reply to RCPT that refuses it; None takes it.
    """

    def __init__(self, world, domains, refused=lambda _: None, rules=RULES, **options):
        self.one = one = world(**options)
        self.refused = refused
        one.farm.connects, one.farm.answers = True, self.submitted
        for domain in domains:
            if domain.startswith("g"):
                one.routes[domain] = one.site(domain, provider="google")
        self.run = one.campaign(domains, run=False, key=b"")
        self.run.content["canary"] = rules
        self.told, self.tried = [], []
        self.begin()

    def submitted(self, connection):
        self.one.clock.callLater(self.one.farm.rtt, self.answer, connection)

    def answer(self, connection):
        if connection.closed or connection.current is None:
            return
        (message,) = connection.current.context.messages
        self.tried.append((message.domain, self.one.clock.seconds()))
        code = self.refused(message)
        if code is None:
            connection.answer(250)
        else:
            connection.answer(*code, stage=Stage.RCPT)

    def begin(self):
        """As at the start of a process."""
        one = self.one
        self.steering = Steering(
            spool=one.spool, feeder=one.feeder, clocks=one.clocks, providers={"google", "other"}, changed=lambda _: None
        )
        self.steering.tell(lambda _: None, lambda _: None, lambda run, why: self.told.append((run.name, why)))
        self.guarding = Guarding(one.spool, one.clocks, self.steering)
        self.ask(self.guarding.begin(self.run))
        self.ask(self.steering.begin(self.run))
        one.feeder.runs[self.run.id] = self.run
        one.start()

    def ask(self, work):
        done = Deferred.fromCoroutine(work)
        got = []
        done.addBoth(got.append)
        self.one.until(lambda: got, 10)
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()
        return got[0]

    def late(self, result, numbers, **event):
        """Something comes back of these rows."""
        for number in numbers:
            came = LateEvent(result, self.one.wall(), key=str(number), **event)
            arrival = Arrival(token(self.run.content["key"], number), came, AutoSuppression())
            (recorded,) = self.one.store.record_late([arrival])
            if recorded.before is not None:
                self.run.overwritten(recorded.before, recorded.after)
        self.ask(self.guarding.came_back(self.run))
        self.one.run(1.0)


@pytest.fixture
def scene(world, fast):
    return lambda domains, *refused, **options: Scene(world, domains, *refused, **{"settings": fast(), **options})


def bounced_at(*domains):
    return lambda message: UNKNOWN if message.domain in domains else None


def test_a_bad_list_stops_behind_its_first_messages_and_the_others_go_on(scene):
    it = scene({"g.example": 400, "b.example": 300}, bounced_at("g.example"))
    one = it.one
    one.until(lambda: one.statuses(it.run).get("delivered") == 300, 60)
    one.run(5.0)
    statuses = one.statuses(it.run)
    assert statuses["bounced"] <= 20, "no more than the canary"
    assert statuses["bounced"] >= 3
    assert [hold.provider for hold in it.run.holds.active] == ["google"]
    ((name, why),) = it.told
    assert name == "spring"
    assert "messages to google bounced, and the limit is 10 % of 20" in why
    assert why.endswith("and Resume on the page or `bulkmail resume spring --provider google` goes on")
    assert one.feeder.held == 0


def test_a_good_list_waits_for_its_first_messages_only(scene):
    it = scene({"g.example": 300, "b.example": 300})
    one = it.one
    one.until(lambda: len([1 for domain, _ in it.tried if domain == "g.example"]) == 300, 60)
    times = [at for domain, at in it.tried if domain == "g.example"]
    assert times[-1] - times[0] < 8.0
    one.send()
    assert one.statuses(it.run) == {"delivered": 600}
    assert it.told == []
    one.settle_down()
    one.check_empty()


def test_while_the_first_messages_are_waited_for_nothing_more_is_claimed(scene):
    it = scene({"g.example": 300})
    one = it.one
    one.farm.answers = lambda _: None
    one.run(30.0)
    (lane,) = one.feeder.lanes.values()
    supply = one.feeder.open_queues.supply_of(lane)
    supply.target = 1024
    one.feeder.wanted(supply, it.run)
    one.run(30.0)
    assert len(one.spool.out) == 20
    assert it.run.guard.waiting == ["google"]


def test_a_receiver_that_greylists_does_not_hold_it_for_ever(scene):
    it = scene({"g.example": 300}, lambda message: None if message.claimed.attempts else LATER)
    one = it.one
    one.run(200.0)
    assert one.statuses(it.run) == {"pending": 280, "deferred": 20}
    one.send(3000.0)
    assert one.statuses(it.run) == {"delivered": 300}
    assert it.told == []


def test_a_campaign_behind_another_ones_first_messages_is_sent_meanwhile(scene):
    it = scene({"g.example": 300}, lambda message: None if message.run.name == "other" else LATER)
    one = it.one
    one.run(10.0)
    other = one.campaign({"g.example": 50}, "other")
    one.start()
    one.until(lambda: other.complete, 30)
    assert one.statuses(it.run)["pending"] == 280


def test_after_a_resume_old_outcomes_do_not_stop_it_again_and_new_ones_do(scene):
    it = scene({"g.example": 400}, bounced_at("g.example"))
    one = it.one
    one.until(lambda: it.told, 60)
    one.run(5.0)
    it.refused = lambda _: None
    it.ask(it.steering.resume("spring", provider="google"))
    one.until(lambda: one.statuses(it.run).get("delivered", 0) > 100, 60)
    assert len(it.told) == 1
    it.refused = lambda _: SPAM
    one.until(lambda: len(it.told) == 2, 60)
    assert "were blocked" in it.told[1][1]


def test_a_start_knows_the_last_outcomes_and_what_was_released(scene):
    bad = set(range(1, 3))
    it = scene({"g.example": 400}, lambda message: UNKNOWN if message.claimed.id & 0xFFFF in bad else None)
    one = it.one
    one.until(lambda: one.statuses(it.run).get("delivered", 0) > 60, 60)
    del one.feeder.runs[it.run.id]
    one.feeder.take_back(it.run)
    one.run(5.0)
    sent = sum(one.statuses(it.run).get(status, 0) for status in ("delivered", "bounced"))
    before = it.run.guard
    it.begin()
    assert it.run.guard is not before
    assert repr(it.run.guard.breaker) == repr(before.breaker)
    assert it.run.guard.available("google", one.clock.seconds()) > 1000
    it.refused = lambda _: UNKNOWN
    one.until(lambda: it.told, 60)
    one.run(1.0)
    assert one.statuses(it.run)["bounced"] < 40
    assert sent > 60
    it.ask(it.steering.resume("spring"))
    it.ask(it.steering.pause("spring"))
    it.begin()
    assert it.run.guard.breaker.stopped == set()
    assert it.run.guard.breaker.settled("google", "bounced") is None


def test_the_stop_outlives_its_process(scene):
    it = scene({"g.example": 400}, bounced_at("g.example"))
    it.one.until(lambda: it.told, 60)
    it.one.run(5.0)
    del it.one.feeder.runs[it.run.id]
    it.begin()
    assert it.run.guard.breaker.stopped == {"google"}
    assert len(it.told) == 1, "it is told once"


def test_where_no_provider_is_worst_the_whole_campaign_stops(scene):
    left = {"g.example": 5, "b.example": 5}

    def refused(message):
        left[message.domain] -= 1
        return SPAM if left[message.domain] >= 0 else None

    it = scene({"g.example": 300, "b.example": 300}, refused, rules={**RULES, "first": 100, "of": 200})
    it.one.until(lambda: it.told, 60)
    assert it.told[0][1].endswith("`bulkmail resume spring` goes on")
    it.one.run(5.0)
    assert it.run.withheld
    assert it.one.statuses(it.run)["blocked"] == 10
    it.ask(it.steering.resume("spring"))
    it.one.send()
    assert it.one.statuses(it.run) == {"delivered": 590, "blocked": 10}


def test_complaints_stop_it_and_what_was_forgiven_does_not_stop_it_again(scene):
    it = scene({"g.example": 400})
    one = it.one
    one.send()
    it.run.over = False
    it.late(LateResult.COMPLAINED, range(1, 5))
    assert it.told == []
    it.late(LateResult.COMPLAINED, range(5, 6))
    ((_, why),) = it.told
    assert why.startswith("5 of the 400 messages to google were complained about, and the limit is 0.3 % of 400")
    it.ask(it.steering.resume("spring"))
    one.run(1.0)
    it.late(LateResult.COMPLAINED, range(6, 9))
    del one.feeder.runs[it.run.id]
    it.begin()
    it.late(LateResult.COMPLAINED, range(9, 10))
    assert len(it.told) == 1
    it.late(LateResult.COMPLAINED, range(10, 11))
    assert len(it.told) == 2


def test_returned_messages_stop_it(scene):
    it = scene({"b.example": 100})
    it.one.send()
    it.late(LateResult.RETURNED, range(1, 12), status="bounced", category="bad-mailbox")
    ((_, why),) = it.told
    assert "11 of the last 100 messages to other receivers bounced" in why
    assert [hold.provider for hold in it.run.holds.active] == ["other"]


def test_without_a_canary_there_is_no_guard(scene):
    it = scene({"g.example": 300}, bounced_at("g.example"), rules=None)
    it.one.send()
    assert it.run.guard is None
    assert it.one.statuses(it.run) == {"bounced": 300}
    it.ask(it.guarding.came_back(it.run))


def test_a_stop_that_cannot_be_written_is_found_again(scene):
    it = scene({"g.example": 400}, bounced_at("g.example"))
    one, hold = it.one, it.one.spool.hold
    one.spool.hold = lambda _: fail(OwnFault("the disk is full"))
    one.until(lambda: one.statuses(it.run).get("bounced", 0) > 10, 60)
    one.spool.hold = hold
    one.until(lambda: it.run.holds.active, 60)


SHIPPED = {"first": 200, "of": 500, "bounced": 10_000, "blocked": 5_000, "complained": 300}


@pytest.mark.parametrize(
    ("begins", "every", "words", "before"),
    [
        (1, 2, "21 of the last ", 60),  # half of the list is wrong: known with the 21st, behind some 42 messages
        (1, 9, "21 of the last ", 200),  # 11 %: among the first messages, which are all that was sent
        (1001, 4, "51 of the last 500 ", 1280),  # a quarter of what comes behind 1,000 good ones
    ],
    ids=["half", "a-ninth", "a-quarter-later"],
)
def test_at_which_row_a_long_list_stops_by_the_shipped_figures_and_goes_on(scene, begins, every, words, before):
    """More than is claimed at once may be under way when the last one bounces; nothing is sent behind that."""

    def refused(message):
        number = message.claimed.number
        return UNKNOWN if message.domain == "g.example" and number >= begins and number % every == 0 else None

    it = scene({"g.example": 3000, "b.example": 50}, refused, SHIPPED)
    one = it.one
    one.until(lambda: it.told, 120)
    one.run(5.0)
    ((_, why),) = it.told
    assert f"{words}" in why
    tried = sum(domain == "g.example" for domain, _ in it.tried)
    assert tried <= before
    one.run(60.0)
    assert tried == sum(domain == "g.example" for domain, _ in it.tried), "nothing more leaves for it"
    it.refused = lambda _: None
    it.ask(it.steering.resume("spring", provider="google"))
    one.until(lambda: it.run.complete, 600)
    statuses = one.statuses(it.run)
    assert sum(statuses.values()) == 3050
    assert len(it.told) == 1, "it goes on to its end"
