from __future__ import annotations

import asyncio

import pytest

from bulkmail.routing import ENFORCED, TESTED, Policies, RouteFailure, Router, router_of
from bulkmail.settings import Settings
from bulkmail.shaping import provider_table

DAY = 86400.0
HOSTS = [(10, "mx1.shop.test", ["192.0.2.1"]), (20, "mx.evil.shop.test", ["192.0.2.2"])]


def text(mode="enforce", mx="*.shop.test", age=604800):
    return "policy", f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {age}\n"


class World:
    """A resolver with a script, two clocks, and a router with policies."""

    def __init__(self):
        self.now, self.id, self.policy, self.hosts, self.asked = 1000.0, "one", text(), HOSTS, []
        self.told = []
        self.policies = Policies(self.ask, lambda: self.now, failed=self.told.append)
        self.router = Router(self.ask, lambda: self.now, provider_table(), policies=self.policies)

    async def ask(self, job):
        self.asked.append(job)
        if job[0] == "policy":
            return self.policy
        assert job[2:] == ((), True)
        return ("mx", 9e9, self.hosts, self.id)

    def route(self, domain="shop.test", after=0.0):
        self.now += after
        return asyncio.run(self.router.route(domain))

    @property
    def fetches(self):
        return sum(job[0] == "policy" for job in self.asked)


@pytest.fixture
def world():
    return World()


def names(site):
    return [host.name for host in site.hosts]


def test_a_policy_in_force_leaves_the_hosts_that_it_allows(world):
    site = world.route()
    assert (names(site), site.policy, site.name) == (["mx1.shop.test"], ENFORCED, "mx1.shop.test")
    assert repr(world.policies) == "<Policies of 1 domains>"


def test_domains_with_and_without_a_policy_are_different_sites_and_those_with_one_share_theirs(world):
    one, two = world.route("one.test"), world.route("two.test")
    world.id = ""
    without = world.route("three.test")
    assert one is two
    assert names(without) == ["mx1.shop.test", "mx.evil.shop.test"]
    world.id, world.policy = "t", text("testing")
    tested = world.route("four.test")
    assert (names(tested), tested.policy) == (names(without), TESTED)
    assert len({one.key, without.key, tested.key}) == 3
    assert tested.key == f"{without.key} under sts-testing"
    assert one.provider == without.provider


def test_a_site_under_a_policy_has_the_same_key_in_another_process(world):
    assert World().route().key == world.route().key


def test_a_policy_that_allows_none_of_the_hosts_is_no_reason_to_bounce(world):
    world.hosts = HOSTS[1:]
    assert world.route() == RouteFailure(
        False,
        "tls",
        "the policy of shop.test (MTA-STS, enforce) forbids its MX hosts, mx.evil.shop.test: it allows *.shop.test",
    )


def test_mode_none_is_as_no_policy(world):
    world.policy = text("none")
    assert world.route().policy == ""
    assert world.fetches == 1


def test_a_domain_without_a_record_is_not_fetched_for(world):
    world.id = ""
    assert world.route().policy == ""
    assert len(world.asked) == 1


def test_the_record_is_looked_at_each_hour_and_the_policy_fetched_each_day(world):
    world.route()
    world.route(after=3599)
    assert len(world.asked) == 2
    world.route(after=1)
    assert (len(world.asked), world.fetches) == (3, 1)
    world.route(after=DAY)
    assert world.fetches == 2


def test_another_id_is_another_policy(world):
    world.route()
    world.id, world.policy = "two", text("testing")
    assert world.route(after=3600).policy == TESTED
    assert world.fetches == 2


@pytest.mark.parametrize(
    "answer", [("no-policy", "HTTP status 500"), ("own-fault", "no process"), ("policy", "<html>")]
)
@pytest.mark.parametrize("now_id", ["", "two"])
def test_a_known_policy_stays_in_force_until_it_expires_whatever_fails(world, answer, now_id):
    world.route()
    world.id, world.policy = now_id, answer
    for _ in range(6):
        assert world.route(after=DAY).policy == ENFORCED
    assert world.route(after=DAY + 1).policy == ""


