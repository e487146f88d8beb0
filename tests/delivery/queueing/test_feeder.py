from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.delivery.queueing import open_queues
from bulkmail.mail import Category, Fate, OwnFault, Stage
from bulkmail.routing import RouteFailure
from bulkmail.settings import Settings
from bulkmail.shaping import FactKind


def test_a_campaign_is_sent_and_nothing_is_left_in_anybodys_hands(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 100, "b.example": 3, "c.example": 1})
    one.send(60)
    assert one.statuses(run) == {"delivered": 104}
    assert run.by_status["delivered"] == 104
    one.settle_down()
    one.check_empty()
    assert (one.feeder.lanes, one.feeder.open_queues.queues) == ({}, {})
    assert one.limiters._sites == one.limiters._addresses == {}
    assert one.feeder.idle


def test_domains_of_one_site_share_a_lane(world):
    one = world()
    one.farm.obliging()
    site = one.site("mx.host.example")
    one.routes = {f"d{n}.example": site for n in range(30)}
    run = one.campaign(dict.fromkeys(one.routes, 2))
    one.send(60)
    assert one.statuses(run) == {"delivered": 60}
    assert list(one.feeder.lanes) == ["mx.host.example"]


def claimed(most):
    settings = Settings()
    total = settings.shaping.total.model_copy(update={"claimed": most})
    return settings.model_copy(update={"shaping": settings.shaping.model_copy(update={"total": total})})


def paced(rate):
    limits = {"connections": 4, "rate": f"{rate},burst=1"}
    return Settings.model_validate({"shaping": {"default": limits}})


def test_the_window_bounds_what_is_claimed(world):
    one = world(settings=claimed(300))
    most = []
    one.farm.obliging()
    run = one.campaign({f"d{n}.example": 40 for n in range(50)})
    one.start()
    one.until(lambda: most.append(len(one.spool.out)) or run.complete, 600)
    assert 200 < max(most) <= 300
    assert one.statuses(run) == {"delivered": 2000}


def test_of_more_lanes_than_there_is_room_for_some_are_fed_with_several_messages(world):
    one = world(settings=claimed(256))
    one.farm.obliging()
    claims, claim = [], one.spool.claim
    one.spool.claim = lambda queue_id, limit: claims.append(limit) or claim(queue_id, limit)
    run = one.campaign({f"d{n}.example": 6 for n in range(150)})
    one.start()
    one.until(lambda: run.delivered >= 400, 600)
    assert len(claims) < 400


def test_where_lanes_outnumber_the_connections_each_carries_what_a_turn_has(world):
    one = world(settings=claimed(256), connections=20)
    one.farm.obliging()
    run = one.campaign({f"d{n}.example": 64 for n in range(60)})
    one.start()
    one.until(lambda: run.complete, 1200)
    assert len(one.farm.made) < run.delivered / 12


def test_large_messages_make_the_window_smaller(world):
    one = world()
    one.pool.size_of = 10_000_000
    one.feeder._average = 10_000_000.0
    assert one.feeder.window == 256


def test_a_lane_that_found_the_window_full_is_served_when_there_is_room(world):
    """Here all of the window comes back from a site that is dead, and that lane will not be hungry for a while."""
    one = world(settings=claimed(256))
    one.farm.obliging()
    one.farm.rtt = 3.0
    one.farm.dead = set(one.site("dead.example").hosts[0].addresses)
    one.campaign({"dead.example": 1000}, "first")
    one.feeder.open_queues.source_lanes.supply(one.site("dead.example")).target = 1024
    one.start()
    one.run(2)
    assert one.feeder.window == 32
    second = one.campaign({"small.example": 3}, "second")
    one.start()
    one.until(lambda: second.complete, 20)


def test_a_campaign_is_not_behind_the_many_lanes_of_another_that_hold_all_they_may(world):
    """None of them answers; a window that they could fill to the last place would be no window for others."""
    one = world(settings=claimed(256))
    one.farm.connects, one.farm.answers = True, lambda _: None
    first = one.campaign({f"d{n}.example": 50 for n in range(60)}, "first")
    one.start()
    one.run(20)
    held = first.held
    assert held == 224
    living = one.site("small.example").hosts[0].addresses
    one.farm.answers = lambda asked: asked.peer.ip in living and one.clock.callLater(0.01, asked.answer) and None
    second = one.campaign({"small.example": 60}, "second")
    one.start()
    one.until(lambda: second.complete, 60)
    assert (first.held, second.held, first.delivered) == (held, 0, 0)


