from __future__ import annotations

import pytest

from bulkmail.delivery.lane.mx_attempt import MxAttempts
from bulkmail.delivery.lane.quirks import ServerQuirks
from bulkmail.mail import Category, Fate, Outcome, OwnFault, Stage
from bulkmail.routing import MxHost, Site
from bulkmail.smtp import Transaction

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class FakeLane:
    """Hears how an attempt ended."""

    needs_connection = True
    connections = 0

    def __init__(self, one, site):
        self.site, self.limits, self.heard, self.woken = site, one.limiters.limits_of(site), [], []
        self.dispatched = 0
        self.quirks = ServerQuirks(site, 100, one.facts, one.clocks, 3)

    def attempt_connected(self, attempt, connection):
        self.heard.append(("arrived", connection.peer.ip))

    def attempt_failed(self, attempt, outcome):
        self.heard.append(("failed", outcome))

    def attempt_abandoned(self, attempt):
        self.heard.append(("stopped",))

    def wake_at(self, when):
        self.woken.append(when)

    def dispatch(self):
        self.dispatched += 1

    def connection_ready(self, conn):
        self.heard.append(("ready", conn.peer.ip))


@pytest.fixture
def one(world):
    made = world()
    made.connector._rng.shuffle = lambda _: None  # hosts of one preference in their order
    return made


def site(*addresses, provider="", same=False):
    hosts = [MxHost(10 if same else 10 * n, f"mx{n}.example", (ip,)) for n, ip in enumerate(addresses)]
    return Site("site", tuple(hosts), provider, "site")


def attempt_of(one, lane):
    attempts = MxAttempts(connector=one.connector, limiters=one.limiters, pause=one.pause, sources=one.sources)
    return attempts.new(lane, lane.site, listener=lane, limits=lane.limits, quirks=lane.quirks)


def walking(one, where):
    lane = FakeLane(one, where)
    walk = attempt_of(one, lane)
    walk.start()
    return lane, walk


def ips(one):
    return [connection.peer.ip for connection in one.farm.made]


def address(one, ip):
    return one.limiters.of_address(ip, "", one.clocks.now()).limiter


def test_the_first_that_is_ready_goes_to_the_lane(one):
    lane, _ = walking(one, site(A, B))
    connection = one.farm.made[0]
    connection.greet()
    assert lane.heard == [("arrived", A)]
    assert connection.listener is lane
    assert ips(one) == [A]
    assert address(one, A).open == 1
    assert connection.options["timeouts"].connect == 5.0, "brisk: there is another host"


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.GREETING, Stage.EHLO])
def test_the_next_address_is_tried_in_order_of_preference(one, stage):
    lane, _ = walking(one, site(A, B, C))
    one.farm.made[0].close(stage, None, "no", Category.CONNECTION)
    one.farm.made[1].close(stage, None, "no", Category.CONNECTION)
    assert ips(one) == [A, B, C]
    assert one.farm.made[2].options["timeouts"].connect == 30.0, "patient: the last hope"
    one.farm.made[2].greet()
    assert lane.heard == [("arrived", C)]
    assert (address(one, A).open, address(one, B).open, address(one, C).open) == (0, 0, 1)


def test_at_most_five_addresses(one):
    lane, _ = walking(one, site(*(f"192.0.2.{n}" for n in range(1, 9))))
    for n in range(5):
        one.farm.made[n].close(Stage.CONNECT, None, f"refused {n}", Category.CONNECTION)
    assert len(one.farm.made) == 5
    assert one.farm.made[4].options["timeouts"].connect == 30.0, "patient: no other is tried in this walk"
    ((what, outcome),) = lane.heard
    assert what == "failed"
    assert (outcome.note, outcome.stage, outcome.peer.ip) == ("refused 4", Stage.CONNECT, "192.0.2.5")


class Versions:
    """Which IP versions the machine sends over."""

    mode, preferred = "prefer-v4", 4

    def __init__(self, *usable):
        self.now_usable = frozenset(usable)

    def usable(self):
        return self.now_usable


