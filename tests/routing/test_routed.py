from __future__ import annotations

import asyncio

import pytest

from bulkmail.mail import OwnFault
from bulkmail.routing import RELAY, Manner, RouteFailure, providers_of, relays_of, router_of
from bulkmail.settings import Settings


class World:
    """A resolver: domains and hosts lead to what ``answers`` says, every other host to one address."""

    def __init__(self, *routes, **more):
        self.settings = Settings.model_validate({"routing": {"routes": list(routes)}, **more})
        self.asked, self.answers = [], {"shop.example": "mx.shop.example", "g.example": "aspmx.l.google.com"}
        self.router = router_of(self.settings, self.ask, lambda: 0.0, providers_of(self.settings))

    async def ask(self, job):
        self.asked.append(job)
        if job[0] == "check":
            return ("alive",)
        if job[0] == "host":
            return ("mx", 300.0, [(0, job[1], ["192.0.2.25"])]) if job[1] != "gone.example" else self.failed()
        host = self.answers.get(job[1])
        return ("mx", 300.0, [(10, host, ["192.0.2.1"])]) if host else self.failed()

    def failed(self):
        return ("failed", True, "bad-domain", "no such domain", 60.0)

    def route(self, domain):
        return asyncio.run(self.router.route(domain))


PARTNER = {"domains": ["partner.example"], "relay": {"host": "in.partner.example", "port": 25}, "name": "partner"}


def test_a_domain_with_a_relay_goes_there_and_is_not_looked_up():
    world = World(PARTNER)
    site = world.route("partner.example")
    assert (site.key, site.provider) == ("relay in.partner.example 25 by partner", "partner")
    assert (site.name, site.hosts[0].addresses) == ("relay in.partner.example", ("192.0.2.25",))
    assert world.asked == [("host", "in.partner.example")]
    assert world.route("shop.example").name == "mx.shop.example"
    assert isinstance(world.route("gone.example"), RouteFailure)


def test_a_relay_by_mx_hosts_or_provider_and_the_nearest_of_several():
    world = World(
        {"provider": "google", "relay": {"host": "a.example"}},
        {"mx": [".shop.example"], "relay": {"host": "b.example"}, "window": 3},
        {"domains": ["near.example"], "relay": {"host": "c.example"}},
    )
    world.answers["near.example"] = "aspmx.l.google.com"
    names = [world.route(domain).name for domain in ("g.example", "shop.example", "near.example")]
    assert names == ["relay a.example", "relay b.example", "relay c.example"]
    assert world.route("shop.example").manner == Manner(window=3)
    assert world.route("g.example").provider == "route-1"


def test_beside_a_relay_that_takes_all_a_route_takes_its_own():
    world = World(PARTNER, relay={"host": "all.example"})
    assert world.route("partner.example").provider == "partner"
    site = world.route("shop.example")
    assert (site.provider, site.name, site.key) == (RELAY, "relay all.example", "relay all.example 587")
    assert {name: relay.host for name, relay in relays_of(world.settings).items()} == {
        RELAY: "all.example", "partner": "in.partner.example"
    }  # fmt: skip


def test_the_check_asks_for_every_relay():
    world = World(PARTNER, {"mx": [".b.example"], "relay": {"host": "gone.example"}})
    with pytest.raises(OwnFault, match=r"the relay \(of the route route-2, relay.host\) cannot be found: no such"):
        asyncio.run(world.router.check())
    assert world.asked == [("check",), ("host", "in.partner.example"), ("host", "gone.example")]
    assert repr(world.router).startswith("<RoutedRouter by partner, route-2; else <Router knows")


def test_other_values_are_applied_and_without_routes_nothing_stands_between():
    world = World({"domains": ["shop.example"], "tls": "verify"})
    assert world.route("shop.example").manner == Manner(tls="verify")
    assert repr(World().router).startswith("<Router knows")
    assert repr(World(relay={"host": "all.example"}).router) == "<RelayRouter to all.example>"