def test_two_campaigns_share_a_site_by_their_weights(world):
    """Both at one domain, the large one first; in whatever of the first 400 messages they share: three of four."""
    one = world()
    one.farm.obliging()
    heavy = one.campaign({"a.example": 600}, "heavy")
    one.start()
    one.until(lambda: heavy.delivered > 100)
    before = len(one.farm.sent)
    light = one.campaign({"a.example": 600}, "light")
    light.content = {"priority": "low"}
    one.start()
    one.until(lambda: light.delivered)
    waited, counted = len(one.farm.sent) - before, heavy.delivered
    assert waited <= 40, "it does not wait for all that is claimed ahead"
    one.until(lambda: heavy.delivered >= counted + 300)
    assert light.delivered == pytest.approx(100, abs=12)
    one.until(lambda: heavy.complete and light.complete)
    one.settle_down()
    one.check_empty()


def test_a_small_campaign_overtakes_what_is_claimed_and_composed_for_its_lane(world):
    one = world(settings=paced("20/s"))
    one.farm.obliging()
    large = one.campaign({"a.example": 3000}, "large")
    one.start()
    one.until(lambda: large.delivered >= 20)
    supply = one.feeder.open_queues.supply_of(one.feeder.lanes["a.example"])
    supply.target = 1024
    one.until(lambda: len(supply.lane.ready) > 800)
    small = one.campaign({"a.example": 40}, "small")
    began = one.clock.seconds()
    one.start()
    one.until(lambda: small.complete, 30)
    assert one.clock.seconds() - began < 2 * 40 / 20 + 2, "half of the rate is its own; the backlog would take 40 s"


def test_no_more_queues_are_open_than_may_be(world, monkeypatch):
    monkeypatch.setattr(open_queues, "OPEN_QUEUES", 10)
    monkeypatch.setattr("bulkmail.delivery.queueing.queue_scan._PAGE", 5)
    one = world()
    one.farm.obliging()
    most = []
    run = one.campaign({f"d{n}.example": 1 for n in range(120)})
    one.start()
    one.until(lambda: most.append(len(one.feeder.open_queues.queues)) or run.complete, 120)
    assert max(most) <= 10 + 5


def test_a_campaign_of_very_many_domains_leaves_queues_and_routes_for_others(world, monkeypatch):
    """None of its domains answers; the other's are behind all of them in the spool."""
    monkeypatch.setattr(open_queues, "OPEN_QUEUES", 24)
    monkeypatch.setattr(open_queues, "_ROUTES", 8)
    monkeypatch.setattr("bulkmail.delivery.queueing.queue_scan._PAGE", 1)
    one = world()
    one.farm.obliging()
    many = {f"d{n}.example": 20 for n in range(100)}
    one.farm.dead = {ip for domain in many for ip in one.site(domain).hosts[0].addresses}
    one.route_delay = 0.2
    large = one.campaign(many, "large")
    one.start()
    one.run(5)
    assert 16 <= large.queues <= 21
    small = one.campaign({f"e{n}.example": 2 for n in range(9)}, "small")
    one.farm.dead -= {ip for n in range(9) for ip in one.site(f"e{n}.example").hosts[0].addresses}
    one.start()
    one.until(lambda: small.complete, 20)
    one.settle_down(30)
    assert (small.queues, small.routing, large.routing) == (0, 0, 0)
    assert large.queues == len(one.feeder.open_queues.queues)


def test_a_campaign_of_one_site_is_not_behind_all_the_sites_of_another_that_wait_for_a_connection(world):
    one = world(connections=2)
    one.farm.obliging()
    one.farm.rtt = 1.0
    large = one.campaign({f"d{n}.example": 3 for n in range(60)}, "large")
    one.start()
    one.until(lambda: large.delivered >= 4)
    small = one.campaign({"small.example": 3}, "small")
    began, before = one.clock.seconds(), large.delivered
    one.start()
    one.until(lambda: small.complete, 200)
    assert large.delivered - before <= 15, "and not all of the 60 sites"
    assert one.clock.seconds() - began < 20