def refused(one):
    one.farm.made[-1].close(Stage.CONNECT, None, "connection timed out", Category.CONNECTION)


def patience(one):
    return [connection.options["timeouts"].connect for connection in one.farm.made]


def test_an_ipv6_address_gets_little_patience_while_another_is_left(world):
    one = world(families=Versions(4, 6))
    lane, _ = walking(one, site(A, "2a00::1", B, "2a00::2"))
    for _ in range(4):
        refused(one)
    assert ips(one) == [A, "2a00::1", B, "2a00::2"]
    assert patience(one) == [5.0, 2.0, 5.0, 30.0]
    assert lane.heard[0][1].note == "connection timed out"


def test_an_ip_version_that_leads_nowhere_costs_a_few_attempts_little_and_then_nothing(world):
    one = world(families=Versions(4, 6))
    one.connector._families.preferred = 6
    for n in range(3):
        lane, _ = walking(one, site(f"192.0.2.{n}", f"2a00::{n}", same=True))
        refused(one)
        one.farm.made[-1].greet()
        assert lane.heard == [("arrived", f"192.0.2.{n}")]
    assert patience(one)[::2] == [2.0] * 3
    walking(one, site("192.0.2.9", "2a00::9", same=True))
    assert ips(one)[6:] == ["192.0.2.9"]
    lane, _ = walking(one, site("2a00::99"))
    assert patience(one)[-1] == 2.0, "its last hope, and yet not worth half a minute"
    one.farm.made[-1].greet()
    assert lane.heard == [("arrived", "2a00::99")]
    walking(one, site("192.0.2.10", "2a00::10", same=True))
    assert ips(one)[-1] == "2a00::10", "it works again"


def test_a_host_of_the_other_ip_version_waits_and_is_told_so(world):
    one = world(families=Versions(4))
    lane, _ = walking(one, site("2a00::1", "2a00::2"))
    ((what, outcome),) = lane.heard
    assert (what, one.farm.made, outcome.permanent) == ("failed", [], False)
    assert (outcome.category, outcome.stage) == (Category.ROUTING, Stage.DNS)
    assert outcome.note == "its hosts have no address of the IP versions that this machine sends over"


def attempt(one, where, works):
    """One walk, at the end of which only the address ``works`` answers: whether it came to it."""
    lane, _ = walking(one, where)
    while not lane.heard:
        connection = one.farm.made[-1]
        if connection.peer.ip == works:
            connection.greet()
        else:
            connection.close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    one.clock.advance(600.0)
    return lane.heard == [("arrived", works)]


def test_a_host_with_twelve_addresses_of_which_one_works_is_reached_by_repeated_attempts(one):
    addresses = tuple(f"192.0.2.{n}" for n in range(1, 13))
    where = Site("site", (MxHost(10, "mx.example", addresses),), "", "site")
    assert [attempt(one, where, addresses[-1]) for _ in range(3)] == [False, False, True]
    assert set(ips(one)) == set(addresses)
    assert len(one.farm.made) <= 15


def test_a_better_host_with_five_dead_addresses_does_not_hide_the_worse_one(one):
    better = MxHost(10, "mx1.example", tuple(f"192.0.2.{n}" for n in range(1, 6)))
    where = Site("site", (better, MxHost(20, "mx2.example", ("192.0.2.9",))), "", "site")
    assert [attempt(one, where, "192.0.2.9") for _ in range(2)] == [False, True]


def test_a_421_before_mail_leads_to_the_next_and_is_no_death(one, kit):
    walking(one, site(A, B))
    answer = kit.reply(421, "4.7.0 too many connections from your address")
    one.farm.made[0].close(Stage.GREETING, answer, "refused")
    assert ips(one) == [A, B]
    assert one.connector.hosts().dead_until(A, 0.0) is None, "it asked for fewer connections; it is not dead"


