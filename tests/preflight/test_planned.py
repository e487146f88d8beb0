"""A plan over a real resolver process and a real name server on loopback."""

from __future__ import annotations

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.commands.event_loop import in_event_loop
from bulkmail.preflight import PlanMeans, Resolving, plan_campaign, plan_checked
from bulkmail.shaping import provider_table

NOW = 1_764_600_000.0


@pytest.fixture
def plan(folder, server):
    def run(csv, *, dns=True, more="", content=None):
        folder.write(csv=csv)
        folder.settings_text = (
            f'dns: {{nameservers: ["{server.address}"], timeout: {server.patience}s, must_exist: []}}\n'
            f"routing:\n  allow_networks: [127.0.0.0/8]\n{more}"
        )
        settings, campaign = folder.settings, load_campaign(str(folder.path))

        async def work(reactor):
            resolving = Resolving(reactor, settings)
            means = PlanMeans(settings, provider_table({}), NOW, 2, resolving.ask if dns else None)
            try:
                return await plan_campaign(reactor, campaign, content or {}, means)
            finally:
                await resolving.close()

        return in_event_loop(work)

    return run


def rows(*domains):
    return "\n".join(["email,first_name,city", *(f"u{n}@{name},A,B" for n, name in enumerate(domains))]) + "\n"


def test_recipients_by_provider_and_site(plan, server):
    server.zone = {
        "shop.example": {"MX": ["10 aspmx.l.google.com."]},
        "other.example": {"MX": ["10 aspmx2.googlemail.com."]},
        "aspmx.l.google.com": {"A": ["127.0.0.5"]},
        "aspmx2.googlemail.com": {"A": ["127.0.0.6"]},
        "own.example": {"MX": ["10 mx.own.example."]},
        "mx.own.example": {"A": ["127.0.0.7"]},
        "null.example": {"MX": ["0 ."]},
    }
    found = plan(rows(*["shop.example"] * 3, "other.example", "own.example", "null.example", "own.example", "nowhere"))
    assert next((leg.demand.name, leg.demand.recipients) for leg in found.flow.legs) == ("google", 4)
    assert found.flow.legs[1].demand.recipients == 2
    assert (found.rows, found.unroutable, found.invalid, found.fault) == (8, 1, 1, "")
    assert found.flow.legs[0].pace == pytest.approx(10.0)


def test_duplicates_and_suppressed_ones_are_counted(plan):
    csv = rows("a.example", "b.example") + "u0@a.example,A,B\n"
    found = plan(csv, dns=False)
    assert (found.rows, found.mailed, found.duplicates) == (3, 2, 1)
    assert [(leg.demand.name, leg.demand.recipients) for leg in found.flow.legs] == [("a.example", 1), ("b.example", 1)]


def test_many_small_sites_are_counted_together(plan):
    found = plan(rows(*[f"d{n}.example" for n in range(30)]), dns=False)
    assert found.flow.legs[-1].demand.name == "18 other sites"
    assert sum(leg.demand.recipients for leg in found.flow.legs) == 30


def test_with_a_relay_all_go_to_it_and_no_domain_is_looked_up(plan):
    found = plan(rows("a.example", "b.example"), more="relay: {host: relay.example}\n")
    assert [(leg.demand.name, leg.demand.recipients) for leg in found.flow.legs] == [("relay relay.example", 2)]