def test_no_more_domains_are_asked_for_at_once_than_the_resolver_has_patience_for(world, monkeypatch):
    monkeypatch.setattr(open_queues, "_ROUTES", 7)
    monkeypatch.setattr("bulkmail.delivery.queueing.queue_scan._PAGE", 5)
    one = world()
    one.farm.obliging()
    one.route_delay = 0.2
    most = []
    run = one.campaign({f"d{n}.example": 1 for n in range(60)})
    one.start()
    one.until(lambda: most.append(one.feeder.open_queues._routing) or run.complete, 120)
    assert 5 < max(most) <= 7 + 5


def test_a_queue_that_ran_dry_opens_again_when_rows_are_added(world):
    one = world()
    one.farm.obliging()
    run = one.campaign({"a.example": 3})
    one.send(30)
    run.over = False
    one.import_more(run, ["a.example"] * 3)
    one.send(30)
    assert one.statuses(run) == {"delivered": 6}


def test_a_row_is_tried_again_when_it_is_due(world):
    one = world()
    one.farm.connects = True
    one.farm.answers = 451
    run = one.campaign({"a.example": 1})
    one.start()
    one.run(5)
    assert one.statuses(run) == {"deferred": 1}
    due = one.spool.settlements[0].next_at - one.wall()
    one.farm.answers = 250
    assert run.next_try_at == one.spool.settlements[0].next_at
    one.until(lambda: run.complete, due + 2)
    assert one.clock.seconds() >= due
    assert [attempt[1:3] for attempt in one.attempts()] == [(1, "deferred"), (2, "delivered")]


def test_a_row_due_before_the_disk_knows_it_is_not_forgotten(world, kit):
    """The shortest wait is shorter than outcomes are gathered for."""
    one = world(settings=kit.retry(schedule=(0.1,)))
    one.farm.connects = True
    one.farm.answers = 451
    run = one.campaign({"a.example": 1})
    one.start()
    one.run(0.3)
    one.farm.answers = 250
    one.until(lambda: run.complete, 10)
    attempts = one.attempts()
    assert len(attempts) >= 2
    assert attempts == [(1, n, "deferred", "other") for n in range(1, len(attempts))] + [
        (1, len(attempts), "delivered", "")
    ]
    assert one.statuses(run) == {"delivered": 1}


def test_rows_due_while_the_disk_is_full_are_found_when_it_is_not(world, kit):
    one = world(settings=kit.retry(schedule=(3.0,)))
    one.farm.connects = True
    one.farm.answers = 451
    run = one.campaign({"a.example": 1})
    one.start()
    one.until(lambda: one.spool.settlements, 10)
    one.disk.fault = OwnFault("the disk is full")
    one.run(60)
    assert one.pause.fault == "the disk is full"
    one.disk.fault = None
    one.farm.answers = 250
    one.until(lambda: run.complete, 20)
    assert [attempt[1:3] for attempt in one.attempts()] == [(1, "deferred"), (2, "delivered")]
    assert one.statuses(run) == {"delivered": 1}


def test_campaigns_that_nobody_sends_here_are_left_alone(world):
    one = world()
    one.farm.obliging()
    one.campaign({"a.example": 2}, "other", run=False)
    mine = one.campaign({"a.example": 2}, "mine")
    one.send(30)
    assert one.statuses(mine) == {"delivered": 2}
    assert len(one.farm.sent) == 2


def test_a_bad_row_costs_itself(world):
    one = world()
    one.farm.obliging()
    one.pool.bad, one.pool.poison = {2}, {3}
    run = one.campaign({"a.example": 20})
    one.send(60)
    assert one.statuses(run) == {"delivered": 18, "invalid": 2}
    assert sorted(number for number, *_ in one.attempts()) == [1, *range(4, 21)]
    assert run.by_category == {"template": 2}
    one.settle_down(5)
    one.check_empty()


