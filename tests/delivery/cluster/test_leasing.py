"""One machine among several: the others are a table of who holds what, and the test's word on who ought to."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.cluster import leasing as module
from bulkmail.delivery.cluster.leasing import Leasing, reread_facts
from bulkmail.delivery.limits.limiters import address_key
from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.mail import OwnFault, Rate
from bulkmail.routing import RouteFailure
from bulkmail.shaping import FactKind, learn
from bulkmail.spool.postgres.leases import Lease


class Table:
    """The leases of one machine, ``me``, and who else has which."""

    def __init__(self, clock):
        self.clock = clock
        self.holder = {}  # (key, number of the share) -> who
        self.not_ours = set()  # keys that another machine is preferred for
        self.part = {}  # key -> how many of its shares this machine ought to have
        self.before = set()  # shares that somebody has had before
        self.held = {}
        self.members = (1, 2)
        self.over = False
        self.fault = None
        self.asked = []
        self.gone = []
        self.valid = True
        self.on_members = self.on_heard = None
        self.unsettled = lambda: 0

    def ought(self, key, shares):
        return 0 if key in self.not_ours else self.part.get(key, shares)

    def take(self, key, most=1, shares=1, also=()):
        answer = Deferred()
        self.asked.append(key)
        self.clock.callLater(0.001, self._answer, {key: (most, shares)} | dict.fromkeys(also, (1, 1)), answer)
        return answer

    def _answer(self, wanted, answer):
        if self.fault is not None:
            answer.errback(self.fault)
            return
        got = {}
        for key, (most, shares) in wanted.items():
            mine = [(key, n) for n in range(1, shares + 1) if self.holder.get((key, n)) == "me"]
            free = [(key, n) for n in range(1, shares + 1) if (key, n) not in self.holder]
            got[key] = mine + free[: max(0, most - len(mine))]
        complete = all(got.values())
        for key, taken in got.items():
            if taken and (complete or key in self.held):
                self.holder |= dict.fromkeys(taken, "me")
                lease = self.held.setdefault(key, Lease(frozenset(), wanted[key][1], bool(self.before & {*taken})))
                lease.numbers |= {number for _, number in taken}
        answer.callback(complete)

    def let_go(self, keys):
        return self.let_shares_go({key: self.held[key].numbers for key in keys})

    def let_shares_go(self, gone):
        done = Deferred()
        assert not self.unsettled(), "what went back is not in the spool yet, and nobody would look again"
        for key, numbers in gone.items():
            for number in numbers:
                assert self.holder.pop((key, number)) == "me"
                self.before.add((key, number))
            self.held[key].numbers -= numbers
            if not self.held[key].numbers:
                del self.held[key]
                self.gone.append(key)
        self.clock.callLater(0.001, done.callback, None)
        return done


class Scene:
    def __init__(self, world, **more):
        self.one = world(**more)
        self.one.farm.obliging()
        self.states = []
        self.facts = []
        self.news = []
        self.table = Table(self.one.clock)
        self.table.unsettled = lambda: self.one.spool.unsettled
        self.sharing = Leasing(
            leases=self.table,
            feeder=self.one.feeder,
            clocks=self.one.clocks,
            limiters=self.one.limiters,
            states=lambda: self.states.append(1),
            facts=lambda: self.facts.append(1),
            news_of=self.news_of,
            flushed=self.one.spool.flushed,
        )

    def address(self, name):
        """The key of the address behind a site: what decides whose it ought to be."""
        site = self.one.routes.get(name) or self.one.site(name)
        return address_key(min(ip for host in site.hosts for ip in host.addresses))

    def others(self, *names):
        """These sites ought to be another machine's."""
        self.table.not_ours = {self.address(name) for name in names}

    def another_has(self, *keys):
        self.table.holder |= {(key, 1): "another" for key in keys}

    def another_lets_go(self, *keys):
        for key in keys:
            assert self.table.holder.pop((key, 1)) == "another"
            self.table.before.add((key, 1))

    def members(self, count):
        """A machine has come or gone."""
        self.table.members = tuple(range(1, count + 1))
        self.table.on_members()

    def news_of(self, keys):
        self.news.append(set(keys))
        answer = Deferred()
        self.one.clock.callLater(0.001, answer.callback, None)
        return answer

    def seconds(self, count):
        for _ in range(count):
            self.one.run(1.0)
            self.one.feeder.tidy()
            self.sharing.look()

    def sent_to(self):
        sent = {identity for identity, _, _ in self.one.farm.sent}
        rows = self.one.store.database._connection.execute("SELECT id, email FROM recipient").fetchall()
        return {email.partition("@")[2] for identity, email in rows if identity in sent}