def test_where_all_sources_warm_up_their_days_are_planned(plan):
    warmup = "warmup: {start: 2025-12-01, plan: [2, 3]}"
    new = f"sources: [{{name: new, address: 192.0.2.9, {warmup}}}]\n"
    made = plan(rows(*["good.test"] * 9), dns=False, more=new)
    (leg,) = made.flow.legs
    assert (leg.binds, leg.left) == ("warm-up", 0)
    assert leg.ends == pytest.approx((NOW // 86400 + 2) * 86400, abs=5), "2 today, 3 tomorrow, and the others then"
    old = new.replace("}]", "}, {name: old, address: 192.0.2.10}]")
    assert plan(rows(*["good.test"] * 9), dns=False, more=old).flow.legs[0].binds != "warm-up"


def test_a_route_with_sources_of_its_own_is_planned_with_these(plan, server):
    """Two of the four sources, for one domain; and for another the one that warms up."""
    server.zone = {f"{name}.example": {"MX": [f"10 mx.{name}.example."]} for name in "abc"}
    server.zone |= {f"mx.{name}.example": {"A": [f"127.0.0.{n}"]} for n, name in enumerate("abc", 5)}
    names = [f"{{name: s{n}, address: 192.0.2.{n}}}" for n in (1, 2, 3)]
    new = "{name: new, address: 192.0.2.9, warmup: {start: 2025-12-01, plan: [2, 3]}}"
    more = (
        "  routes: [{domains: [b.example], sources: few}, {domains: [c.example], sources: fresh}]\n"
        f"sources: [{', '.join(names)}, {new}]\npools: {{few: [s1, s2], fresh: [new]}}\n"
    )
    csv = rows(*["a.example"] * 30, *["b.example"] * 20, *["c.example"] * 9)
    legs = {leg.demand.name: leg for leg in plan(csv, more=more).flow.legs}
    assert list(legs) == ["mx.a.example", "mx.b.example from few", "mx.c.example from fresh"]
    each = legs["mx.a.example"].pace / 3
    assert legs["mx.b.example from few"].pace == pytest.approx(2 * each)
    assert (legs["mx.c.example from fresh"].binds, legs["mx.c.example from fresh"].pace) == ("warm-up", each)
    assert legs["mx.c.example from fresh"].ends == pytest.approx((NOW // 86400 + 2) * 86400, abs=5)


def test_the_days_of_a_source_in_two_pools_are_counted_once(plan, server):
    """Two new sources for one domain, and one of them alone for another: 4 messages today and 6 tomorrow, in all."""
    server.zone = {f"{name}.example": {"MX": [f"10 mx.{name}.example."]} for name in "ac"}
    server.zone |= {f"mx.{name}.example": {"A": [f"127.0.0.{n}"]} for n, name in enumerate("ac", 5)}
    warmup = "warmup: {start: 2025-12-01, plan: [2, 3]}"
    names = [f"{{name: n{n}, address: 192.0.2.{n}, {warmup}}}" for n in (1, 2)]
    more = (
        f"  routes: [{{domains: [c.example], sources: fresh}}]\nsources: [{', '.join(names)}]\npools: {{fresh: [n1]}}\n"
    )
    made = plan(rows(*["a.example"] * 10, *["c.example"] * 5), more=more)
    assert len({leg.demand.budget for leg in made.flow.legs}) == 1
    assert max(leg.ends for leg in made.flow.legs) >= (NOW // 86400 + 2) * 86400, "15 are more than 4 and 6"


def test_the_relay_of_a_route_is_sent_to_as_without_sources(plan, server):
    server.zone = {"a.example": {"MX": ["10 mx.a.example."]}, "mx.a.example": {"A": ["127.0.0.5"]}}
    more = (
        "  routes: [{domains: [b.example], relay: {host: 127.0.0.9, port: 25, tls: 'off', rate: 3/s}}]\n"
        "sources: [{name: s1, address: 192.0.2.1}, {name: s2, address: 192.0.2.2}]\n"
    )
    legs = plan(rows("a.example", "a.example", "b.example"), more=more).flow.legs
    assert sorted((leg.demand.recipients, leg.demand.sources) for leg in legs) == [(1, 1), (2, 2)]


def test_a_plan_of_what_a_preflight_has_found_is_the_same(plan, folder):
    csv = rows("a.example", "b.example", "b.example", "nowhere") + "u1@b.example,A,B\nu9@c.example,A,B\n"
    read = plan(csv, dns=False)
    campaign, content = folder.prepared()
    batches = []
    found = folder.look(read=batches.append)
    means = PlanMeans(folder.settings, provider_table({}), NOW, 2)
    assert plan_checked(campaign, content, means, found) == read
    assert (read.rows, read.mailed, read.invalid, read.duplicates) == (6, 4, 1, 1)
    assert [row[0] for batch in batches for row in batch] == [1, 2, 3, 4, 5, 6]