def test_rows_come_back_when_no_worker_can_be_started(world):
    one = world()
    one.farm.obliging()
    handle = one.pool.handle
    one.pool.handle = lambda _: (_ for _ in ()).throw(OSError("fork: no memory"))
    run = one.campaign({"a.example": 20})
    one.start()
    one.run(3)
    one.pool.handle = handle
    one.until(lambda: run.complete, 60)
    assert one.statuses(run) == {"delivered": 20}
    assert {attempt[1] for attempt in one.attempts()} == {1}


# routing


def test_a_domain_that_does_not_exist_bounces_each_recipient_with_an_attempt(world):
    one = world()
    one.routes["gone.example"] = RouteFailure(True, "bad-domain", "gone.example does not exist")
    run = one.campaign({"gone.example": 1200})
    one.send(60)
    assert one.statuses(run) == {"bounced": 1200}
    assert {attempt[1:] for attempt in one.attempts()} == {(1, "failed", "bad-domain")}
    assert one.spool.settlements[0].attempt.stage == "dns"
    one.settle_down(5)
    one.check_empty()
    assert one.farm.made == []


def test_a_domain_that_cannot_be_resolved_now_charges_one(world):
    one = world()
    one.routes["odd.example"] = RouteFailure(False, "dns", "SERVFAIL")
    run = one.campaign({"odd.example": 5})
    one.start()
    one.run(30)
    assert [attempt[2:] for attempt in one.attempts()] == [("deferred", "dns")]
    assert one.statuses(run) == {"deferred": 1, "pending": 4}
    assert len(one.spool.given_back) == 4
    del one.routes["odd.example"]
    one.farm.obliging()
    one.until(lambda: run.complete, 700)
    assert one.statuses(run) == {"delivered": 5}


def test_a_dead_resolver_charges_nobody_and_is_asked_again(world):
    one = world()
    one.farm.obliging()
    one.routes["a.example"] = OwnFault("no nameserver answers")
    run = one.campaign({"a.example": 5, "b.example": 5})
    one.start()
    one.run(20)
    assert one.attempts().count((1, 1, "delivered", "")) == 0
    assert one.pause.fault == "no nameserver answers"
    asked = one.routed.count("a.example")
    assert 3 <= asked <= 6
    del one.routes["a.example"]
    one.until(lambda: run.complete, 20)
    assert one.statuses(run) == {"delivered": 10}


def test_a_site_is_routed_afresh_after_its_rest(world):
    one = world()
    old, new = one.site("old.example", "192.0.2.1"), one.site("new.example", "192.0.2.2")
    one.routes["a.example"] = old
    one.farm.obliging()
    one.farm.dead = {"192.0.2.1"}
    run = one.campaign({"a.example": 20})
    one.start()
    one.run(30)
    one.routes["a.example"] = new
    one.until(lambda: run.complete, 1000)
    assert {ip for _, _, ip in one.farm.sent} == {"192.0.2.2"}
    one.settle_down(100)
    one.check_empty()
    assert one.feeder.lanes == {}


def test_a_claim_under_way_while_its_domain_moves_is_counted_where_it_was_made(world):
    one = world()
    one.farm.obliging()
    one.farm.dead = {"192.0.2.1"}
    one.pool.delay = 700.0  # longer than the rest
    one.routes["a.example"] = one.site("old.example", "192.0.2.1")
    run = one.campaign({"a.example": 40})
    one.start()
    one.run(1)
    lane = one.feeder.lanes["old.example"]
    assert lane.held == 8
    one.pool.delay = 0.01
    lane.backlog.fail(one_failure(), one.wall())
    lane.backlog._charge(first_of(lane, one))
    one.routes["a.example"] = one.site("new.example", "192.0.2.2")
    one.until(lambda: run.complete, 3000)
    one.settle_down(200)
    one.check_empty()


def one_failure():
    from bulkmail.mail import Outcome

    return Outcome(Fate.LOST, Stage.CONNECT, note="connection refused", category=Category.CONNECTION)


def first_of(lane, one):
    """A message of the lane that is not with the compose workers."""
    from bulkmail.delivery.message import Message

    queue = next(iter(one.feeder.open_queues.supply_of(lane)))
    got = []
    one.spool.claim(queue.id, 1).addCallback(got.extend)
    one.run(0.1)
    lane.backlog.hold(1, queue.run)
    return Message(got[0], queue.domain, queue.run, lane.backlog)