@pytest.fixture
def scene(world):
    return Scene(world)


def test_only_what_is_ours_is_sent(scene):
    scene.another_has("b.example")
    scene.others("c.example")
    scene.one.campaign({"a.example": 10, "b.example": 10, "c.example": 10})
    scene.one.start()
    scene.seconds(5)
    assert scene.sent_to() == {"a.example"}
    assert "c.example" not in scene.table.asked, "nobody asks for what another is preferred for"
    scene.one.check_empty()


def test_what_another_lets_go_is_taken_within_a_second(scene):
    scene.another_has("b.example")
    run = scene.one.campaign({"b.example": 10})
    scene.one.start()
    scene.seconds(3)
    assert scene.sent_to() == set()
    scene.another_lets_go("b.example")
    scene.seconds(3)
    assert scene.one.statuses(run) == {"delivered": 10}


def test_a_lease_that_another_had_begins_with_an_empty_burst(scene):
    one = scene.one
    scene.table.before.add(("b.example", 1))
    one.farm.connects = False
    one.campaign({"a.example": 3, "b.example": 3})
    one.start()
    one.run(0.05)
    now = one.clock.seconds()
    at_once = {
        key: sum(1 for _ in range(50) if limiter.limiter.reserve(now) <= now)
        for key, limiter in one.limiters._sites.items()
    }
    assert at_once["a.example"] > 7
    assert at_once["b.example"] <= 5


def test_what_nobody_takes_is_taken_after_a_while(scene):
    scene.others("c.example")
    run = scene.one.campaign({"c.example": 5})
    scene.one.start()
    scene.seconds(int(module._PATIENCE) - 5)
    assert scene.sent_to() == set()
    scene.seconds(10)
    assert scene.one.statuses(run) == {"delivered": 5}


def test_a_provider_is_one_lease_for_all_its_sites(scene):
    for name in ("a", "b"):
        scene.one.routes[f"{name}.example"] = scene.one.site(f"{name}.example", provider="google")
    scene.one.campaign({"a.example": 2, "b.example": 2})
    scene.one.start()
    scene.seconds(3)
    assert set(scene.table.asked) == {"provider google"}
    assert set(scene.table.held) == {"provider google"}


def test_leases_that_are_not_needed_any_more_are_let_go(scene):
    scene.one.campaign({"a.example": 3})
    scene.one.start()
    scene.seconds(200)
    assert set(scene.table.gone) == {"a.example", scene.address("a.example")}
    assert scene.table.held == {}


def test_when_a_machine_comes_its_share_is_left_and_let_go_only_when_nothing_is_in_flight(scene):
    one, table = scene.one, scene.table
    one.farm.connects, one.farm.answers = True, None  # nobody answers
    run = one.campaign({"a.example": 50, "b.example": 50})
    one.start()
    scene.seconds(2)
    flying = [connection for connection in one.farm.open if connection.current is not None]
    assert flying
    scene.others("b.example")
    scene.members(3)
    scene.seconds(3)
    assert table.gone == [], "its last messages have no answer yet"
    waiting = {identity & 0xFFFF for identity in one.spool.out}
    one.farm.answers = 250
    for connection in list(one.farm.open):
        connection.answer(250)
    scene.seconds(3)
    assert set(table.gone) == {"b.example", scene.address("b.example")}
    assert waiting
    delivered = one.statuses(run)["delivered"]
    scene.seconds(20)
    assert 50 < delivered < 100
    assert one.statuses(run)["delivered"] == delivered, "the rest is for the other machine to send"
    assert table.holder.keys() == {("a.example", 1), (scene.address("a.example"), 1)}
    scene.others()
    scene.members(2)
    scene.seconds(20)
    assert one.statuses(run) == {"delivered": 100}
    one.check_empty()


def test_domains_that_cannot_be_routed_are_leased_too(scene):
    one = scene.one
    one.routes["gone.example"] = RouteFailure(text="no such domain", category="bad-domain", permanent=True)
    one.routes["later.example"] = RouteFailure(text="SERVFAIL", category="dns", permanent=False)
    run = one.campaign({"gone.example": 2, "later.example": 2})
    one.start()
    scene.seconds(3)
    assert set(scene.table.asked) == {"domain gone.example", "domain later.example"}
    assert one.statuses(run) == {"bounced": 2, "deferred": 1, "pending": 1}


