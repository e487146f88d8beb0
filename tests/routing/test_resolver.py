from __future__ import annotations

import asyncio

import pytest

from bulkmail.routing.resolver import Resolver

pytestmark = pytest.mark.loopback


def mx(answer):
    assert answer[0] == "mx", answer
    return answer[2]


def failed(answer):
    assert answer[0] == "failed", answer
    return answer[1], answer[2]


@pytest.fixture
def zone(server):
    server.zone.update(
        {
            "shop.test": {"MX": ["20 MX2.shop.test.", "10 mx1.shop.test."]},
            "mx1.shop.test": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2a00:db8::1"]},
            "mx2.shop.test": {"A": ["192.0.2.3"]},
            "bare.test": {"A": ["192.0.2.9"]},
            "nothing.test": {"TXT": ["hello"]},
        }
    )
    return server


def test_hosts_come_in_order_of_preference_with_their_addresses(zone, route):
    answer = route("shop.test")
    assert mx(answer) == [(10, "mx1.shop.test", ["192.0.2.1", "192.0.2.2"]), (20, "mx2.shop.test", ["192.0.2.3"])]
    assert answer[1] == pytest.approx(300, abs=5)
    assert zone.count("mx1.shop.test", "AAAA") == 0


def test_the_domain_is_normalised_first(zone, route):
    assert len(mx(route(" SHOP.test. "))) == 2


def test_ipv6_addresses_come_behind_those_of_ipv4(zone, route):
    assert mx(route("shop.test", (4, 6)))[0][2] == ["192.0.2.1", "192.0.2.2", "2a00:db8::1"]
    zone.zone["mx1.shop.test"]["A"] = ["203.0.113.1"]
    assert mx(route("shop.test", (4, 6)))[0][2] == ["203.0.113.1", "2a00:db8::1"]


def test_only_addresses_of_the_ip_versions_that_can_be_used(zone, handle):
    first, second = handle(("route", "shop.test", (6,)), ("route", "shop.test"))
    assert mx(first) == [(10, "mx1.shop.test", ["2a00:db8::1"]), (20, "mx2.shop.test", [])]
    assert mx(second)[0][2] == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("mood", ["servfail", "silence"])
@pytest.mark.parametrize(("kind", "left"), [("AAAA", ["192.0.2.1", "192.0.2.2"]), ("A", ["2a00:db8::1"])])
def test_an_ip_version_of_which_nothing_is_known_leaves_the_other(zone, route, mood, kind, left):
    zone.moods["mx1.shop.test", kind] = mood
    answer = route("shop.test", (4, 6))
    assert mx(answer)[0][2] == left
    assert answer[1] == pytest.approx(300, abs=5), "asked again soon, though not at once"


def test_an_ip_version_whose_answer_is_late_is_not_waited_for(zone, handle, monkeypatch):
    monkeypatch.setattr("bulkmail.routing.resolver._LAG", 0.0)
    zone.moods["mx1.shop.test", "AAAA"] = "silence"
    (answer,) = handle(("route", "shop.test", (4, 6)), timeout=30.0)
    assert mx(answer)[0][2] == ["192.0.2.1", "192.0.2.2"]


def test_a_host_with_many_addresses_of_both_ip_versions_gives_eight_of_each(zone, route):
    zone.zone["many.test"] = {
        "A": [f"192.0.2.{n}" for n in range(1, 31)],
        "AAAA": [f"2a00:db8::{n}" for n in range(1, 31)],
    }
    found = mx(route("many.test", (4, 6)))[0][2]
    assert [":" in address for address in found] == [False] * 8 + [True] * 8
    assert (found[0], found[8]) == ("192.0.2.1", "2a00:db8::1")


def test_no_mx_but_an_address_is_an_implicit_mx(zone, route):
    assert mx(route("bare.test")) == [(0, "bare.test", ["192.0.2.9"])]


def test_a_domain_with_neither_is_bad_for_ever(zone, route):
    assert failed(route("nothing.test")) == (True, "bad-domain")


def test_a_domain_that_does_not_exist_is_bad_for_ever(zone, route):
    assert failed(route("absent.test")) == (True, "bad-domain")


@pytest.mark.parametrize("domain", ["a..b", "x" * 64 + ".test", "nodot", "192.0.2.1", "[192.0.2.1]", "a b.test", ""])
def test_a_domain_that_cannot_be_is_not_asked_for(zone, route, domain):
    assert failed(route(domain)) == (True, "bad-domain")
    assert zone.asked == []