def test_the_dead_are_remembered_and_tried_last(one):
    walking(one, site(A, B))
    one.farm.made[0].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    one.farm.made[1].greet()
    one.clock.advance(1.0)
    walking(one, site(A, B))
    assert ips(one) == [A, B, B]
    one.farm.made[2].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    one.farm.made[3].greet()
    assert ips(one)[3] == A, "never locked out"
    assert one.connector.hosts().dead_until(A, 0.0) is None, "it worked"


def test_broken_tls_is_tried_once_in_clear_at_the_same_address(one):
    lane, _ = walking(one, site(A, B))
    assert one.farm.made[0].options["session_options"].tls == "opportunistic"
    one.clock.advance(1.0)
    one.farm.made[0].close(Stage.STARTTLS, None, "handshake failed", Category.TLS, tls_failed=True)
    assert ips(one) == [A, A]
    assert one.farm.made[1].options["session_options"].tls == "off"
    one.farm.made[1].close(Stage.STARTTLS, None, "odd", Category.TLS, tls_failed=True)
    assert ips(one) == [A, A, B]
    assert one.farm.made[2].options["session_options"].tls == "opportunistic"
    one.farm.made[2].greet()
    assert lane.heard == [("arrived", B)]


def test_a_resumed_handshake_that_fails_is_tried_once_more_under_tls(one):
    """A session that the server does not like must not lead into the clear."""
    walking(one, site(A))
    one.farm.made[0].resuming = True
    one.clock.advance(1.0)
    one.farm.made[0].close(Stage.STARTTLS, None, "bad session", Category.TLS, tls_failed=True)
    one.clock.advance(1.0)
    one.farm.made[1].close(Stage.STARTTLS, None, "handshake failed", Category.TLS, tls_failed=True)
    modes = [connection.options["session_options"].tls for connection in one.farm.made]
    assert (ips(one), modes) == ([A, A, A], ["opportunistic", "opportunistic", "off"])


def unanswered(one, index, *, small=True):
    one.clock.advance(5.0)
    one.farm.made[index].wants_small_hello = small
    one.farm.made[index].close(Stage.STARTTLS, None, "no TLS handshake within 5 s", Category.TLS, tls_failed=True)


@pytest.mark.parametrize("tls", ["opportunistic", "required", "verify"])
def test_a_large_hello_that_is_not_answered_is_followed_by_a_small_one_at_the_same_address(world, tls):
    one = world(providers={"strict": {"mx": [".strict.example"], "tls": tls}})
    lane, _ = walking(one, site(A, B, provider="strict"))
    unanswered(one, 0)
    one.farm.made[1].greet()
    walking(one, site(A, provider="strict"))
    said = [(conn.peer.ip, conn.options["session_options"]) for conn in one.farm.made]
    assert [(ip, options.tls, options.small_hello) for ip, options in said] == [
        (A, tls, False), (A, tls, True), (A, tls, True),
    ]  # fmt: skip
    assert lane.heard == [("arrived", A)]
    assert one.connector.hosts().dead_until(A, one.clocks.now()) is None, "it is not dead"


def test_where_the_small_hello_fails_too_it_goes_on_as_after_any_failed_handshake(one):
    walking(one, site(A, B))
    unanswered(one, 0)
    unanswered(one, 1, small=False)
    said = [(conn.peer.ip, conn.options["session_options"].tls) for conn in one.farm.made]
    assert said == [(A, "opportunistic"), (A, "opportunistic"), (A, "off")]
    assert not one.farm.made[2].options["session_options"].small_hello, "it was no cure"


def test_where_tls_is_required_and_no_hello_is_answered_the_next_address_is_tried(world):
    one = world(providers={"strict": {"mx": [".strict.example"], "tls": "required"}})
    walking(one, site(A, B, provider="strict"))
    unanswered(one, 0)
    unanswered(one, 1, small=False)
    said = [(conn.peer.ip, conn.options["session_options"].small_hello) for conn in one.farm.made]
    assert said == [(A, False), (A, True), (B, False)]