# stopping


def stopped(one, patience=30.0):
    from twisted.internet.defer import Deferred

    one.feeder.stop()
    one.run(1)
    one.feeder.open_queues.abort()
    done = Deferred.fromCoroutine(one.feeder.emptied(lambda: False))
    one.run(patience)
    assert done.called


def test_stopping_loses_nothing(world):
    one = world()
    one.farm.connects = True
    one.farm.answers = lambda _: None
    run = one.campaign({"a.example": 200, "b.example": 7})
    one.start()
    one.run(0.5)
    assert one.feeder.open_queues.in_flight
    assert one.spool.out
    stopped(one)
    one.check_empty()
    assert one.attempts() == []
    assert one.statuses(run) == {"pending": 207}


def test_a_dot_without_an_answer_is_ambiguous_when_we_stop(world):
    one = world()
    one.farm.connects = True
    one.farm.answers = lambda connection: connection.dot()
    run = one.campaign({"a.example": 5})
    one.start()
    one.run(0.5)
    dots = sum(connection.dotted for connection in one.farm.open)
    assert 0 < dots < one.feeder.open_queues.in_flight  # behind one of them another message is announced
    stopped(one)
    assert [attempt[2] for attempt in one.attempts()] == ["unknown"] * dots
    assert one.statuses(run)["pending"] == 5 - dots
    one.check_empty()


def test_what_is_with_the_compose_workers_comes_back_when_we_stop(world):
    one = world()
    one.pool.delay = 3.0
    one.campaign({"a.example": 200})
    one.start()
    one.run(0.5)
    assert one.spool.out
    stopped(one)
    one.check_empty()


def test_stopped_it_takes_nothing_new(world):
    one = world()
    one.farm.obliging()
    one.campaign({"a.example": 5})
    one.feeder.stop()
    one.start()
    one.run(10)
    assert one.farm.made == []
    assert one.spool.out == set()


def test_waiting_for_what_is_in_hand_ends(world):
    one = world()
    one.pool.delay = 1e6
    one.campaign({"a.example": 5})
    one.start()
    one.run(0.5)
    stopped(one, 60.0)
    assert one.feeder.held


# the law


def act(one, connection, action):
    """One of the things that can happen to a message under way."""
    if connection.current is None:
        return
    if action == "lost":
        connection.lose()
    elif action == "untried":
        connection.lose(Fate.UNTRIED)
    elif action == "silence":
        if connection.dot():
            connection.lose(Fate.UNKNOWN, Stage.DOT)
    elif action == "rcpt":
        connection.answer(550, "5.1.1 no such user", stage=Stage.RCPT)
    elif action == "later":
        connection.answer(451, "4.3.0 later")
    elif action == "421":
        connection.answer(421, "4.7.0 too many messages", stage=Stage.MAIL)
    elif action == "stray":
        connection.answer(250)
        connection.stray = True
        one.clock.callLater(5.0, connection.lose)
    else:
        connection.answer(250)


DEEDS = st.sampled_from(["ok", "ok", "ok", "lost", "untried", "silence", "rcpt", "later", "421", "stray"])
TROUBLE = st.lists(
    st.tuples(
        st.floats(0, 40).map(lambda x: round(x, 2)),
        st.sampled_from(["pause", "disk", "dead", "alive", "deaf", "journal", "hang up", "rows", "dns"]),
        st.integers(0, 4),
    ),
    max_size=10,
)


