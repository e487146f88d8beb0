from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.mail import Category, Fate, Outcome, OwnFault, Rate, Stage

BIG = {"big": {"mx": [".big.example"], "connections": 5, "messages_per_connection": 50}}


# connections


def test_a_connection_carries_no_more_than_it_may(world, fast):
    one = world(settings=fast(messages_per_connection=7))
    one.farm.obliging()
    run = one.campaign({"a.example": 100})
    one.send(60)
    assert one.statuses(run) == {"delivered": 100}
    assert max(connection.messages for connection in one.farm.made) == 7


def test_a_site_gets_no_more_connections_than_it_may(world, fast):
    one = world(settings=fast(connections=3))
    one.farm.obliging()
    run = one.campaign({"a.example": 300})
    one.send(600)
    assert one.statuses(run) == {"delivered": 300}
    assert one.farm.most == 3


def test_fifty_sites_share_the_five_connections_of_their_provider(world, fast):
    """Idle ones are closed for those who wait: nobody starves behind a connection that stands idle for a minute."""
    one = world(settings=fast(), providers=BIG)
    one.farm.obliging()
    one.routes = {f"d{n}.example": one.site(f"s{n}.big.example", f"192.0.2.{n}", provider="big") for n in range(1, 51)}
    run = one.campaign(dict.fromkeys(one.routes, 4))
    one.send(30)
    assert one.statuses(run) == {"delivered": 200}
    assert one.farm.most == 5
    one.settle_down()
    one.check_empty()


def test_many_sites_at_one_address_share_what_it_takes(world, fast):
    one = world(settings=fast(connections=2))
    one.farm.obliging()
    one.routes = {f"d{n}.example": one.site(f"s{n}.example", "192.0.2.1") for n in range(20)}
    run = one.campaign(dict.fromkeys(one.routes, 3))
    one.send(60)
    assert one.statuses(run) == {"delivered": 60}
    assert one.farm.most == 2


def test_sites_that_share_two_addresses_do_not_strand_each_other(world, fast):
    """Woken for a place at one address, a lane may take the other."""
    one = world(settings=fast(connections=1))
    one.farm.obliging()
    one.routes = {f"d{n}.example": one.site(f"s{n}.example", "192.0.2.1", "192.0.2.2") for n in range(25)}
    run = one.campaign(dict.fromkeys(one.routes, 2))
    one.send(100)
    assert one.statuses(run) == {"delivered": 50}
    one.settle_down()
    one.check_empty()


def test_half_a_line_on_an_idle_connection_strands_no_message(world, fast):
    """A server may drip its 421: such a connection takes nothing, and says so when it is too late to ask."""
    one = world(settings=fast())
    one.farm.obliging()
    run = one.campaign({"a.example": 3})
    one.send(30)
    for connection in one.farm.open:
        connection.stray = True
    one.import_more(run, ["a.example"] * 3)
    one.send(30)
    assert one.statuses(run) == {"delivered": 6}
    one.settle_down(100)
    one.check_empty()


# rates


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 10), st.integers(1, 60))
def test_the_rate_is_honoured_in_every_window(world, fast, count, burst, rows):
    rate = Rate(count, 1.0, burst)
    one = world(settings=fast(rate=rate))
    one.farm.rtt = 0.001
    one.farm.obliging()
    run = one.campaign({"a.example": rows})
    one.send(200)
    assert one.statuses(run) == {"delivered": rows}
    times = [at for _, at, _ in one.farm.sent]
    for n, first in enumerate(times):
        for m, last in enumerate(times[n:], 1):
            assert m <= burst + (last - first) / rate.interval + 1.01, (n, m)
    # and not slower than it may be
    assert times[-1] - times[0] <= rows * rate.interval + 3.0