def test_in_clear_is_for_the_address_whose_tls_is_broken_and_for_no_other(one):
    """Where that address may not be connected to again just now, the walk goes on: under TLS."""
    walking(one, site(A, B, same=True))
    one.farm.made[0].close(Stage.STARTTLS, None, "handshake failed", Category.TLS, tls_failed=True)
    assert ips(one) == [A, B]
    assert one.farm.made[1].options["session_options"].tls == "opportunistic"


def test_in_clear_ends_with_the_address_that_is_found_dead_meanwhile(one):
    """Its TLS is broken, another walk found it dead, and a full one was passed over: the next one is under TLS."""
    full(one, A)
    _, walk = walking(one, site(A, B, C, same=True))
    one.connector.hosts().failed(B, one.clocks.now())
    one.farm.made[0].close(Stage.STARTTLS, None, "handshake failed", Category.TLS, tls_failed=True)
    assert ips(one) == [B, C]
    assert one.farm.made[1].options["session_options"].tls == "opportunistic"
    assert walk.full


def test_where_tls_is_required_nothing_goes_in_clear(world):
    one = world(providers={"strict": {"mx": [".strict.example"], "tls": "required"}})
    walking(one, site(A, B, provider="strict"))
    one.farm.made[0].close(Stage.STARTTLS, None, "handshake failed", Category.TLS, tls_failed=True)
    assert ips(one) == [A, B]
    assert {connection.options["session_options"].tls for connection in one.farm.made} == {"required"}


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_fault_of_our_own_ends_the_walk_and_charges_nobody(one, when):
    if when == "at once":
        one.farm.fault = OwnFault("too many open files")
    lane, _ = walking(one, site(A, B))
    if when == "later":
        one.farm.made[0].close(Stage.CONNECT, None, "too many open files", own_fault=True)
    assert lane.heard == [("stopped",)]
    assert (one.pause.paused, one.pause.fault) == (True, "too many open files")
    assert address(one, A).open == 0
    assert one.connector.hosts().dead_until(A, 0.0) is None


def test_stopped_it_gives_up(one):
    lane, walk = walking(one, site(A, B))
    walk.stop()
    assert lane.heard == [("stopped",)]
    assert ips(one) == [A]
    assert address(one, A).open == 0


def full(one, ip):
    limiter = one.limiters.of_address(ip, "", one.clocks.now())
    while limiter.limiter.open < limiter.limiter.connections:
        limiter.limiter.opened(one.clocks.now())
    return limiter


def test_an_address_that_others_hold_is_passed_over(one):
    full(one, A)
    lane, _ = walking(one, site(A, B, same=True))
    assert ips(one) == [B]
    assert lane.heard == []


def test_a_worse_preference_waits_while_the_better_host_only_has_no_place(one):
    taken = full(one, A)
    lane, walk = walking(one, site(A, B))
    assert (ips(one), lane.heard) == ([], [("stopped",)])
    assert walk.full == [taken]


def test_a_worse_preference_waits_while_the_better_host_may_only_not_be_connected_to_just_now(one):
    address(one, A).opened(0.0)
    lane, walk = walking(one, site(A, B))
    assert (ips(one), lane.heard) == ([], [("stopped",)])
    assert walk.again_at == pytest.approx(0.6)
    one.clock.advance(0.6)
    walking(one, site(A, B))
    assert ips(one) == [A]


def test_one_dead_host_of_two_does_not_lead_to_a_worse_preference_while_the_other_only_has_no_place(one):
    hosts = [(10, A), (10, B), (20, C)]
    where = Site("site", tuple(MxHost(rank, f"mx.{ip}", (ip,)) for rank, ip in hosts), "", "site")
    taken = full(one, B)
    lane, walk = walking(one, where)
    one.farm.made[0].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    assert (ips(one), lane.heard, walk.full) == ([A], [("stopped",)], [taken])


def test_a_worse_preference_is_tried_where_the_better_host_is_remembered_dead_whatever_its_places(one):
    full(one, A)
    one.connector.hosts().failed(A, one.clocks.now())
    walking(one, site(A, B))
    assert ips(one) == [B]