def test_without_a_known_policy_a_failure_is_as_no_policy_and_it_is_tried_again_after_a_while(world):
    world.policy = ("no-policy", "HTTP status 500")
    assert world.route().policy == ""
    assert world.route(after=599).policy == ""
    assert world.fetches == 1
    world.policy = text()
    assert world.route(after=1).policy == ENFORCED


def test_a_failure_to_fetch_one_id_does_not_keep_from_fetching_another(world):
    world.policy = ("no-policy", "HTTP status 500")
    world.route()
    world.id, world.policy = "two", text()
    assert asyncio.run(world.policies.apply("shop.test", world.route("x.test"), "two"))[0].policy == ENFORCED


def test_a_policy_for_no_time_at_all_is_used_once(world):
    world.policy = text(age=0)
    assert world.route().policy == ENFORCED
    assert world.policies.known("shop.test") is None


@pytest.mark.parametrize(
    ("route", "policy"),
    [
        ({"tls": "opportunistic"}, ""),
        ({"tls": "off"}, ""),
        ({"tls": "required"}, ""),
        ({"tls": "verify"}, ENFORCED),
        ({"window": 3}, ENFORCED),
    ],
)
@pytest.mark.parametrize("whom", [{"domains": ["shop.test"]}, {"mx": [".shop.test"]}])
def test_a_route_that_asks_for_less_tls_wins(world, route, policy, whom):
    settings = Settings.model_validate({"routing": {"routes": [{**whom, **route}]}})
    router = router_of(settings, world.ask, lambda: world.now, provider_table(), policies=world.policies)
    site = asyncio.run(router.route("shop.test"))
    assert (site.policy, site.manner.tls) == (policy, route.get("tls"))
    assert len(site.hosts) == (1 if policy else 2)


def test_what_a_relay_takes_has_no_policy(world):
    settings = Settings.model_validate(
        {"routing": {"routes": [{"mx": [".shop.test"], "relay": {"host": "192.0.2.9"}}]}}
    )
    router = router_of(settings, world.ask, lambda: world.now, provider_table(), policies=world.policies)
    assert asyncio.run(router.route("shop.test")).name == "relay 192.0.2.9"
    assert world.fetches == 0


def test_a_policy_that_could_not_be_had_is_told_once_and_known_until_it_can(world):
    world.policy = ("no-policy", "mta-sts.shop.test: HTTP status 404")
    world.route()
    assert [one.words for one in world.router.unfetched("shop.test")] == [
        (
            "the policy of shop.test (MTA-STS) could not be fetched (mta-sts.shop.test: HTTP status 404): "
            "mail goes as without one"
        )
    ]
    world.policy = ("policy", "no policy at all")
    asyncio.run(world.policies.apply("shop.test", world.route("other.test"), "two"))
    (unfetched, other) = world.router.unfetched()
    assert (unfetched.domain, unfetched.why) == ("shop.test", "the line 'no policy at all' is not `key: value`")
    assert (other.domain, world.router.unfetched("nowhere.test")) == ("other.test", [])
    assert [one.domain for one in world.told] == ["shop.test", "other.test"]
    world.policy = text()
    asyncio.run(world.policies.apply("shop.test", world.route("other.test"), "three"))
    assert [one.domain for one in world.router.unfetched()] == ["other.test"]
    world.policy = ("no-policy", "gone")
    asyncio.run(world.policies.apply("shop.test", world.route("other.test"), "four"))
    assert world.told[-1].in_force
    assert world.told[-1].words.endswith("could not be fetched (gone): the one of before stays in force")


def test_who_announces_none_any_more_is_forgotten_and_so_are_the_oldest_of_many(world):
    world.policy = ("no-policy", "gone")
    for n in range(1001):
        world.route(f"d{n}.test")
    assert len(world.router.unfetched()) == 1000
    assert world.router.unfetched("d0.test") == []
    world.id = ""
    world.route("d1.test", after=3600)
    assert world.router.unfetched("d1.test") == []


@pytest.mark.parametrize("routes", [[], [{"domains": ["a.test"], "window": 3}]])
def test_where_a_relay_takes_all_mail_no_policy_is_looked_for(world, routes):
    settings = Settings.model_validate({"relay": {"host": "192.0.2.9"}, "routing": {"routes": routes}})
    assert router_of(settings, world.ask, lambda: world.now, provider_table()).unfetched() == []