def test_a_null_mx_takes_no_mail(zone, route):
    zone.zone["null.test"] = {"MX": ["0 ."], "A": ["192.0.2.1"]}
    answer = route("null.test")
    assert failed(answer) == (True, "bad-domain")
    assert "5.1.10" in answer[3]


def test_a_null_mx_beside_others_is_ignored(zone, route):
    zone.zone["mixed.test"] = {"MX": ["0 .", "10 mx2.shop.test."]}
    assert mx(route("mixed.test")) == [(10, "mx2.shop.test", ["192.0.2.3"])]


@pytest.mark.parametrize(
    "mood", ["servfail", "refused", "formerr", "referral", "lame", "foreign", "silence", "garbage", "wrong-id"]
)
@pytest.mark.parametrize("part", ["shop.test", "both hosts"])
def test_no_answer_is_never_taken_for_a_no(zone, route, mood, part):
    for name in [part] if part == "shop.test" else ["mx1.shop.test", "mx2.shop.test"]:
        zone.moods[name] = mood
    zone.zone["shop.test"]["A"] = ["192.0.2.66"]
    assert failed(route("shop.test")) == (False, "dns")
    assert zone.count("shop.test", "A") == 0


@pytest.mark.parametrize("mood", ["cut", "wrong-question", "echo"])
def test_a_broken_packet_is_silence(zone, route, mood):
    zone.moods["shop.test"] = mood
    assert failed(route("shop.test")) == (False, "dns")


def test_one_silent_host_leaves_the_other_and_the_set(zone, route):
    zone.moods["mx1.shop.test"] = "silence"
    zone.ttl = 5000
    answer = route("shop.test")
    assert mx(answer) == [(10, "mx1.shop.test", []), (20, "mx2.shop.test", ["192.0.2.3"])]
    assert answer[1] == pytest.approx(600, abs=5)


@pytest.mark.parametrize("kind", ["MX", "A"])
@pytest.mark.parametrize("mood", ["bare", "lame", "foreign", "stray"])
def test_an_answer_without_data_that_proves_nothing_bounces_nobody(zone, route, mood, kind):
    """RFC 2308 2.2: without the zone's SOA it is no NODATA, be it of the domain or of its MX host."""
    zone.zone["other.test"] = {"MX": ["10 mx1.shop.test."], "A": ["192.0.2.66"], "AAAA": ["::66"]}
    name = "odd.test" if kind == "MX" else "mx.odd.test"
    zone.zone |= {"odd.test": {"MX": ["10 mx.odd.test."]} if kind == "A" else {}, "mx.odd.test": {}}
    zone.moods[name] = mood
    assert failed(route("odd.test")) == (False, "dns")


def test_an_alias_to_a_name_of_which_nothing_is_proven_bounces_nobody(zone, route):
    zone.zone |= {"www.test": {"CNAME": ["end.test."]}, "end.test": {}}
    zone.moods |= {"www.test": "one-hop", "end.test": "lame"}
    assert failed(route("www.test")) == (False, "dns")
    zone.moods["end.test"] = "bare"
    assert failed(route("www.test")) == (False, "dns")


def test_forwarders_that_leave_the_soa_out_do_not_hide_an_address(zone, route):
    """dnsmasq and systemd-resolved do."""
    zone.moods["bare.test"] = "bare"
    assert mx(route("bare.test")) == [(0, "bare.test", ["192.0.2.9"])]


@pytest.mark.parametrize("mood", ["servfail", "bare", "lame"])
def test_an_ipv6_address_of_which_nothing_is_known_bounces_nobody(zone, route, mood):
    zone.moods["nothing.test", "AAAA"] = mood
    assert failed(route("nothing.test")) == (False, "dns")


def test_mx_names_none_of_which_exists_are_a_bad_domain(zone, route):
    zone.zone["lost.test"] = {"MX": ["10 gone1.test.", "20 gone2.test."]}
    answer = route("lost.test")
    assert failed(answer) == (True, "bad-domain")
    words = "5.4.4 no MX host of lost.test exists: gone1.test does not exist; gone2.test does not exist"
    assert answer[3] == words


def test_an_alias_to_a_name_that_does_not_exist_does_not_exist(zone, route):
    zone.zone |= {"lost.test": {"MX": ["10 nick.test."]}, "nick.test": {"CNAME": ["gone.test."]}}
    assert failed(route("lost.test", mx_aliases=True)) == (True, "bad-domain")