def test_a_complaint_slows_the_lane_down(world, fast):
    one = world(settings=fast(rate=Rate(10, 1.0, 1)))
    one.farm.connects = True
    one.farm.answers = lambda connection: one.clock.callLater(
        0.001, connection.answer, 421, "4.7.28 rate limit exceeded", stage=Stage.RCPT
    )
    one.campaign({"a.example": 3})
    one.start()
    one.run(5)
    limiter = one.limiters.of_site("a.example", "", one.clocks.now()).limiter
    assert limiter.factors[0] < 1.0
    assert {attempt[3] for attempt in one.attempts()} == {"rate-limited"}


# fates


def test_untried_is_free_three_times_and_then_an_attempt(world, fast):
    one = world(settings=fast())
    one.farm.connects = True
    one.farm.answers = lambda connection: one.clock.callLater(0.01, connection.lose, Fate.UNTRIED)
    one.campaign({"a.example": 1})
    one.start()
    one.run(10)
    assert len(one.farm.sent) == 4
    assert [attempt[1:] for attempt in one.attempts()] == [(1, "deferred", "connection")]
    assert one.spool.settlements[0].attempt.stage == "mail"


def test_lost_before_the_dot_is_deferred_and_behind_it_unknown(world, fast):
    one = world(settings=fast())
    one.farm.connects = True
    answers = iter([lambda c: c.lose(Fate.LOST, Stage.DATA), lambda c: c.dot() and c.lose()])
    one.farm.answers = lambda connection: one.clock.callLater(0.01, next(answers), connection)
    run = one.campaign({"a.example": 2})
    one.start()
    one.run(10)
    assert sorted(attempt[2] for attempt in one.attempts()) == ["deferred", "unknown"]
    assert one.statuses(run) == {"deferred": 2}
    assert len(one.farm.sent) == 2, "never at once elsewhere"