def test_a_lease_that_cannot_be_asked_for_is_a_fault_of_our_own(scene):
    scene.table.fault = OwnFault("the database is gone")
    run = scene.one.campaign({"a.example": 2})
    scene.one.start()
    scene.seconds(2)
    assert scene.one.pause.fault == "the database is gone"
    scene.table.fault = None
    scene.seconds(8)
    assert scene.one.statuses(run) == {"delivered": 2}


def test_news_of_rows_makes_it_look_and_news_of_states_is_passed_on(scene):
    one = scene.one
    run = one.campaign({"a.example": 1})
    one.start()
    scene.seconds(2)
    one.add(run.id, ["a.example"] * 3, first=2)
    scene.table.on_heard("rows")
    scene.seconds(2)
    assert one.statuses(run) == {"delivered": 4}
    assert scene.states == []
    scene.table.on_heard("states")
    scene.table.on_heard("")
    assert len(scene.states) == 2


def test_a_campaign_that_is_dropped_gives_back_what_waits(scene):
    one = scene.one
    one.farm.connects, one.farm.answers = True, None
    run = one.campaign({"a.example": 50})
    other = one.campaign({"a.example": 5}, "other")
    one.start()
    scene.seconds(2)
    held = one.feeder.held
    run.over = True
    one.feeder.runs.pop(run.id)
    one.feeder.take_back(run)
    assert one.feeder.held < held
    assert run.id not in one.feeder.runs
    one.farm.answers = 250  # of the other campaign some follow at once
    for connection in list(one.farm.open):
        connection.answer(250)
    scene.seconds(30)
    assert one.statuses(other) == {"delivered": 5}
    left = one.statuses(run)
    assert 0 < left["pending"] < 50
    one.check_empty()


BIG = {"big": {"mx": [".big.example"], "connections": 8, "rate": Rate(40, 1.0, 8), "shares": 4}}
BIG["big"]["connection_rate"] = Rate(600, 60.0, 8)
KEY = "provider big"


@pytest.fixture
def shared(world):
    """A scene with a provider that is cut into four shares, and one campaign to it."""
    made = Scene(world, providers=BIG)
    made.one.routes["a.example"] = made.one.site("a.example", provider="big")
    made.run = made.one.campaign({"a.example": 2000})
    made.one.start()
    return made


@pytest.fixture
def slow(shared):
    """The same at a receiver that takes so long for each message that all connections are needed."""
    shared.one.farm.rtt = 1.0
    return shared


def sent_in(scene, seconds):
    before = len(scene.one.farm.sent)
    scene.seconds(seconds)
    return len(scene.one.farm.sent) - before


def test_a_machine_with_half_of_the_shares_uses_half_of_the_limits(shared):
    shared.table.part[KEY] = 2
    shared.seconds(10)
    assert shared.table.held[KEY] == Lease(frozenset({1, 2}), 4)
    assert sent_in(shared, 20) == pytest.approx(400, abs=8)


def test_a_machine_with_half_of_the_shares_uses_half_of_the_connections(slow):
    slow.table.part[KEY] = 2
    slow.seconds(20)
    assert slow.one.farm.most == 4


def test_what_another_machine_has_let_go_widens_the_running_gate(shared):
    shared.table.part[KEY] = 2
    shared.seconds(10)
    shared.table.before |= {(KEY, 3), (KEY, 4)}
    del shared.table.part[KEY]
    shared.members(1)
    shared.seconds(2)
    assert shared.table.held[KEY].numbers == {1, 2, 3, 4}
    assert sent_in(shared, 10) == pytest.approx(400, abs=8), "and not its burst"


def test_what_is_to_be_anothers_is_let_go_once_it_is_out_of_use(slow):
    shared = slow
    shared.seconds(30)
    one, table = shared.one, shared.table
    assert one.farm.most == 8
    one.farm.answers = None  # nobody answers any more
    shared.seconds(3)
    assert len([connection for connection in one.farm.open if connection.busy]) == 8
    table.part[KEY] = 1
    shared.members(4)
    shared.seconds(3)
    assert table.held[KEY].numbers == {1, 2, 3, 4}, "too many connections are at work"
    for connection in one.farm.open[2:]:
        connection.answer(250)
    shared.seconds(2)
    assert table.held[KEY] == Lease(frozenset({1}), 4)
    assert len(one.farm.open) == 2
    one.farm.answers = 250
    for connection in one.farm.open:
        connection.answer(250)
    one.farm.rtt = 0.05
    shared.seconds(5)
    assert sent_in(shared, 20) == pytest.approx(200, abs=8)
    assert len(one.farm.open) <= 2