@pytest.mark.parametrize("mood", ["", "servfail", "refused", "silence", "bare", "lame"])
def test_mx_names_of_which_one_is_anything_else_are_a_passing_trouble(zone, route, mood):
    zone.zone["lost.test"] = {"MX": ["10 gone.test.", "20 other.test."]}
    zone.zone["other.test"] = {"TXT": ["x"]}
    if mood:
        zone.moods["other.test"] = mood
    assert failed(route("lost.test")) == (False, "dns" if mood else "routing")


@pytest.mark.parametrize("other", ["192.0.2.1.", r"a\032b.test.", "localhost."])
def test_an_mx_name_that_is_none_is_no_name_that_does_not_exist(zone, route, other):
    zone.zone["lost.test"] = {"MX": ["10 gone.test.", f"20 {other}"]}
    assert failed(route("lost.test")) == (False, "routing")


def test_mx_names_that_do_not_exist_are_not_believed_of_a_resolver_that_denies_everything(zone, handle):
    zone.zone["lost.test"] = {"MX": ["10 gone.test."]}
    [answer] = handle(("route", "lost.test"), must_exist=["witness.test"])
    assert answer[0] == "own-fault"


def test_mx_hosts_without_an_address_are_a_passing_trouble(zone, route):
    zone.zone["lost.test"] = {"MX": ["10 gone.test.", "20 nothing.test."]}
    answer = route("lost.test")
    assert failed(answer) == (False, "routing")
    assert "gone.test does not exist" in answer[3]
    assert "nothing.test has no address" in answer[3]


def test_a_soft_error_beats_a_hard_one(zone, route):
    zone.zone["half.test"] = {"MX": ["10 gone.test.", "20 slow.test."]}
    zone.moods["slow.test"] = "servfail"
    assert failed(route("half.test")) == (False, "dns")


@pytest.mark.parametrize(
    "target", ["192.0.2.1.", r"\[192.0.2.1\].", r"a\032b.test.", r"\255\000x.test.", r"x\@y.test."]
)
def test_an_mx_that_is_no_host_name_is_not_used(zone, route, target):
    zone.zone["odd.test"] = {"MX": [f"10 {target}", "20 mx2.shop.test."]}
    assert mx(route("odd.test")) == [(20, "mx2.shop.test", ["192.0.2.3"])]
    zone.zone["odd2.test"] = {"MX": [f"10 {target}"]}
    assert failed(route("odd2.test")) == (False, "routing")


def test_an_mx_that_is_an_alias_is_not_used_unless_configured(zone, route):
    zone.zone["alias.test"] = {"MX": ["10 nick.test."]}
    zone.zone["nick.test"] = {"CNAME": ["mx1.shop.test."]}
    answer = route("alias.test")
    assert failed(answer) == (False, "routing")
    assert "alias" in answer[3]
    assert mx(route("alias.test", mx_aliases=True)) == [(10, "nick.test", ["192.0.2.1", "192.0.2.2"])]


def test_an_alias_of_the_domain_is_followed(zone, route):
    zone.zone["www.test"] = {"CNAME": ["shop.test."]}
    assert [host for _, host, _ in mx(route("www.test"))] == ["mx1.shop.test", "mx2.shop.test"]
    zone.zone["web.test"] = {"CNAME": ["bare.test."]}
    assert mx(route("web.test")) == [(0, "bare.test", ["192.0.2.9"])]
    zone.zone["dangling.test"] = {"CNAME": ["absent.test."]}
    assert failed(route("dangling.test")) == (True, "bad-domain")


def test_a_domain_may_be_its_own_mx_and_names_may_have_underscores(zone, route):
    zone.zone["self.test"] = {"MX": ["65535 self.test.", "0 _mx.self.test."], "A": ["192.0.2.5"]}
    zone.zone["_mx.self.test"] = {"A": ["192.0.2.6"]}
    assert mx(route("self.test")) == [(0, "_mx.self.test", ["192.0.2.6"]), (65535, "self.test", ["192.0.2.5"])]


def test_a_host_listed_twice_counts_with_its_best_preference(zone, route):
    zone.zone["twice.test"] = {"MX": ["30 mx2.shop.test.", "5 MX2.SHOP.test."]}
    assert mx(route("twice.test")) == [(5, "mx2.shop.test", ["192.0.2.3"])]


