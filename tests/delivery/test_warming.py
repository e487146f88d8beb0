"""Sources that warm up, over a world in memory: a spool that is real, connections that are the test's."""

from __future__ import annotations

from collections import Counter

import pytest
from twisted.internet.defer import Deferred, fail

from bulkmail.delivery.warming import Warming
from bulkmail.mail import OwnFault, Stage
from bulkmail.settings import Settings
from bulkmail.shaping import DAY, WarmupPlan

A, B = "192.0.2.10", "192.0.2.11"
FIRST = 19_675
"""The day on which the world begins, 6400 seconds before its end."""
EPOCH_ENDS = (FIRST + 1) * DAY


@pytest.fixture
def warming(world, fast):
    """A world with the source a, which has 20 messages on its first day and 40 on the second; b where asked for."""

    def make(*, second=False, start="2023-11-14", plan=(20, 40)):
        given = [{"name": "a", "address": A, "warmup": {"start": start, "plan": list(plan)}}]
        given += [{"name": "b", "address": B}] if second else []
        settings, shaped = Settings.model_validate({"sources": given}), fast()
        one = world(settings=settings.model_copy(update={"shaping": shaped.shaping, "retry": shaped.retry}))
        one.farm.obliging()
        return one

    return make


def sent_from(one):
    by_connection = Counter()
    for connection in one.farm.made:
        by_connection[connection.peer.source_ip] += connection.messages
    return {ip: count for ip, count in by_connection.items() if count}


def test_a_source_sends_its_budget_and_the_rest_waits_for_the_next_days(warming):
    one = warming()
    run = one.campaign({"a.example": 60})
    one.start()
    one.until(lambda: one.wall() > EPOCH_ENDS - 10)
    assert one.statuses(run) == {"delivered": 20, "pending": 40}
    assert one.feeder.held == 0
    assert one.attempts() == [(n, 1, "delivered", "") for n in range(1, 21)]
    one.until(lambda: run.complete, 400)
    assert one.store.warmup_days()["a", "other"][:3] == (FIRST + 1, 1, 40)
    assert one.statuses(run) == {"delivered": 60}
    one.settle_down()
    one.check_empty()


def test_what_it_may_not_send_goes_to_the_other_source(warming):
    one = warming(second=True)
    run = one.campaign({"a.example": 300})
    one.send(600)
    assert one.statuses(run) == {"delivered": 300}
    assert sent_from(one) == {A: 20, B: 280}


def test_the_other_source_takes_small_sites_too(warming):
    one = warming(second=True, plan=(10, 20))
    run = one.campaign({f"d{n}.example": 1 for n in range(80)})
    one.send(600)
    assert one.statuses(run) == {"delivered": 80}
    assert sent_from(one) == {A: 10, B: 70}


def test_each_provider_has_a_budget_of_its_own(warming):
    one = warming()
    one.routes["g.example"] = one.site("g.example", provider="google")
    run = one.campaign({"a.example": 50, "g.example": 50})
    one.start()
    one.run(60)
    assert one.statuses(run) == {"delivered": 40, "pending": 60}


def test_the_groups_of_a_provider_share_its_budget(warming):
    one = warming()
    one.routes["g.example"] = one.site("g.example", provider="google")
    one.routes["p.example"] = one.site("p.example", provider="partner at google")
    run = one.campaign({"p.example": 50, "g.example": 50})
    one.start()
    one.run(60)
    assert one.statuses(run) == {"delivered": 20, "pending": 80}


def test_a_day_that_was_not_delivered_is_no_step(warming):
    one = warming()
    one.farm.answers = lambda connection: one.clock.callLater(
        0.05, connection.answer, 550, "5.7.1 no", stage=Stage.RCPT
    )
    run = one.campaign({f"d{n}.example": 1 for n in range(100)})
    one.start()
    one.run(60)
    assert one.statuses(run)["blocked"] == 20
    one.until(lambda: one.wall() > EPOCH_ENDS + 60)
    assert one.statuses(run)["blocked"] == 40


def test_a_deferred_message_takes_nothing_of_the_budget(warming):
    one = warming()
    first = set()

    def answer(connection):
        (message,) = connection.current.context.messages
        again = message.claimed.attempts > 0
        first.add(message.claimed.id)
        code = (250,) if again else (451, "4.7.1 Greylisted, come back")
        one.clock.callLater(0.05, lambda: connection.answer(*code, stage=Stage.DOT if again else Stage.RCPT))

    one.farm.answers = answer
    run = one.campaign({"a.example": 18})
    one.start()
    one.until(lambda: run.complete, 3000)
    assert one.statuses(run) == {"delivered": 18}


def test_before_its_start_it_sends_nothing(warming):
    one = warming(start="2023-11-15")
    run = one.campaign({"a.example": 5})
    one.start()
    one.until(lambda: one.wall() > EPOCH_ENDS - 10)
    assert one.statuses(run) == {"pending": 5}
    one.until(lambda: run.complete, 400)


def made(one, plan=(20, 40)):
    return Warming({"a": WarmupPlan(FIRST, plan)}, one.spool, one.clocks)


def taken(one, warming, most=1000):
    """Take all that is available, waiting for what is asked for."""
    count = 0
    for _ in range(100):
        some = warming.available("a", "google")
        if some > most:
            return some
        if some:
            warming.take("a", "google", some)
            count += some
        one.run(0.1)
    return count


def test_over_kills_no_day_has_more_than_its_budget(warming):
    one = warming()
    count = 0
    for _ in range(50):
        killed = made(one)
        killed.available("a", "google")
        one.run(0.1)
        count += killed.available("a", "google")
    assert count <= 20
    assert taken(one, made(one)) == 0


def test_an_end_in_good_order_gives_back_what_is_left(warming):
    one = warming()
    for _ in range(50):
        warm = made(one)
        warm.available("a", "google")
        one.run(0.1)
        Deferred.fromCoroutine(warm.close())
        one.run(0.1)
    assert taken(one, made(one)) == 20


def test_it_is_asked_again_where_the_spool_cannot_be_used(warming):
    one = warming()
    warm, use = made(one), one.spool.use_budget
    one.spool.use_budget = lambda _: fail(OwnFault("the disk is full"))
    assert taken(one, warm) == 0
    one.spool.use_budget = use
    one.run(6.0)
    assert taken(one, warm) == 20
    assert warm.next_at("a", "google") == EPOCH_ENDS
    assert "Budget of a at google" in repr(warm)


def test_a_source_without_a_plan_is_not_counted(warming):
    one = warming()
    warm = made(one)
    assert warm.available("b", "google") > 1 << 20
    assert warm.take("b", "google", 5) is None
    assert warm.next_at("b", "google") is None
    assert warm.usable("b", "")