@settings(
    max_examples=settings.default.max_examples * 6 // 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(DEEDS, min_size=1, max_size=40),
    TROUBLE,
    st.sets(st.integers(1, 60), max_size=3),
    st.sampled_from([5, 12, 300]),
    st.booleans(),
)
def test_every_claimed_row_is_recorded_or_given_back_once_whatever_happens(
    world, kit, actions, trouble, bad, connections, stop
):
    one = world(
        settings=kit.retry(schedule=(2.0, 5.0), expire_after=120.0, unknown_after=3.0, greylist_after=1.0),
        connections=connections,
    )
    one.farm.connects = True
    fates = iter(actions)

    def answers(connection):
        one.clock.callLater(0.1, act, one, connection, next(fates, "ok"))

    one.farm.answers = answers
    one.pool.bad = bad
    one.routes = {f"d{n}.example": one.site(f"s{n % 4}.example", f"192.0.2.{n % 4}", "192.0.2.9") for n in range(6)}
    run = one.campaign({f"d{n}.example": 12 for n in range(6)})

    def happens(kind, n):
        if kind == "pause":
            one.pause.own_fault("no route out")
        elif kind == "disk":
            one.disk.fault = OwnFault("disk full")
            one.clock.callLater(n * 3.0, setattr, one.disk, "fault", None)
        elif kind == "journal":
            one.journal.fault = OwnFault("journal full")
            one.clock.callLater(n * 1.0, setattr, one.journal, "fault", None)
        elif kind == "dead":
            one.farm.dead |= {f"192.0.2.{n}", "192.0.2.9"}
        elif kind == "alive":
            one.farm.dead.clear()
        elif kind == "deaf":
            one.farm.fault = OwnFault("too many open files")
            one.clock.callLater(n * 2.0, setattr, one.farm, "fault", None)
        elif kind == "hang up":
            for connection in one.farm.open:
                connection.lose()
        elif kind == "rows":
            one.feeder.rescan()
        else:
            one.routes[f"d{n}.example"] = RouteFailure(False, "dns", "SERVFAIL")
            one.clock.callLater(10.0, one.routes.pop, f"d{n}.example", None)

    for at, kind, n in trouble:
        one.clock.callLater(at, happens, kind, n)
    one.clock.callLater(45.0, happens, "alive", 0)
    if stop:
        one.start()
        one.run(7.0)
        one.disk.fault = None
        stopped(one)
    else:
        one.send(3000)
        assert sum(one.statuses(run).values()) == 72
        assert one.statuses(run).get("invalid", 0) == len(bad & set(range(1, 73)))
        numbers = {}
        for number, attempt, _, _ in one.attempts():
            assert attempt == numbers.get(number, 0) + 1, "attempts are counted without a hole"
            numbers[number] = attempt
    assert one.spool.out == set()
    assert one.feeder.held == one.feeder.held == 0
    assert all(lane.held == 0 for lane in one.feeder.lanes.values())
    if not stop:
        one.settle_down(150)
        one.check_empty()
        assert one.farm.open == []


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
def test_idle_says_when_nothing_more_can_be_done_now(world, seconds):
    one = world()
    one.farm.connects = True
    one.farm.dead = {one.site("dead.example").hosts[0].addresses[0]}
    one.farm.answers = 451
    one.campaign({"dead.example": 30, "slow.example": 3})
    one.start()
    one.run(seconds)
    one.until(lambda: one.feeder.idle, 30)
    assert one.spool.out == set()
    assert {attempt[2] for attempt in one.attempts()} == {"deferred"}
    assert len(one.attempts()) == 4


def test_an_outage_is_remembered_while_somebody_waits_for_the_site_and_no_longer(world, kit):
    one = world(settings=kit.retry(schedule=(600.0,), expire_after=1500.0))
    one.farm.connects, one.farm.dead = True, {one.site("a.example").hosts[0].addresses[0]}
    run = one.campaign({"a.example": 3})
    one.start()
    one.until(one.attempts)
    began = one.facts.known("a.example", FactKind.OUTAGE, one.wall())
    one.until(lambda: run.complete)
    assert one.statuses(run) == {"expired": 3}
    assert one.wall() < began.since + 1500.0 + 700.0
    one.settle_down(800)
    assert one.feeder.lanes == {}
    assert one.facts.known("a.example", FactKind.OUTAGE, one.wall()) is None
    assert one.facts.take_changes()["a.example", FactKind.OUTAGE] is None


@pytest.mark.parametrize("permanent", [True, False])
def test_a_failed_lookup_took_as_long_as_the_resolver(world, permanent):
    one = world()
    one.route_delay = 3.0
    one.routes["a.example"] = RouteFailure(permanent, "bad-domain" if permanent else "dns", "no such domain")
    one.campaign({"a.example": 600})
    one.start()
    one.run(60)
    took = {settlement.attempt.duration_ms for settlement in one.spool.settlements if settlement.attempt}
    assert took == {3000}
    assert len(one.attempts()) == (600 if permanent else 1)