@pytest.mark.parametrize("name", ["localhost.", "LOCALHOST.localdomain.", "mail.localhost."])
def test_localhost_is_refused_whatever_is_allowed(zone, route, name):
    zone.zone["evil.test"] = {"MX": [f"10 {name}"]}
    zone.zone[name.lower().rstrip(".")] = {"A": ["192.0.2.1"]}
    assert failed(route("evil.test", allow_networks=["0.0.0.0/0"])) == (True, "routing")


def test_addresses_nobody_may_be_led_to_are_refused_by_name(zone, route):
    zone.zone["evil.test"] = {"MX": ["10 inner.test.", "20 self.test."]}
    zone.zone["inner.test"] = {"A": ["10.1.2.3"]}
    zone.zone["self.test"] = {"A": ["127.0.0.1"]}
    answer = route("evil.test")
    assert failed(answer) == (True, "routing")
    assert "inner.test at 10.1.2.3 (a private address); self.test at 127.0.0.1 (a loopback address)" in answer[3]
    assert mx(route("evil.test", allow_networks=["127.0.0.0/8"])) == [
        (10, "inner.test", []),
        (20, "self.test", ["127.0.0.1"]),
    ]


def test_an_implicit_mx_at_a_forbidden_address_is_refused(zone, route):
    zone.zone["inner.test"] = {"A": ["10.1.2.3"]}
    assert failed(route("inner.test")) == (True, "routing")


def test_the_forbidden_ones_among_good_addresses_are_left_out(zone, route):
    zone.zone["mixed.test"] = {"A": ["192.0.2.1", "169.254.169.254"]}
    assert mx(route("mixed.test")) == [(0, "mixed.test", ["192.0.2.1"])]


@pytest.mark.parametrize(
    ("kind", "address", "used", "other"), [("AAAA", "2a00:db8::6", (6,), (4,)), ("A", "192.0.2.6", (4,), (6,))]
)
@pytest.mark.parametrize("named", [True, False])
def test_a_domain_whose_addresses_are_of_the_other_ip_version_waits(zone, route, kind, address, used, other, named):
    zone.zone |= {"one.test": {kind: [address]}, "two.test": {"MX": ["10 one.test."]}}
    domain = "two.test" if named else "one.test"
    answer = route(domain, other)
    assert failed(answer) == (False, "routing")
    words = f"one.test has only {kind} records, and this machine does not send over IPv{used[0]}"
    assert words in answer[3]
    for versions in (used, (4, 6)):
        assert mx(route(domain, versions))[0][1:] == ("one.test", [address])


def test_a_good_address_of_the_other_ip_version_keeps_a_forbidden_one_from_being_final(zone, route):
    zone.zone["half.test"] = {"A": ["10.0.0.1"], "AAAA": ["2a00:db8::6"]}
    assert failed(route("half.test")) == (False, "routing")
    assert mx(route("half.test", (4, 6))) == [(0, "half.test", ["2a00:db8::6"])]
    zone.zone["half.test"]["AAAA"] = ["fe80::1"]
    assert failed(route("half.test")) == (True, "routing")
    answer = route("half.test", (4, 6))
    assert failed(answer) == (True, "routing")
    assert "10.0.0.1 (a private address), fe80::1 (a link-local address)" in answer[3]


@pytest.mark.parametrize(("mood", "permanent"), [("bare", True), ("servfail", False)])
def test_a_forbidden_address_is_final_unless_the_dns_fails_to_tell_of_others(zone, route, mood, permanent):
    zone.zone["half.test"] = {"A": ["10.0.0.1"]}
    zone.moods["half.test", "AAAA"] = mood
    assert failed(route("half.test")) == (permanent, "routing" if permanent else "dns")


def test_an_ipv4_address_within_an_ipv6_one_is_forbidden_as_it_is(zone, route):
    zone.zone["mapped.test"] = {"AAAA": ["::ffff:127.0.0.1"]}
    assert failed(route("mapped.test", (4, 6))) == (True, "routing")


def many(zone, names, living=()):
    """``many.test`` with so many MX names, of which only the ``living`` have an address; the numbers of these hosts."""
    zone.zone["many.test"] = {"MX": [f"10 mx{n:03}.many.test." for n in range(names)]}
    zone.zone.update({f"mx{n:03}.many.test": {"A": [f"192.0.2.{n % 250 + 1}"]} for n in living})


def test_500_mx_hosts_cost_ten_questions(zone, route):
    many(zone, 500, range(500))
    zone.zone.update({f"mx{n:03}.many.test": {"A": [f"192.0.2.{k}" for k in range(1, 30)]} for n in range(500)})
    hosts = mx(route("many.test"))
    assert len(hosts) == 10
    assert all(len(addresses) == 16 for _, _, addresses in hosts)
    assert len(zone.asked) == 2 + 10  # MX over UDP and again over TCP