def test_a_machine_that_goes_on_with_less_closes_what_stands_idle(slow):
    shared = slow
    shared.seconds(30)
    shared.one.pause._paused = True  # all connections fall idle
    shared.seconds(2)
    assert len(shared.one.farm.open) == 8
    shared.table.part[KEY] = 2
    shared.members(2)
    shared.seconds(2)
    assert len(shared.one.farm.open) == 4
    assert shared.table.held[KEY].numbers == {1, 2}


def test_shares_that_another_machine_still_has_are_asked_for_until_they_are_free(shared):
    shared.table.holder |= {(KEY, 1): "another", (KEY, 2): "another", (KEY, 3): "another"}
    shared.table.part[KEY] = 2
    shared.seconds(5)
    assert shared.table.held[KEY].numbers == {4}
    del shared.table.holder[KEY, 2]
    shared.seconds(2)
    assert shared.table.held[KEY].numbers == {2, 4}
    asked = len(shared.table.asked)
    shared.seconds(20)
    assert len(shared.table.asked) == asked, "it has what it ought to have"


def test_a_machine_that_ought_to_have_none_leaves_it_as_it_leaves_any_other(shared):
    shared.seconds(10)
    shared.table.not_ours.add(KEY)
    shared.members(9)
    shared.seconds(3)
    assert KEY not in shared.table.held
    assert sent_in(shared, 20) == 0
    shared.seconds(30)
    assert len(shared.table.held[KEY].numbers) == 1, "nobody took it, so anybody may"


def test_all_sites_of_one_address_are_one_machines_and_the_address_is_leased_beside_them(scene):
    for name in ("a.example", "b.example"):
        scene.one.routes[name] = scene.one.site(name, "192.0.2.77", "192.0.2.66")
    scene.one.routes["c.example"] = scene.one.site("c.example", "192.0.2.77")
    scene.table.not_ours.add("address 192.0.2.66")
    scene.one.campaign({"a.example": 3, "b.example": 3, "c.example": 3})
    scene.one.start()
    scene.seconds(5)
    assert scene.sent_to() == {"c.example"}
    assert scene.table.held.keys() == {"c.example", "address 192.0.2.77"}
    scene.others()
    scene.members(1)
    scene.seconds(5)
    assert scene.sent_to() == {"a.example", "b.example", "c.example"}
    assert {key for key in scene.table.held if key.startswith("address")} == {
        "address 192.0.2.66",
        "address 192.0.2.77",
    }
    scene.seconds(200)
    assert scene.table.held == {}, "and let go with the last of them"


def test_while_another_machine_is_at_one_of_its_addresses_a_site_waits_and_holds_nothing(scene):
    scene.one.routes["a.example"] = scene.one.site("a.example", "192.0.2.66", "192.0.2.77")
    scene.another_has("address 192.0.2.77")
    run = scene.one.campaign({"a.example": 3})
    scene.one.start()
    scene.seconds(60)
    assert scene.table.held == {}
    assert scene.one.statuses(run) == {"pending": 3}
    scene.another_lets_go("address 192.0.2.77")
    scene.seconds(5)
    assert scene.one.statuses(run) == {"delivered": 3}


def test_an_address_is_let_go_after_the_last_site_that_used_it(scene):
    one, table = scene.one, scene.table
    one.routes["a.example"] = one.site("a.example", "192.0.2.66", "192.0.2.77")
    one.routes["b.example"] = one.site("b.example", "192.0.2.77")
    one.farm.connects, one.farm.answers = True, None
    one.campaign({"a.example": 50, "b.example": 50})
    one.start()
    scene.seconds(2)
    table.not_ours.add("address 192.0.2.66")
    scene.members(2)
    one.farm.answers = 250
    for connection in list(one.farm.open):
        connection.answer(250)
    scene.seconds(3)
    assert set(table.gone) == {"a.example", "address 192.0.2.66"}, "the other address is still in use"
    table.not_ours.add("address 192.0.2.77")
    scene.members(2)
    scene.seconds(5)
    assert sorted(table.gone[2:]) == ["address 192.0.2.77", "b.example"]


