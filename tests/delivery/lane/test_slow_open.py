"""When a lane opens another connection."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.mail import Category, Rate, Stage


def dead(one, domain="a.example"):
    one.farm.dead = {ip for host in one.site(domain).hosts for ip in host.addresses}


def refuse(one, kit, while_):
    """Every connection asked for ``while_`` that holds is greeted with 421."""
    connect = one.farm.connect

    def refuses(*args, **kwargs):
        connection = connect(*args, **kwargs)
        if while_():
            answer = kit.reply(421, "Too many concurrent SMTP connections from this IP address")
            one.clock.callLater(one.farm.rtt / 2, connection.close, Stage.GREETING, answer, "refused: 421")
        return connection

    one.farm.connect = refuses


def test_connections_are_opened_one_by_one_as_the_first_ones_work(world, fast):
    one = world(settings=fast())
    one.farm.connects = True
    one.farm.answers = lambda _: None
    one.campaign({"a.example": 100})
    one.start()
    one.run(0.02)
    assert len(one.farm.made) == 1
    one.run(5)
    assert 3 <= len(one.farm.made) <= 10


def test_three_messages_go_over_one_connection_where_that_is_quick(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.campaign({"a.example": 1}, "first")
    one.send(1)
    run = one.campaign({"a.example": 3})
    one.send(60)
    assert one.statuses(run) == {"delivered": 3}
    assert len(one.farm.made) == 1


def test_three_messages_to_an_unknown_server_are_not_all_on_one_connection(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    run = one.campaign({"a.example": 3})
    one.send(60)
    assert one.statuses(run) == {"delivered": 3}
    assert len(one.farm.made) == 2


def test_three_messages_to_a_slow_server_need_not_wait_for_each_other(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.farm.answers = lambda connection: one.clock.callLater(60.0, connection.answer, 250)
    run = one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: run.complete, 70)
    assert len(one.farm.made) == 3


def greets_late(one, seconds):
    """Servers that take their time to greet, and answer a message in 2 ms."""
    one.farm.rtt = seconds
    one.farm.connects, one.farm.answers = True, lambda connection: one.clock.callLater(0.002, connection.answer, 250)


def test_connections_that_carry_few_messages_and_open_slowly_are_opened_side_by_side(world, fast):
    """As many as are open may be opened besides; here they are open for a tenth of the time that opening one takes."""
    one = world(settings=fast(connections=20, messages_per_connection=10, connection_rate=Rate(10_000, 1.0, 100)))
    greets_late(one, 0.2)
    run = one.campaign({"a.example": 2000})
    one.start()
    one.until(lambda: run.complete, 30)
    assert one.farm.most == 20
    assert one.clock.seconds() < 6, "20 connections at once need 2.2 s, two need 20"
    assert len(one.farm.made) < 220


def test_after_one_that_failed_connections_are_opened_one_by_one_again(world, fast):
    one = world(settings=fast(connections=20, messages_per_connection=10, connection_rate=Rate(10_000, 1.0, 100)))
    greets_late(one, 0.2)
    run = one.campaign({"a.example": 2000})
    one.start()
    one.until(lambda: len(one.farm.open) == 20, 30)
    working = list(one.farm.open)
    dead(one)
    one.until(lambda: all(connection.closed for connection in working), 30)
    one.run(2)
    one.farm.dead = set()
    before = len(one.farm.made)
    one.until(lambda: len(one.farm.made) > before, 3600)
    one.run(0.1)
    assert len(one.farm.made) == before + 1
    one.until(lambda: run.complete, 3600)
    assert one.statuses(run) == {"delivered": 2000}


def test_the_whole_process_has_its_limit(world, fast):
    one = world(settings=fast(), connections=4)
    one.farm.obliging()
    run = one.campaign({f"d{n}.example": 5 for n in range(40)})
    one.send(60)
    assert one.statuses(run) == {"delivered": 200}
    assert one.farm.most == 4


def test_who_waits_for_a_full_address_is_told_and_does_not_ask_for_each_message(world, fast):
    """Twenty sites at two addresses that take one connection each: a place at either is taken as soon as it is free."""
    one = world(settings=fast(connections=1))
    one.farm.obliging()
    one.disk.delay, one.pool.delay = 0.01, 0.05
    one.routes = {f"d{n}.example": one.site(f"s{n}.example", "192.0.2.1", "192.0.2.2", same=True) for n in range(20)}
    planned = []
    plan = one.connector.plan
    one.connector.plan = lambda site, source: planned.append(site) or plan(site, source)
    run = one.campaign(dict.fromkeys(one.routes, 50))
    one.send(600)
    assert one.statuses(run) == {"delivered": 1000}
    assert len(one.farm.made) == 20
    busy = sum(count * 0.05 for count in (50, 1, 1)) * 20 / 2  # messages, opening, closing
    assert one.clock.seconds() < 1.3 * busy
    assert len(planned) < 20 + 20 * one.clock.seconds() / 2, "at most one look a second of those who wait"
    one.settle_down()
    one.check_empty()


def test_an_address_that_only_has_no_place_is_waited_for_where_the_other_one_is_dead(world, fast):
    one = world(settings=fast(connections=1))
    one.farm.obliging()
    one.farm.dead = {"192.0.2.2"}
    one.routes = {f"d{n}.example": one.site(f"s{n}.example", "192.0.2.1", "192.0.2.2") for n in range(20)}
    run = one.campaign(dict.fromkeys(one.routes, 5))
    one.send(60)
    assert one.statuses(run) == {"delivered": 100}
    assert {number for _, number, *_ in one.attempts()} == {1}, "nobody is charged with the dead one"
    assert [ip for _, ip in one.farm.connected].count("192.0.2.2") <= 2
    one.settle_down()
    one.check_empty()


def test_a_place_that_came_free_while_another_host_took_its_time_is_used(world, kit):
    """Its limiter is even forgotten by then: nobody would tell of a place there."""
    one = world(settings=kit.retry())
    one.farm.obliging()
    held = one.limiters.of_address("192.0.2.1", "", 0.0)
    for _ in range(held.limiter.connections):
        held.limiter.opened(0.0)
    one.routes = {"a.example": one.site("a.example", "192.0.2.1", "192.0.2.2", same=True)}
    connect = one.farm.connect

    def black_hole(reactor, peer, *args, **options):
        one.farm.connects = peer.ip != "192.0.2.2"
        made = connect(reactor, peer, *args, **options)
        if peer.ip == "192.0.2.2":
            one.clock.callLater(30.0, made.close, Stage.CONNECT, None, "timed out", Category.CONNECTION)
        return made

    one.farm.connect = black_hole
    run = one.campaign({"a.example": 5})
    one.start()
    one.until(lambda: one.clock.seconds() > 2.0)
    while held.limiter.open:
        held.closed(0.0)
    one.until(lambda: run.complete, 60)
    assert one.limiters.of_address("192.0.2.1", "", one.clock.seconds()) is not held
    assert one.statuses(run) == {"delivered": 5}
    assert {number for _, number, *_ in one.attempts()} == {1}


def test_an_address_that_may_be_connected_to_again_is_not_forgotten_over_a_full_one(world, fast):
    """One has no place for a minute, the other takes one connection every two seconds."""
    one = world(settings=fast(connections=1, connection_rate=Rate(30, 60.0, 1), messages_per_connection=1))
    one.farm.obliging()
    held = one.limiters.of_address("192.0.2.1", "", 0.0)
    held.limiter.opened(0.0)
    one.routes = {"a.example": one.site("a.example", "192.0.2.1", "192.0.2.2", same=True)}
    run = one.campaign({"a.example": 5})
    one.send(15)
    assert one.statuses(run) == {"delivered": 5}


def test_a_worse_host_is_never_used_while_the_better_one_only_has_to_wait(world, fast):
    """Twenty sites whose better host is at one address, where they share its slots and its pace."""
    one = world(settings=fast(connections=3, connection_rate=Rate(100, 60.0, 2), messages_per_connection=3))
    one.farm.obliging()
    one.routes = {f"d{n}.example": one.site(f"s{n}.example", "192.0.2.1", f"192.0.2.{n + 100}") for n in range(20)}
    run = one.campaign(dict.fromkeys(one.routes, 7))
    one.send(600)
    assert one.statuses(run) == {"delivered": 140}
    assert {ip for _, ip in one.farm.connected} == {"192.0.2.1"}
    one.settle_down()
    one.check_empty()


STREETS = st.fixed_dictionaries({
    "connections": st.sampled_from([1, 2, 10]),
    "in all": st.sampled_from([1, 3, 2000]),
    "messages": st.sampled_from([1, 20, 100]),
    "idle": st.sampled_from([2.0, 60.0]),
    "connecting": st.sampled_from([Rate(100_000, 1.0, 1000), Rate(600, 60.0, 5)]),
    "rate": st.sampled_from([Rate(100_000, 1.0, 100_000), Rate(10, 1.0, 3)]),
    "rtt": st.sampled_from([0.001, 0.3]),
    "disk": st.sampled_from([0.0, 0.1]),
    "templates": st.sampled_from([0.001, 0.05, 1.5]),
    "chunks": st.booleans(),
    "follows": st.booleans(),
    "dead": st.sets(st.integers(1, 4)),
    "sites": st.sampled_from([2, 10, 60]),
    "rows": st.sampled_from([1, 3, 12]),
    "rng": st.randoms(use_true_random=False),
})  # fmt: skip


@settings(
    max_examples=settings.default.max_examples * 2 // 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(street=STREETS)
def test_whatever_is_scarce_everybody_is_served_and_nobody_waits_for_nothing(world, fast, street):
    one = world(
        settings=fast(
            connections=street["connections"],
            messages_per_connection=street["messages"],
            idle=street["idle"],
            connection_rate=street["connecting"],
            rate=street["rate"],
        ),
        connections=street["in all"],
        providers={"big": {"mx": [".big.example"], "connections": 2}},
    )
    one.farm.obliging()
    one.farm.rtt, one.disk.delay, one.pool.delay = street["rtt"], street["disk"], street["templates"]
    one.farm.chunks, one.farm.follows = street["chunks"], street["follows"]
    one.farm.dead = {f"192.0.2.{n}" for n in street["dead"]}
    for n in range(street["sites"]):
        ips = [f"192.0.2.{address}" for address in street["rng"].sample(range(5), street["rng"].randint(1, 3))]
        if one.farm.dead.issuperset(ips):
            ips.append("192.0.2.0")
        one.routes[f"d{n}.example"] = one.site(
            f"s{n}.example", *ips, provider=street["rng"].choice(["", "big"]), same=street["rng"].choice([True, False])
        )
    run = one.campaign(dict.fromkeys(one.routes, street["rows"]))
    one.start()
    last = [0.0, 0]

    def done():
        settled = len(one.spool.settlements)
        if settled > last[1]:
            last[:] = one.clock.seconds(), settled
        assert one.clock.seconds() < last[0] + 10.0
        return run.complete

    one.until(done)
    assert {number for _, number, *_ in one.attempts()} == {1}, "each site has a host that works"
    one.settle_down(80)
    one.check_empty()


def test_the_rate_of_connecting_is_honoured(world, fast):
    one = world(settings=fast(connection_rate=Rate(60, 60.0, 1), messages_per_connection=1))
    one.farm.obliging()
    run = one.campaign({"a.example": 10})
    one.send(60)
    assert one.statuses(run) == {"delivered": 10}
    times = [at for at, _ in one.farm.connected]
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.99


def test_one_more_connection_refused_beside_working_ones_is_a_limit_and_no_outage(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.farm.answers = lambda connection: one.clock.callLater(1.0, connection.answer, 250)
    run = one.campaign({"a.example": 40})
    one.start()
    one.until(lambda: one.farm.sent, 5)
    dead(one)
    one.until(lambda: run.complete, 200)
    assert one.statuses(run) == {"delivered": 40}
    assert {attempt[1] for attempt in one.attempts()} == {1}
    assert len(one.farm.made) <= 8


def test_a_server_that_counts_a_connection_for_longer_than_it_lasts_is_asked_again_soon(world, fast, kit):
    one = world(settings=fast(connections=1, messages_per_connection=3))
    one.farm.obliging()
    run = one.campaign({"a.example": 9})
    refused_until = [0.0]

    def busy():
        if len(one.farm.sent) == 3 and not refused_until[0]:
            refused_until[0] = one.clock.seconds() + 5
        return one.clock.seconds() < refused_until[0]

    refuse(one, kit, busy)
    one.start()
    one.until(lambda: run.complete, 30)
    assert one.statuses(run) == {"delivered": 9}
    assert {attempt[1:3] for attempt in one.attempts()} == {(1, "delivered")}
    assert len(one.farm.made) == 3 + 3, "three that worked; refused at once, after 1 s and after 3 s, not after 7 s"


def test_one_that_refuses_for_a_minute_after_the_last_connection_is_an_outage(world, fast, kit):
    one = world(settings=fast(connections=1, messages_per_connection=3))
    one.farm.obliging()
    one.campaign({"a.example": 9})
    refuse(one, kit, lambda: len(one.farm.sent) >= 3)
    one.start()
    one.run(50)
    assert len(one.attempts()) == 3
    one.run(50)
    assert [attempt[2] for attempt in one.attempts()].count("deferred") == 1
    assert one.spool.settlements[-1].attempt.smtp_code == 421


def test_one_that_cannot_be_reached_after_the_last_connection_is_an_outage_at_once(world, fast):
    one = world(settings=fast(connections=1, messages_per_connection=3))
    one.farm.obliging()
    one.campaign({"a.example": 9})
    one.start()
    one.until(lambda: one.farm.sent, 5)
    dead(one)
    one.run(5)
    assert [attempt[2] for attempt in one.attempts()].count("deferred") == 1


def test_servers_that_are_silent_hold_half_of_the_places_at_most(world, fast):
    """The good sites have theirs, however many others hold on to what they got until their deadline."""
    one = world(settings=fast(connections=1, messages_per_connection=1), connections=8)
    one.farm.connects = True
    good = {f"mx1.g{n}.example" for n in range(4)}
    stuck = []

    def answer(connection):
        if connection.peer.host in good:
            one.clock.callLater(0.05, connection.answer, 250)
            stuck.append(sum(other.peer.host not in good for other in one.farm.open))
        else:
            one.clock.callLater(20.0, connection.lose)

    one.farm.answers = answer
    one.campaign({f"bad{n}.example": 2 for n in range(20)} | {f"g{n}.example": 100 for n in range(4)})
    one.start()
    one.until(lambda: len(stuck) == 400, 300)
    assert max(stuck) == 4
    assert one.limiters.total.unproven.open <= 4


def test_a_server_that_takes_four_connections_gets_four_and_nobody_is_charged(world, fast, kit):
    """Those that are refused say so: as many are used as work, and what ends is replaced at once."""
    one = world(settings=fast(messages_per_connection=20))
    one.farm.obliging()
    one.farm.answers = lambda connection: one.clock.callLater(0.5, connection.answer, 250)
    run = one.campaign({"a.example": 600})
    refuse(one, kit, lambda: len(one.farm.open) > 4)
    one.start()
    one.until(lambda: run.complete, 600)
    assert one.statuses(run) == {"delivered": 600}
    assert {number for _, number, *_ in one.attempts()} == {1}
    ((_, shared),) = one.limiters._sites.items()
    assert shared.limiter.connections == 4