@pytest.mark.parametrize("mood", ["", "servfail", "no address", "forbidden"])
def test_ten_hosts_without_use_do_not_hide_the_eleventh(zone, route, mood):
    many(zone, 12, [10, 11])
    for n in range(10):
        name = f"mx{n:03}.many.test"
        if mood == "servfail":
            zone.moods[name] = mood
        elif mood:
            zone.zone[name] = {"A": ["10.0.0.1"]} if mood == "forbidden" else {}
    hosts = mx(route("many.test"))
    assert [name for _, name, addresses in hosts if addresses] == ["mx010.many.test", "mx011.many.test"]
    assert len(hosts) == 12, "the first ten are of the set whatever the weather"


def test_of_500_mx_names_one_that_exists_is_found_by_repeated_attempts(zone, handle):
    many(zone, 500, [77])
    answers = handle(*[("route", "many.test")] * 3, cache_size=0)
    assert [failed(answer) for answer in answers[:2]] == [(False, "routing")] * 2
    assert [name for _, name, addresses in mx(answers[2]) if addresses] == ["mx077.many.test"]
    assert sum(kind == "A" for _, kind, _ in zone.asked) == 90, "thirty an attempt"


def test_of_70_mx_names_none_of_which_exists_the_third_attempt_tells(zone, handle):
    many(zone, 70)
    answers = handle(*[("route", "many.test")] * 3)
    assert [failed(answer) for answer in answers] == [(False, "routing"), (False, "routing"), (True, "bad-domain")]


def test_of_a_host_with_many_addresses_others_are_given_each_time(zone, handle):
    every = [f"192.0.2.{k}" for k in range(1, 41)]
    zone.zone["wide.test"] = {"A": every}
    answers = handle(*[("route", "wide.test")] * 3)
    given = [mx(answer)[0][2] for answer in answers]
    assert [len(addresses) for addresses in given] == [16, 16, 16]
    assert set().union(*given) == set(every)
    assert {addresses[0] for addresses in given} == {"192.0.2.1"}


def test_domains_that_share_a_host_ask_for_its_addresses_once(zone, handle):
    for n in range(20):
        zone.zone[f"d{n}.test"] = {"MX": ["10 mx1.shop.test."]}
    answers = handle(*(("route", f"d{n}.test") for n in range(20)))
    assert all(len(mx(answer)) == 1 for answer in answers)
    assert zone.count("mx1.shop.test", "A") == 1


def test_a_dead_resolver_is_our_own_fault_and_recovers(zone, handle):
    zone.dead = True
    asked = []

    async def note():
        asked.append(len(zone.asked))

    async def revive():
        zone.dead = False

    first, _, second, _, check, _, third, alive = handle(
        ("route", "shop.test"),
        note,
        ("route", "bare.test"),
        note,
        ("check",),
        revive,
        ("route", "shop.test"),
        ("check",),
    )
    assert first[0] == second[0] == check[0] == "own-fault"
    assert zone.address in first[1]
    assert asked[0] == 3  # two tries and the check
    assert asked[1] == 4  # while it lasts: the check alone
    assert len(mx(third)) == 2
    assert alive == ("alive",)


def test_no_nameserver_at_all_is_our_own_fault(handle):
    [answer] = handle(("route", "shop.test"), nameservers=[])
    assert answer[0] == "own-fault"


def test_nothing_listening_is_our_own_fault(handle, server):
    [answer] = handle(("route", "shop.test"), nameservers=["127.0.0.1:1"], timeout=0.3)
    assert answer[0] == "own-fault"


def test_a_route_has_an_end_and_goes_on_behind_it(zone, handle):
    zone.lost.add("shop.test")

    async def wait():
        await asyncio.sleep(0)
        while zone.count("mx2.shop.test", "A") == 0:
            await asyncio.sleep(0.02)

    late, *_, found = handle(("route", "shop.test"), wait, ("route", "shop.test"), route_within=0.1)
    assert failed(late) == (False, "dns")
    assert "within 0.1 s" in late[3]
    assert len(mx(found)) == 2


def test_a_late_route_needs_no_check_where_something_was_heard(zone, handle):
    zone.lost.update(["mx1.shop.test", "mx2.shop.test"])
    [late] = handle(("route", "shop.test"), route_within=0.2)
    assert failed(late) == (False, "dns")
    assert not any(kind == "NS" for _, kind, _ in zone.asked)