@pytest.mark.parametrize("connections", [0, 3])
def test_too_many_connections_lead_to_a_worse_preference_only_where_the_lane_has_none(one, kit, connections):
    lane = FakeLane(one, site(A, B))
    lane.connections = connections
    attempt_of(one, lane).start()
    one.farm.made[0].close(Stage.GREETING, kit.reply(421, "4.7.0 too many connections from your IP"), "refused")
    if connections:
        ((what, outcome),) = lane.heard
        assert (ips(one), what, outcome.reply.code) == ([A], "failed", 421)
    else:
        assert ips(one) == [A, B]


def test_addresses_without_a_place_do_not_count_among_the_five(one):
    addresses = [f"192.0.2.{n}" for n in range(1, 12)]
    for ip in addresses[:6]:
        full(one, ip)
    lane, _ = walking(one, site(*addresses, same=True))
    for n in range(4):
        one.farm.made[n].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    one.farm.made[4].greet()
    assert lane.heard == [("arrived", addresses[10])]


def test_where_all_is_taken_it_steps_back_and_tells_of_all(one):
    taken = [full(one, A), full(one, B)]
    lane, walk = walking(one, site(A, B, same=True))
    assert (ips(one), lane.heard) == ([], [("stopped",)])
    assert walk.full == taken


def test_a_walk_that_passed_one_over_has_not_failed(one):
    """The other host is dead: that says nothing of the one that only has no place just now."""
    taken = full(one, A)
    lane, walk = walking(one, site(A, B, same=True))
    one.farm.made[0].close(Stage.CONNECT, None, "connection refused", Category.CONNECTION)
    assert (ips(one), lane.heard, walk.full) == ([B], [("stopped",)], [taken])
    one.clock.advance(1.0)
    lane, walk = walking(one, site(A, B, same=True))
    assert (ips(one), lane.heard, walk.full) == ([B], [("stopped",)], [taken]), "known to be dead, and left alone"


def test_a_living_host_behind_a_dead_one_is_tried_all_the_same(one):
    """The walk was planned before the second one was found to be dead."""
    full(one, A)
    lane = FakeLane(one, site(A, B, C, same=True))
    walk = attempt_of(one, lane)
    one.connector.hosts().failed(B, one.clocks.now())
    walk.start()
    assert ips(one) == [C]


def test_where_the_address_must_rest_it_comes_again_in_time(one):
    limiter = one.limiters.of_address(A, "", 0.0)
    limiter.limiter.opened(0.0)
    lane, walk = walking(one, site(A))
    assert (ips(one), lane.heard) == ([], [("stopped",)])
    assert walk.again_at == pytest.approx(0.6)


def test_a_site_without_a_single_address_fails_as_one(one):
    lane, _ = walking(one, Site("empty", (), "", "empty"))
    ((what, outcome),) = lane.heard
    assert what == "failed"
    assert (outcome.fate, outcome.category) == (Fate.LOST, Category.ROUTING)
    assert isinstance(outcome, Outcome)


def test_no_message_is_heard_of_before_the_lane_has_the_connection(one):
    _, walk = walking(one, site(A))
    connection, transaction = one.farm.made[0], Transaction("", ("a@b.example",), b"")
    with pytest.raises(AssertionError):
        walk.about_to_dot(connection, transaction)
    with pytest.raises(AssertionError):
        walk.settled(connection, transaction, 0, None, connection.peer)
    with pytest.raises(AssertionError):
        walk.transaction_over(connection, transaction)


def test_what_became_of_each_address_is_remembered(one):
    walking(one, site(A, B, provider="google"))
    one.farm.made[0].close(Stage.CONNECT, None, "no answer", Category.CONNECTION)
    one.farm.made[1].greet()
    works, fails = one.connector.met.of("google", 10)
    assert (works.host, works.ip, works.failed_at) == ("mx1.example", B, None)
    assert (fails.host, fails.ip, fails.why) == ("mx0.example", A, "no answer")
    assert fails.until == one.clocks.wall() + 60
