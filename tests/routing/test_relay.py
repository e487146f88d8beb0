from __future__ import annotations

import asyncio

import pytest

from bulkmail.mail import OwnFault
from bulkmail.routing import RELAY, MxHost, RelayRouter


class World:
    def __init__(self, host="smtp.example"):
        self.now, self.asked = 0.0, []
        self.answer = ("mx", 300.0, [(0, "smtp.example", ["192.0.2.1"]), (1, "smtp.example", ["2001:db8::1"])])
        self.router = RelayRouter(self.ask, lambda: self.now, host, 587)

    async def ask(self, job):
        self.asked.append(job)
        return self.answer

    def route(self, domain="a.test"):
        return asyncio.run(self.router.route(domain))


def test_every_domain_has_one_site_and_none_is_looked_up():
    world = World()
    asyncio.run(world.router.check())
    first = world.route("a.test")
    assert all(world.route(f"d{n}.test") is first for n in range(1000))
    assert world.asked == [("host", "smtp.example")]
    assert (first.provider, first.name, first.key) == (RELAY, "relay smtp.example", "relay smtp.example 587")
    assert first.hosts == (MxHost(0, "smtp.example", ("192.0.2.1", "2001:db8::1")),)
    assert repr(world.router) == "<RelayRouter to smtp.example>"


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("10.1.2.3", (MxHost(0, "10.1.2.3", ("10.1.2.3",)),)),
        ("::1", (MxHost(0, "::1", ("::1",)),)),
        ("localhost", (MxHost(0, "localhost", ("127.0.0.1", "::1")),)),
    ],
)
def test_addresses_and_this_machine_need_no_dns(host, hosts):
    world = World(host)
    assert world.route().hosts == hosts
    assert world.asked == []


def test_new_addresses_come_under_the_same_key():
    world = World()
    before = world.route()
    world.now = 299.0
    assert world.route() is before
    world.now, world.answer = 300.0, ("mx", 1.0, [(0, "smtp.example", ["192.0.2.2"])])
    after = world.route()
    assert (after.key, after.hosts[0].addresses) == (before.key, ("192.0.2.2",))
    world.now = 359.0
    assert world.route() is after, "an answer is believed for a minute at least"
    assert len(world.asked) == 2
    world.now = 360.0
    assert world.route() is after
    assert len(world.asked) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            ("failed", True, "routing", "smtp.example does not exist", 60.0),
            "cannot be found: smtp.example does not exist",
        ),
        (("failed", False, "dns", "SERVFAIL", 60.0), "cannot be found: SERVFAIL"),
        (("own-fault", "no nameserver answers"), "no nameserver answers"),
    ],
)
def test_a_relay_that_cannot_be_found_is_our_own_fault_and_the_last_known_stays_in_use(answer, words):
    world = World()
    good, world.answer = world.answer, answer
    for _ in range(2):
        with pytest.raises(OwnFault, match=words):
            world.route()
    world.answer = good
    site = world.route()
    world.now, world.answer = 1000.0, answer
    assert world.route() is site
    assert world.route() is site
    assert len(world.asked) == 4, "once a minute"
    world.now = 1060.0
    world.route()
    assert len(world.asked) == 5


def test_while_one_asks_the_others_have_what_is_known():
    world = World()
    site = world.route()
    world.now = 300.0

    async def slow(job):
        world.asked.append(job)
        await asyncio.sleep(0)
        return world.answer

    world.router._ask = slow

    async def both():
        return await asyncio.gather(*(world.router.route("a.test") for _ in range(50)))

    assert set(asyncio.run(both())) == {site}
    assert len(world.asked) == 2