def test_a_route_without_end_to_a_dead_resolver_is_our_own_fault(zone, handle):
    zone.dead = True
    [answer] = handle(("route", "shop.test"), route_within=0.1)
    assert answer[0] == "own-fault"


def test_jobs_that_make_no_sense_raise():
    async def tries():
        resolver = Resolver()
        with pytest.raises(RuntimeError, match="not configured"):
            await resolver.handle(("route", "shop.test"))
        with pytest.raises(ValueError, match="nonsense"):
            await resolver.handle(("configure", {"nameservers": ["nonsense:53"]}))
        await resolver.handle(("configure", {"nameservers": ["127.0.0.1"]}))
        with pytest.raises(ValueError, match="no such job"):
            await resolver.handle(("dance",))

    asyncio.run(tries())


@pytest.mark.loopback
def test_a_resolver_that_has_nothing_for_anybody_bounces_nobody(server, handle):
    server.zone |= {f"d{n}.test": {} for n in range(5)} | {"witness.test": {}}
    answers = handle(("check",), *[("route", f"d{n}.test") for n in range(5)], must_exist=["witness.test"])
    assert {answer[0] for answer in answers} == {"own-fault"}
    assert "denies that there is witness.test" in answers[0][1]
    server.zone["witness.test"] = {"NS": ["ns.test."]}
    alive, answer = handle(("check",), ("route", "d1.test"), must_exist=["witness.test"])
    assert alive == ("alive",)
    assert answer[:3] == ("failed", True, "bad-domain")


@pytest.mark.parametrize("mood", ["refused", "servfail"])
def test_a_resolver_that_refuses_everything_refuses_the_start_and_charges_nobody(zone, handle, mood):
    zone.all = mood
    check, answer, host = handle(("check",), ("route", "shop.test"), ("host", "shop.test"), must_exist=["witness.test"])
    assert check[0] == answer[0] == host[0] == "own-fault"
    assert f"{zone.address} says {mood.upper()} for witness.test NS" in check[1]
    assert check[1] == answer[1] == host[1]


def test_a_resolver_that_answers_any_question_at_all_may_start(zone, handle):
    """It knows the root, or says that it does not: what it refuses may be none of its business."""
    zone.moods["witness.test"] = "refused"
    alive, own, other = handle(
        ("check",), ("route", "shop.test"), ("route", "witness.test"), must_exist=["witness.test"]
    )
    assert alive == ("alive",)
    assert len(mx(own)) == 2
    assert failed(other) == (False, "dns")


@pytest.fixture
def relay(handle):
    return lambda name: handle(("host", name))[0]


def test_a_relay_may_be_anywhere_and_has_no_mx(zone, relay):
    zone.zone["relay.test"] = {"MX": ["10 mx1.shop.test."], "A": ["10.0.0.2", "127.0.0.1"], "AAAA": ["::1"]}
    answer = relay("relay.test")
    assert mx(answer) == [(0, "relay.test", ["10.0.0.2", "127.0.0.1"]), (1, "relay.test", ["::1"])]
    assert answer[1] == pytest.approx(300, abs=5)
    assert zone.count("relay.test", "MX") == 0
    zone.zone["six.test"] = {"AAAA": ["2a00:db8::7"]}
    assert mx(relay("six.test")) == [(1, "six.test", ["2a00:db8::7"])]


def test_a_relay_without_an_address(zone, relay):
    assert relay("absent.test")[:4] == ("failed", True, "routing", "absent.test does not exist")
    assert relay("nothing.test")[:4] == ("failed", True, "routing", "nothing.test has no address")


def test_the_texts_of_a_name_come_whole(zone, handle):
    zone.zone["long.test"] = {"TXT": ['"v=DKIM1; k=rsa; p=" "abc"', '"second"']}
    zone.zone["alias.test"] = {"CNAME": ["long.test."]}
    jobs = [("texts", name) for name in ("long.test", "alias.test", "nothing.test", "shop.test", "absent.test")]
    found = [sorted(answer[1]) for answer in handle(*jobs) if answer[0] == "texts"]
    assert found == [["second", "v=DKIM1; k=rsa; p=abc"]] * 2 + [["hello"], [], []]


def test_texts_that_the_dns_does_not_tell_are_not_taken_for_none(zone, handle):
    zone.moods["broken.test"] = "servfail"
    (answer,) = handle(("texts", "broken.test"))
    assert answer[:3] == ("failed", False, "dns")