def test_what_must_not_reach_the_wire_ends_that_row_and_not_the_connection(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.farm.unsendable = lambda transaction: "a bare CR" if "u2@" in transaction.recipients[0] else ""
    run = one.campaign({"a.example": 4})
    one.send(20)
    assert one.statuses(run) == {"delivered": 3, "invalid": 1}
    one.settle_down(100)
    one.check_empty()


def test_a_refusal_without_a_byte_on_the_wire_keeps_the_connection(world, fast):
    """The session settles it inside of `submit` and is ready again before `submit` returns."""
    one = world(settings=fast())
    one.farm.connects = True

    def too_large(connection):
        connection.settle(Fate.REFUSED, Stage.MAIL, None, "5.3.4 too large", Category.TOO_LARGE)
        connection.again()

    one.farm.answers = too_large
    run = one.campaign({"a.example": 90})
    one.start()
    one.until(lambda: len(one.spool.settlements) == 90, 60)
    assert one.statuses(run) == {"deferred": 90}
    one.settle_down(100)
    one.check_empty()


def test_a_connection_that_leaves_at_a_verdict_of_our_own_is_not_idle(world, fast):
    one = world(settings=fast(messages_per_connection=1))
    one.farm.connects = True

    def too_large(connection):
        connection.settle(Fate.REFUSED, Stage.MAIL, None, "too large", Category.TOO_LARGE)
        connection.again()

    one.farm.answers = too_large
    one.campaign({"a.example": 1})
    one.start()
    one.until(lambda: one.spool.settlements)
    (connection,), (lane,) = one.farm.made, one.feeder.lanes.values()
    assert connection.leaving
    assert (lane.connections, lane.starved) == (0, False)


def test_a_dot_that_cannot_be_journalled_charges_nobody(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.journal.fault = OwnFault("the disk is full")
    run = one.campaign({"a.example": 30})
    one.start()
    one.run(28)
    assert one.attempts() == []
    assert one.pause.fault == "the disk is full"
    one.journal.fault = None
    one.until(lambda: run.complete, 30)
    assert one.statuses(run) == {"delivered": 30}
    assert {attempt[1] for attempt in one.attempts()} == {1}


# a site that cannot be used


def dead(one, domain="a.example"):
    one.farm.dead = {ip for host in one.site(domain).hosts for ip in host.addresses}


def test_a_dead_site_charges_one_recipient_and_the_others_go_back(world, fast):
    one = world(settings=fast())
    dead(one)
    run = one.campaign({"a.example": 30})
    one.start()
    one.run(60)
    ((number, attempt, result, category),) = one.attempts()
    assert (attempt, result, category) == (1, "deferred", "connection")
    assert one.statuses(run) == {"deferred": 1, "pending": 29}
    assert number not in {identity & 0xFFFFFFFFFF for identity, _ in one.spool.given_back}
    rest = one.feeder.lanes["a.example"].suspension.until
    assert 600 <= rest <= 661
    for _, due in one.spool.given_back:
        assert due == pytest.approx(one.wall() - one.clock.seconds() + rest, abs=0.01)
    assert len(one.farm.made) == 1
    one.check_empty()


def test_a_dead_site_costs_one_line_for_each_retry(world, fast):
    one = world(settings=fast())
    dead(one)
    one.campaign({"a.example": 30})
    one.start()
    one.until(lambda: len(one.attempts()) == 4, 6000)
    times = [settlement.attempt.at for settlement in one.spool.settlements]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    for wait, planned in zip(waits, [600, 600, 1800], strict=True):
        assert planned * 0.999 <= wait <= planned * 1.11 + 2
    assert len(one.farm.made) == 4


def test_a_site_that_is_back_gets_its_mail(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    dead(one)
    run = one.campaign({"a.example": 30})
    one.start()
    one.run(100)
    one.farm.dead = set()
    one.until(lambda: run.complete, 700)
    assert one.statuses(run) == {"delivered": 30}


def test_a_site_that_stays_dead_expires_its_recipients_without_an_attempt_each(world, kit):
    one = world(settings=kit.retry(schedule=(100.0,), expire_after=350.0))
    dead(one)
    run = one.campaign({"a.example": 700})
    one.send(5000)
    assert one.statuses(run) == {"expired": 700}
    assert len(one.attempts()) <= 5
    untried = [settlement for settlement in one.spool.settlements if settlement.attempt is None]
    assert len(untried) >= 695
    assert {(settlement.category, settlement.reply_of != 0) for settlement in untried} == {("connection", True)}
    assert one.clock.seconds() < 700
    one.settle_down(200)
    one.check_empty()
    assert one.feeder.lanes == {}


def test_rows_that_come_to_a_site_given_up_are_still_dealt_with(world, kit):
    """Its lane rests when they come: the end of the rest must find them."""
    one = world(settings=kit.retry(schedule=(100.0,), expire_after=350.0))
    one.farm.obliging()
    dead(one)
    run = one.campaign({"a.example": 10})
    one.send(5000)
    late = one.campaign({"a.example": 20}, "late")
    late.started_at = one.wall()
    one.farm.dead = set()
    one.feeder.rescan()
    one.until(lambda: late.complete, 300)
    assert one.statuses(run) == {"expired": 10}
    assert one.statuses(late) == {"delivered": 20}


def test_a_host_that_says_554_at_the_greeting_charges_one(world, fast, kit):
    one = world(settings=fast())
    connect = one.farm.connect

    def refuses(*args, **kwargs):
        connection = connect(*args, **kwargs)
        answer = kit.reply(554, "5.7.1 blocked")
        one.clock.callLater(0.1, connection.close, Stage.GREETING, answer, "refused: 554")
        return connection

    one.farm.connect = refuses
    one.campaign({"a.example": 9})
    one.start()
    one.run(60)
    assert [attempt[1:3] for attempt in one.attempts()] == [(1, "deferred")]
    assert one.spool.settlements[0].attempt.smtp_code == 554


def test_an_own_fault_pauses_and_every_lane_tries_again(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.farm.fault = OwnFault("too many open files")
    run = one.campaign({f"d{n}.example": 3 for n in range(10)})
    one.start()
    one.run(30)
    assert one.attempts() == []
    assert one.limiters.total.open == 0
    one.farm.fault = None
    one.until(lambda: run.complete, 30)
    assert one.statuses(run) == {"delivered": 30}


def test_a_lane_tells_how_it_is(world, fast):
    one = world(settings=fast())
    dead(one)
    run = one.campaign({"a.example": 30})
    one.start()
    one.run(5)
    (lane,) = one.feeder.lanes.values()
    assert re.fullmatch(
        r"<Lane a\.example suspended since 2023-11-14T22:13:20Z until 2023-11-14T22:2\d:\d\dZ: connection refused; "
        r"ready=0 in_flight=0 idle=0 opening=0>",
        repr(lane),
    )
    assert (
        lane.suspended,
        one.feeder.open_queues.supply_of(lane).wanted(run),
        lane.in_flight,
        lane.connections,
        lane.needs_connection,
    ) == (
        True,
        0,
        0,
        0,
        False,
    )


def test_an_outage_is_remembered_while_its_recipients_come_back(world, fast):
    one = world(settings=fast())
    dead(one)
    one.campaign({"a.example": 3})
    one.start()
    one.run(5)
    (lane,) = one.feeder.lanes.values()
    since = lane.suspension.since
    for _ in range(5):
        one.until(lambda: not lane.suspended, 9000)
        one.feeder.tidy()
        assert list(one.feeder.lanes.values()) == [lane]
        one.run(30)
        one.feeder.tidy()
        assert lane.suspended
    assert lane.suspension.since == since


def test_a_failure_while_the_site_rests_charges_nobody_else(world, fast):
    one = world(settings=fast())
    dead(one)
    one.campaign({"a.example": 30})
    one.start()
    one.run(5)
    (lane,) = one.feeder.lanes.values()
    lane.backlog.fail(lane.suspension._failure, one.wall())
    assert not lane.suspension.charging
    assert len(one.attempts()) == 1


def test_a_failure_that_nobody_was_there_for_charges_nobody_later(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    run = one.campaign({"a.example": 1})
    one.send()
    (lane,) = one.feeder.lanes.values()
    lane.backlog.hold(5, run)  # a claim is under way
    lane.backlog.fail(Outcome(Fate.LOST, Stage.CONNECT, None, "refused", category=Category.CONNECTION), one.wall())
    assert lane.suspension.charging
    lane.backlog.hold(-5, run)  # and finds nothing
    one.add(run.id, ["a.example"], 2)
    run.input_rows = 2
    one.feeder.rescan()
    one.until(lambda: run.complete)
    assert one.attempts() == [(1, 1, "delivered", ""), (2, 1, "delivered", "")]


@pytest.mark.parametrize("hosts", [1, 2])
def test_a_failure_before_mail_took_as_long_as_its_walk(world, fast, hosts):
    one = world(settings=fast())
    one.farm.rtt = 1.5
    site = one.routes["a.example"] = one.site("a.example", *[f"192.0.2.{n}" for n in range(hosts)])
    one.farm.dead = {ip for host in site.hosts for ip in host.addresses}
    one.campaign({"a.example": 3})
    one.start()
    one.run(10)
    (settlement,) = [each for each in one.spool.settlements if each.attempt]
    assert settlement.attempt.duration_ms == hosts * 1500
    assert settlement.attempt.at - settlement.first_attempt_at == pytest.approx(hosts * 1.5)


def test_who_is_charged_later_is_not_charged_for_the_wait(world, fast):
    one = world(settings=fast())
    dead(one)
    one.pool.delay = 30.0
    one.campaign({"a.example": 1})
    one.start()
    one.run(1)
    (lane,) = one.feeder.lanes.values()
    lane.backlog.fail(Outcome(Fate.LOST, Stage.CONNECT, None, "refused"), one.wall() - 2)
    one.run(60)
    (settlement,) = one.spool.settlements
    assert settlement.attempt.duration_ms == 2000
