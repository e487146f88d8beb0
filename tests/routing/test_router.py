from __future__ import annotations

import asyncio
import gc

import pytest

from bulkmail.mail import OwnFault
from bulkmail.routing import RouteFailure, Router
from bulkmail.shaping import provider_table


class World:
    """A resolver with a script and a clock."""

    def __init__(self):
        self.now, self.answers, self.asked = 0.0, {}, []
        self.router = Router(self.ask, lambda: self.now, provider_table(), size=100)

    async def ask(self, job):
        self.asked.append(job)
        return self.answers[job[1] if len(job) > 1 else job[0]]

    def route(self, domain):
        return asyncio.run(self.router.route(domain))


@pytest.fixture
def world():
    return World()


def mx(address="192.0.2.1", ttl=300.0):
    return ("mx", ttl, [(10, "mx.l.google.com", [address])])


def test_domains_with_the_same_hosts_are_one_site(world):
    world.answers = {"a.test": mx(), "b.test": mx()}
    assert world.route("a.test") is world.route("b.test")
    assert world.route("a.test").provider == "google"
    assert repr(world.router) == "<Router knows 2 domains at 1 sites>"


def test_the_order_of_an_answer_makes_no_difference(world):
    hosts = [(10, "b.test", ["192.0.2.2"]), (10, "a.test", ["192.0.2.1"])]
    world.answers = {"one.test": ("mx", 300.0, hosts), "two.test": ("mx", 300.0, hosts[::-1])}
    assert world.route("one.test") is world.route("two.test")


def test_an_answer_is_remembered_as_long_as_it_holds(world):
    world.answers = {"a.test": mx()}
    assert world.router.known("a.test") is None
    world.route("a.test")
    world.now = 299.0
    assert world.route("a.test") is world.router.known("a.test")
    assert len(world.asked) == 1
    world.now = 300.0
    world.route("a.test")
    assert world.asked == [("route", "a.test")] * 2


def test_fresh_addresses_come_under_the_same_key(world):
    world.answers = {"a.test": mx()}
    before = world.route("a.test")
    world.now, world.answers = 300.0, {"a.test": mx("192.0.2.2")}
    after = world.route("a.test")
    assert after.key == before.key
    assert after.hosts[0].addresses == ("192.0.2.2",)


def test_a_failure_is_remembered_too(world):
    world.answers = {"a.test": ("failed", True, "bad-domain", "no such domain", 60.0)}
    assert world.route("a.test") == RouteFailure(True, "bad-domain", "no such domain")
    world.route("a.test")
    assert len(world.asked) == 1


def test_a_fault_of_our_own_is_raised_and_not_remembered(world):
    world.answers = {"a.test": ("own-fault", "no nameserver gives any answer")}
    with pytest.raises(OwnFault, match="no nameserver"):
        world.route("a.test")
    world.answers = {"a.test": mx()}
    assert world.route("a.test").provider == "google"


def test_check(world):
    world.answers = {"check": ("own-fault", "dead")}
    with pytest.raises(OwnFault, match="dead"):
        asyncio.run(world.router.check())
    world.answers = {"check": ("alive",)}
    asyncio.run(world.router.check())


def test_sites_nobody_uses_are_forgotten(world):
    world.router = Router(world.ask, lambda: world.now, {}, size=2)
    for n in range(20):
        world.answers[f"d{n}.test"] = ("mx", 300.0, [(10, f"mx{n}.test", ["192.0.2.1"])])
        world.route(f"d{n}.test")
    gc.collect()
    assert repr(world.router) == "<Router knows 2 domains at 2 sites>"


def test_what_is_known_is_forgotten_when_other_ip_versions_can_be_used(world):
    versions = {4}
    world.router = Router(world.ask, lambda: world.now, {}, families=lambda: frozenset(versions))
    world.answers = {"a.test": mx()}
    before = world.route("a.test")
    versions.add(6)
    world.answers = {"a.test": ("mx", 300.0, [(10, "mx.l.google.com", ["192.0.2.1", "2a00:1450::1b"])])}
    after = world.route("a.test")
    assert world.route("a.test") is after
    assert world.asked == [("route", "a.test", (4,)), ("route", "a.test", (4, 6))]
    assert (after.key, after.hosts[0].addresses) == (before.key, ("192.0.2.1", "2a00:1450::1b"))


def test_an_answer_for_other_ip_versions_than_now_is_not_remembered(world):
    versions = {4}

    async def ask(job):
        world.asked.append(job)
        versions.add(6)
        return mx()

    world.router = Router(ask, lambda: world.now, {}, families=lambda: frozenset(versions))
    world.route("a.test")
    world.route("a.test")
    assert world.asked == [("route", "a.test", (4,)), ("route", "a.test", (4, 6))]
