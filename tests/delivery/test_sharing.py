"""One machine among several: the others are a table of who holds what, and the test's word on who ought to."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery import sharing as module
from bulkmail.delivery.sharing import Sharing, drop
from bulkmail.mail import OwnFault
from bulkmail.routing import RouteFailure


class Table:
    """The leases of one machine, ``me``, and who else has which."""

    def __init__(self, clock):
        self.clock = clock
        self.holder = {}
        self.not_ours = set()  # keys that another machine is preferred for
        self.before = set()  # keys that somebody has had before
        self.held = {}
        self.members = (1, 2)
        self.over = False
        self.fault = None
        self.asked = []
        self.gone = []
        self.valid = True
        self.on_members = self.on_heard = None
        self.unsettled = lambda: 0

    def prefers(self, key):
        return key not in self.not_ours

    def take(self, key):
        answer = Deferred()
        self.asked.append(key)
        self.clock.callLater(0.001, self._answer, key, answer)
        return answer

    def _answer(self, key, answer):
        if self.fault is not None:
            answer.errback(self.fault)
            return
        if self.holder.setdefault(key, "me") == "me":
            self.held.setdefault(key, key in self.before)
        answer.callback(self.holder[key] == "me")

    def let_go(self, keys):
        done = Deferred()
        assert not self.unsettled(), "what went back is not in the spool yet, and nobody would look again"
        for key in keys:
            assert self.holder.pop(key) == "me"
            self.held.pop(key, None)
            self.before.add(key)
            self.gone.append(key)
        self.clock.callLater(0.001, done.callback, None)
        return done


class Scene:
    def __init__(self, world):
        self.one = world()
        self.one.farm.obliging()
        self.states = []
        self.facts = []
        self.news = []
        self.table = Table(self.one.clock)
        self.table.unsettled = lambda: self.one.spool.unsettled
        self.sharing = Sharing(
            leases=self.table,
            feeder=self.one.feeder,
            street=self.one.street,
            states=lambda: self.states.append(1),
            facts=lambda: self.facts.append(1),
            news_of=self.news_of,
            flushed=self.one.spool.flushed,
        )

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
    scene.table.holder["b.example"] = "another"
    scene.table.not_ours.add("c.example")
    scene.one.campaign({"a.example": 10, "b.example": 10, "c.example": 10})
    scene.one.start()
    scene.seconds(5)
    assert scene.sent_to() == {"a.example"}
    assert "c.example" not in scene.table.asked, "nobody asks for what another is preferred for"
    scene.one.check_empty()


def test_what_another_lets_go_is_taken_within_a_second(scene):
    scene.table.holder["b.example"] = "another"
    run = scene.one.campaign({"b.example": 10})
    scene.one.start()
    scene.seconds(3)
    assert scene.sent_to() == set()
    del scene.table.holder["b.example"]
    scene.table.before.add("b.example")
    scene.seconds(3)
    assert scene.one.statuses(run) == {"delivered": 10}


def test_a_lease_that_another_had_begins_with_an_empty_burst(scene):
    one = scene.one
    scene.table.before.add("b.example")
    one.farm.connects = False
    one.campaign({"a.example": 3, "b.example": 3})
    one.start()
    one.run(0.05)
    now = one.clock.seconds()
    at_once = {
        key: sum(1 for _ in range(50) if gate.gate.reserve(now) <= now) for key, gate in one.street.gates._sites.items()
    }
    assert at_once["a.example"] == 50
    assert at_once["b.example"] <= 5


def test_what_nobody_takes_is_taken_after_a_while(scene):
    scene.table.not_ours.add("c.example")
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
    assert scene.table.gone == ["a.example"]
    assert scene.table.held == {}


def test_when_a_machine_comes_its_share_is_left_and_let_go_only_when_nothing_is_in_flight(scene):
    one, table = scene.one, scene.table
    one.farm.connects, one.farm.answers = True, None  # nobody answers
    run = one.campaign({"a.example": 50, "b.example": 50})
    one.start()
    scene.seconds(2)
    flying = [connection for connection in one.farm.open if connection.current is not None]
    assert flying
    table.not_ours.add("b.example")
    table.members = (1, 2, 3)
    table.on_members()
    scene.seconds(3)
    assert table.gone == [], "its last messages have no answer yet"
    waiting = {identity & 0xFFFF for identity in one.spool.out}
    for connection in list(one.farm.open):
        connection.answer(250)
    one.farm.answers = 250
    scene.seconds(3)
    assert table.gone == ["b.example"]
    assert waiting
    delivered = one.statuses(run)["delivered"]
    scene.seconds(20)
    assert 50 < delivered < 100
    assert one.statuses(run)["delivered"] == delivered, "the rest is for the other machine to send"
    assert table.holder == {"a.example": "me"}
    table.not_ours.clear()
    table.members = (1, 2)
    table.on_members()
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
    assert scene.one.street.fault == "the database is gone"
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
    held = one.street.held
    run.over = True
    drop(one.feeder, run)
    assert one.street.held < held
    assert run.id not in one.feeder.runs
    for connection in list(one.farm.open):
        connection.answer(250)
    one.farm.answers = 250
    scene.seconds(30)
    assert one.statuses(other) == {"delivered": 5}
    left = one.statuses(run)
    assert 0 < left["pending"] < 50
    one.check_empty()


def test_before_a_destination_is_sent_to_what_others_have_learnt_of_it_is_asked_for(scene):
    one = scene.one
    one.routes["a.example"] = one.site("a.example", provider="google")
    scene.table.holder["b.example"] = "another"
    run = one.campaign({"a.example": 2, "b.example": 2})
    one.start()
    scene.seconds(3)
    site = one.routes["a.example"]
    addresses = {ip for host in site.hosts for ip in host.addresses}
    assert scene.news == [{"provider google", site.key, *addresses}], "and only of what is ours"
    one.add(run.id, ["a.example"], first=5)
    one.feeder.more()
    scene.seconds(1)
    assert len(scene.news) == 1, "nobody else has sent there since"


def test_when_somebody_takes_facts_away_they_are_read_anew(scene):
    scene.table.on_heard("sites")
    assert (scene.facts, scene.states) == ([1], [])
    scene.table.on_heard("")  # whatever was missed
    assert (scene.facts, scene.states) == ([1, 1], [1])
    scene.table.on_heard("rows")
    assert len(scene.facts) == 2