def test_a_site_that_moves_to_another_address_asks_for_it_first(scene):
    one, table = scene.one, scene.table
    run = one.campaign({"a.example": 3})
    one.start()
    scene.seconds(3)
    one.routes["a.example"] = one.site("a.example", "192.0.2.250")
    scene.another_has("address 192.0.2.250")
    one.add(run.id, ["a.example"] * 3, first=4)
    table.on_heard("rows")
    scene.seconds(10)
    assert one.statuses(run) == {"delivered": 3, "pending": 3}
    scene.another_lets_go("address 192.0.2.250")
    scene.seconds(5)
    assert one.statuses(run) == {"delivered": 6}
    assert {scene.address("a.example"), "address 192.0.2.142"} < table.held.keys(), "a connection to that is open still"


def test_when_many_wait_all_are_asked_for_in_turn(scene, monkeypatch):
    monkeypatch.setattr(module, "_MOST_ASKED", 2)
    names = [f"s{n}.example" for n in range(5)]
    for n, name in enumerate(names):
        scene.one.routes[name] = scene.one.site(name, f"192.0.2.{n + 1}")
        scene.another_has(name)
    run = scene.one.campaign(dict.fromkeys(names, 1))
    scene.one.start()
    scene.seconds(5)
    scene.another_lets_go(names[-1])
    scene.seconds(6)
    assert scene.one.statuses(run) == {"delivered": 1, "pending": 4}


def test_before_a_destination_is_sent_to_what_others_have_learnt_of_it_is_asked_for(scene):
    one = scene.one
    one.routes["a.example"] = one.site("a.example", provider="google")
    scene.another_has("b.example")
    run = one.campaign({"a.example": 2, "b.example": 2})
    one.start()
    scene.seconds(3)
    site = one.routes["a.example"]
    addresses = {ip for host in site.hosts for ip in host.addresses}
    assert scene.news == [{"provider google", site.key, *addresses}], "and only of what is ours"
    one.add(run.id, ["a.example"], first=5)
    one.feeder.rescan()
    scene.seconds(1)
    assert len(scene.news) == 1, "nobody else has sent there since"


def test_when_somebody_takes_facts_away_they_are_read_anew(scene):
    scene.table.on_heard("sites")
    assert (scene.facts, scene.states) == ([1], [])
    scene.table.on_heard("")  # whatever was missed
    assert (scene.facts, scene.states) == ([1, 1], [1])
    scene.table.on_heard("rows")
    assert len(scene.facts) == 2


def test_a_site_that_is_left_while_news_of_it_are_read_is_not_sent_to(scene):
    reading = []

    def slowly(keys):
        reading.append(Deferred())
        return reading[-1]

    scene.sharing._news_of = slowly
    run = scene.one.campaign({"b.example": 3})
    scene.one.start()
    scene.seconds(2)
    assert reading
    assert "b.example" in scene.table.held
    scene.others("b.example")
    scene.members(3)
    scene.seconds(3)
    reading[0].callback(None)
    scene.seconds(3)
    assert scene.table.held == {}
    assert scene.one.statuses(run) == {"pending": 3}
    scene.one.check_empty()


def test_facts_that_an_operator_had_forgotten_are_used_no_more(world):
    one = world()
    sync = SiteFactSync(reactor=one.clock, spool=one.spool, wall=one.wall)
    sync.memory = one.facts
    one.farm.connects = True
    one.campaign({"a.example": 3})
    one.start()
    one.until(lambda: one.feeder.lanes, 5)
    [lane] = one.feeder.lanes.values()
    one.facts.learn(lane.site.key, learn(FactKind.CHUNKING, one.wall()))
    lane.quirks.look_up()
    sync.look()
    one.run(1.0)
    assert not lane.quirks.chunks
    one.limiters.of_site(lane.site.key, "", one.clock.seconds()).limiter.rest(one.clock.seconds() + 600.0)
    one.store.remember([], [(lane.site.key, "chunking")])
    Deferred.fromCoroutine(reread_facts(sync, one.feeder, one.limiters, one.clocks))
    one.run(1.0)
    assert lane.quirks.chunks
    (limiter,) = one.limiters.limiters(lane.site.key)
    now = one.clock.seconds()
    assert limiter.peek(now) <= now, "and a rest of which nothing is known any more is over"
