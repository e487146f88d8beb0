from __future__ import annotations

import asyncio

import dns.resolver
import pytest

from bulkmail.mail import OwnFault
from bulkmail.routing import lookup as room
from bulkmail.routing.lookup import Lookup, Nameserver, parse_nameserver, system_nameservers


class Clock:
    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return asyncio.get_running_loop().time() + self.ahead


@pytest.fixture
def ask(server):
    """Ask several questions of one Lookup at the same time, or one after the other."""

    def run(*questions, together=False, servers=None, between=None, **options):
        async def go():
            clock = Clock()
            lookup = Lookup(
                [parse_nameserver(text) for text in servers or [server.address]],
                clock=clock,
                **{"timeout": server.patience, **options},
            )
            if together:
                return await asyncio.gather(*(lookup.ask(*question) for question in questions), return_exceptions=True)
            found = []
            for question in questions:
                found.append(await lookup.ask(*question))
                clock.ahead += between or 0
            return found

        return asyncio.run(go())

    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5300", ("192.0.2.1", 5300)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:54", ("2001:db8::1", 54)),
    ],
)
def test_nameservers_as_people_write_them(text, expected):
    assert parse_nameserver(text) == expected


@pytest.mark.parametrize("text", ["", "dns.example.com", "192.0.2.1:x", "::g", "1.2.3.4:53:53"])
def test_what_is_no_nameserver(text):
    with pytest.raises(ValueError, match="is not a nameserver"):
        parse_nameserver(text)


def test_nameservers_say_where_they_are():
    assert [str(Nameserver("192.0.2.1")), str(Nameserver("::1", 54))] == ["192.0.2.1:53", "[::1]:54"]


def test_the_systems_resolvers(monkeypatch):
    class Configured:
        nameservers = ("192.0.2.53", "2001:db8::53")

    monkeypatch.setattr(room.dns.resolver, "Resolver", Configured)
    assert system_nameservers() == [Nameserver("192.0.2.53"), Nameserver("2001:db8::53")]

    def missing():
        raise dns.resolver.NoResolverConfiguration("cannot open /etc/resolv.conf")

    monkeypatch.setattr(room.dns.resolver, "Resolver", missing)
    with pytest.raises(OwnFault, match="no DNS resolver"):
        system_nameservers()


@pytest.mark.loopback
def test_equal_questions_at_one_time_are_one(server, ask):
    server.zone["a.test"] = {"A": ["192.0.2.1"]}
    found = ask(*[("a.test", "A")] * 50, together=True)
    assert {answer.records for answer in found} == {("192.0.2.1",)}
    assert len(server.asked) == 1


@pytest.mark.loopback
def test_an_answer_is_remembered_as_long_as_it_holds(server, ask):
    server.zone["a.test"] = {"A": ["192.0.2.1"]}
    server.ttl = 300
    ask(*[("a.test", "A")] * 5, between=100)
    assert len(server.asked) == 2


@pytest.mark.loopback
@pytest.mark.parametrize(("ttl", "between", "asked"), [(0, 20, 2), (604800, 50000, 3)])
def test_a_ttl_has_a_floor_and_a_cap(server, ask, ttl, between, asked):
    server.zone["a.test"] = {"A": ["192.0.2.1"]}
    server.ttl = ttl
    ask(*[("a.test", "A")] * 5, between=between)
    assert len(server.asked) == asked


@pytest.mark.loopback
@pytest.mark.parametrize("name", ["missing.test", "empty.test"])
def test_a_no_is_remembered_too_but_three_hours_at_most(server, ask, name):
    server.zone["empty.test"] = {"TXT": ["x"]}
    server.ttl = 0
    ask(*[(name, "A")] * 4, between=20)
    assert len(server.asked) == 2
    server.asked.clear()
    server.ttl, server.soa = 604800, server.soa.replace("300", "604800")
    ask(*[(name, "A")] * 4, between=5000)
    assert len(server.asked) == 2


@pytest.mark.loopback
def test_memory_is_bounded(server, ask):
    for n in range(10):
        server.zone[f"d{n}.test"] = {"A": ["192.0.2.1"]}
    questions = [(f"d{n}.test", "A") for n in range(10)]
    ask(*questions, *questions, cache_size=5)
    assert len(server.asked) == 20


@pytest.mark.loopback
def test_a_truncated_answer_is_asked_for_over_tcp(server, ask):
    server.zone["big.test"] = {"A": [f"192.0.2.{n}" for n in range(1, 200)]}
    [found] = ask(("big.test", "A"))
    assert len(found.records) == 199
    assert [asked[2] for asked in server.asked] == ["udp", "tcp"]


@pytest.mark.loopback
@pytest.mark.parametrize("tcp", ["cut", "close"])
def test_a_truncated_answer_without_tcp_is_a_failure(server, ask, tcp):
    server.zone["big.test"] = {"A": ["192.0.2.1"]}
    server.moods["big.test"] = "truncate"
    server.tcp = tcp
    [found] = ask(("big.test", "A"))
    assert found.kind == "failed"


@pytest.mark.loopback
def test_a_lost_packet_is_sent_again(server, ask):
    server.zone["a.test"] = {"A": ["192.0.2.1"]}
    server.lost.add("a.test")
    [found] = ask(("a.test", "A"))
    assert found.kind == "data"


@pytest.mark.loopback
def test_a_server_that_knows_no_edns_is_asked_without(server, ask):
    server.zone["a.test"] = {"A": ["192.0.2.1"]}
    server.moods["a.test"] = "no-edns"
    [found] = ask(("a.test", "A"))
    assert found.records == ("192.0.2.1",)


@pytest.mark.loopback
def test_the_second_nameserver_is_asked_where_the_first_is_dead(server, ask):
    server.zone["a.test"] = {"A": ["192.0.2.1"]}
    [found] = ask(("a.test", "A"), servers=["127.0.0.1:1", server.address], timeout=0.3)
    assert found.kind == "data"


@pytest.mark.loopback
def test_a_silent_domain_is_not_a_dead_resolver(server, ask):
    server.moods["slow.test"] = "silence"
    [found] = ask(("slow.test", "A"))
    assert found.kind == "failed"
    assert "no answer within 0.3 s" in found.text
    assert "NS" in [kind for _, kind, *_ in server.asked], "whether the server is alive was found out"


@pytest.mark.loopback
def test_many_questions_to_a_dead_resolver_share_one_check(server, ask):
    server.dead = True
    found = ask(*[(f"d{n}.test", "A") for n in range(10)], together=True)
    assert all(isinstance(fault, OwnFault) and "no nameserver gives any answer" in str(fault) for fault in found)
    assert sum(kind == "NS" for _, kind, _ in server.asked) == 1


@pytest.mark.loopback
def test_an_empty_answer_without_soa_proves_nothing(server, ask):
    server.zone["bare.test"] = {"TXT": ["x"]}
    server.moods["bare.test"] = "bare"
    [found] = ask(("bare.test", "A"))
    assert found.kind == "bare"
    assert found.text == "the answer for bare.test A neither has one nor proves that there is none (RFC 2308 2.2)"
    assert server.count("bare.test", "A") == 1


@pytest.mark.loopback
@pytest.mark.parametrize("mood", ["referral", "lame", "foreign"])
def test_name_servers_or_a_zone_of_somebody_else_are_a_referral_and_no_answer(server, ask, mood):
    server.zone["lame.test"] = {"TXT": ["x"]}
    server.moods["lame.test"] = mood
    [found] = ask(("lame.test", "A"))
    assert (found.kind, "refers to other servers" in found.text) == ("failed", True)


@pytest.mark.loopback
def test_an_alias_whose_answer_proves_nothing_of_its_end_is_followed_and_proves_nothing(server, ask):
    server.zone |= {"a.test": {"CNAME": ["end.test."]}, "end.test": {"TXT": ["x"]}}
    server.moods |= {"a.test": "one-hop", "end.test": "bare"}
    [found] = ask(("a.test", "MX"))
    assert (found.kind, found.name, found.alias) == ("bare", "end.test", True)
    server.moods["end.test"] = "lame"
    [found] = ask(("a.test", "MX"))
    assert found.kind == "failed"


@pytest.mark.loopback
@pytest.mark.parametrize("mood", ["bare", "lame", "servfail"])
def test_where_one_nameserver_proves_nothing_the_next_one_is_asked(server, second, ask, mood):
    server.zone["a.test"] = {}
    server.moods["a.test"] = mood
    second.zone["a.test"] = {"A": ["192.0.2.1"]}
    [found] = ask(("a.test", "A"), servers=[server.address, second.address])
    assert found.kind == "data"
    assert (server.count("a.test", "A"), second.count("a.test", "A")) == (1, 1)


@pytest.mark.loopback
def test_a_failure_tells_of_each_nameserver_and_what_it_explains(server, second, ask):
    server.moods["a.test"], server.explained = (
        "servfail",
        [(7, "signature of a.test expired\x07 on Monday"), (22, None)],
    )
    second.moods["a.test"] = "refused"
    [found] = ask(("a.test", "MX"), servers=[server.address, second.address])
    expired = "SERVFAIL (Signature Expired: signature of a.test expired on Monday; No Reachable Authority)"
    assert found.text == (f"{server.address} says {expired} for a.test MX; {second.address} says REFUSED for a.test MX")


@pytest.mark.loopback
def test_aliases_are_followed_within_an_answer_and_beyond_it(server, ask):
    for n in range(7):
        server.zone[f"c{n}.test"] = {"CNAME": [f"c{n + 1}.test."]}
    server.zone["c7.test"] = {"A": ["192.0.2.7"]}
    [found] = ask(("c0.test", "A"))
    assert (found.kind, found.name, found.records, found.alias) == ("data", "c7.test", ("192.0.2.7",), True)
    server.moods.update({f"c{n}.test": "one-hop" for n in range(7)})
    [found] = ask(("c0.test", "A"))
    assert (found.kind, found.name) == ("data", "c7.test")


@pytest.mark.loopback
@pytest.mark.parametrize("mood", ["", "one-hop"])
def test_alias_loops_end(server, ask, mood):
    server.zone["a.test"] = {"CNAME": ["b.test."]}
    server.zone["b.test"] = {"CNAME": ["a.test."]}
    server.zone["self.test"] = {"CNAME": ["self.test."]}
    server.moods.update({"a.test": mood, "b.test": mood, "self.test": mood})
    loop, itself = ask(("a.test", "A"), ("self.test", "A"))
    assert loop.kind == itself.kind == "failed"


def test_a_name_the_dns_cannot_hold_is_not_asked_for(ask, server):
    [found] = ask(("x" * 64 + ".test", "A"))
    assert found.kind == "missing"
    assert server.asked == []


@pytest.mark.loopback
def test_questions_on_the_wire_are_bounded(server, ask):
    for n in range(40):
        server.zone[f"d{n}.test"] = {"A": ["192.0.2.1"]}
    found = ask(*[(f"d{n}.test", "A") for n in range(40)], together=True, concurrency=1, timeout=2.0)
    assert all(answer.kind == "data" for answer in found)


@pytest.mark.loopback
def test_a_slow_chain_of_aliases_ends_within_four_timeouts(server, ask):
    for n in range(7):
        server.zone[f"c{n}.test"] = {"CNAME": [f"c{n + 1}.test."]}
        server.moods[f"c{n}.test"] = "one-hop"
        server.lost.add(f"c{n}.test")
    server.zone["c7.test"] = {"A": ["192.0.2.7"]}
    [found] = ask(("c0.test", "A"))
    assert found.kind == "failed"
    assert server.lost  # it was given up before the end of the chain


@pytest.mark.loopback
def test_silent_domains_do_not_keep_the_others_waiting(server, ask):
    silent = [f"s{n}.test" for n in range(8)]
    server.moods.update(dict.fromkeys(silent, "silence"))
    server.zone["good.test"] = {"A": ["192.0.2.1"]}
    ask(*[(name, "A") for name in [*silent, "good.test"]], together=True, concurrency=2)
    before = [name for name, *_ in server.asked[: server.asked.index(("good.test", "A", "udp"))]]
    # its turn came while the first tries were still waiting: nobody had been asked a second time
    assert len(before) == len(set(before))


@pytest.mark.loopback
def test_what_waits_for_its_turn_hears_of_a_dead_resolver(server, ask):
    server.dead = True
    found = ask(*[(f"d{n}.test", "A") for n in range(300)], together=True, concurrency=4)
    assert all(isinstance(fault, OwnFault) for fault in found)
    assert len(server.asked) < 150


def test_repr_tells_where_it_asks():
    assert repr(Lookup([Nameserver("::1")], clock=lambda: 0.0)) == "<Lookup at [::1]:53, well, 0 asked, 0 known>"


WITNESS = "witness.test"


@pytest.mark.loopback
def test_a_resolver_that_denies_everything_is_our_own_fault(server, ask):
    found = ask(*[(f"d{n}.test", "MX") for n in range(50)], together=True, must_exist=[WITNESS])
    assert all(isinstance(fault, OwnFault) for fault in found), "not one domain was bounced"
    words = f"the nameserver ({server.address}) denies that there is {WITNESS}, so nothing that it denies is believed; "
    assert {str(fault).partition("use")[0] for fault in found} == {words}
    assert server.count(WITNESS, "NS") < 5


@pytest.mark.loopback
def test_an_honest_no_is_believed_and_one_question_vouches_for_many(server, ask):
    server.zone[WITNESS] = {"NS": ["ns.test."]}
    names = [f"d{n}.test" for n in range(100)]
    found = ask(*[(name, "MX") for name in names], together=True, must_exist=["gone.test", WITNESS])
    assert {answer.kind for answer in found} == {"missing"}
    assert 0 < server.count(WITNESS, "NS") == server.count("gone.test", "NS") < 80


@pytest.mark.loopback
def test_what_is_found_needs_no_witness(server, ask):
    server.zone |= {f"d{n}.test": {"MX": ["10 mx.test."]} for n in range(20)}
    found = ask(*[(f"d{n}.test", "MX") for n in range(20)], must_exist=[WITNESS])
    assert {answer.kind for answer in found} == {"data"}
    assert server.count(WITNESS, "NS") == 0


@pytest.mark.loopback
def test_a_resolver_that_takes_to_lying_and_comes_to_its_senses(server):
    async def go():
        lookup = Lookup(
            [parse_nameserver(server.address)],
            clock=asyncio.get_running_loop().time,
            must_exist=[WITNESS],
        )
        honest = {"first.test": {"MX": ["10 mx.test."]}, "later.test": {"MX": ["10 mx.test."]}}
        server.zone = {**honest, WITNESS: {"NS": ["ns.test."]}}
        assert (await lookup.ask("first.test", "MX")).kind == "data"
        server.zone = {}
        with pytest.raises(OwnFault):
            await lookup.ask("d0.test", "MX")
        with pytest.raises(OwnFault):
            await lookup.ask("later.test", "MX")
        assert server.count("later.test", "MX") == 0, "while it lasts only the witness is asked for"
        server.zone = {**honest, WITNESS: {"NS": ["ns.test."]}, "d0.test": {"MX": ["10 mx.test."]}}
        assert (await lookup.ask("later.test", "MX")).kind == "data"
        assert (await lookup.ask("d0.test", "MX")).kind == "data", "what it denied was forgotten"
        assert (await lookup.ask("d1.test", "MX")).kind == "missing"

    asyncio.run(go())


@pytest.mark.loopback
@pytest.mark.parametrize("mood", ["refused", "servfail", "lame"])
def test_a_resolver_that_refuses_everything_is_our_own_fault(server, ask, mood):
    server.all = mood
    server.explained = [(18, "not on the list")]
    questions = [(f"d{n}.test", "MX") for n in range(50)]
    # long, because every question is answered, on a busy machine late
    found = ask(*questions, together=True, must_exist=[WITNESS, "other.test"], timeout=60.0)
    assert all(isinstance(fault, OwnFault) for fault in found), "not one domain was charged"
    said = "refers to other servers" if mood == "lame" else f"says {mood.upper()} (Prohibited: not on the list)"
    words = (
        f"the nameserver ({server.address}) answers no question, not even for {WITNESS}, other.test: {server.address} "
        f"{said} for {WITNESS} NS; see to its access list, its upstream servers and its trust anchor, use another one "
        "(dns.nameservers), or name what it must know (dns.must_exist)"
    )
    assert {str(fault) for fault in found} == {words}
    assert server.count(WITNESS, "NS") < 20


@pytest.mark.loopback
def test_a_resolver_that_recovers_between_a_question_and_its_proof_blames_no_domain(server, monkeypatch):
    async def go():
        server.zone |= {WITNESS: {"NS": ["ns.test."]}, "d0.test": {"MX": ["10 mx.test."]}}
        lookup = Lookup([parse_nameserver(server.address)], clock=asyncio.get_running_loop().time, must_exist=[WITNESS])
        prove = lookup.resolver_check._ask

        async def recovered(name, kind):
            server.all = ""
            return await prove(name, kind)

        monkeypatch.setattr(lookup.resolver_check, "_ask", recovered)
        server.all = "refused"
        assert (await lookup.ask("d0.test", "MX")).kind == "data"

    asyncio.run(go())


@pytest.mark.loopback
def test_a_resolver_that_is_started_anew_between_two_tries_blames_no_domain(server, monkeypatch):
    """The old one refuses, the second try meets none, and the new one answers the check for the root."""

    async def go():
        server.zone |= {WITNESS: {"NS": ["ns.test."]}, "d0.test": {"MX": ["10 mx.test."]}}
        lookup = Lookup([parse_nameserver(server.address)], clock=asyncio.get_running_loop().time, must_exist=[WITNESS])
        put, tries = lookup._try, []

        async def started_anew(*question, **options):
            tries.append(question[1])
            if len(tries) == 2:
                server.all = ""
                return "Connection refused"
            return await put(*question, **options)

        monkeypatch.setattr(lookup, "_try", started_anew)
        server.all = "refused"
        assert (await lookup.ask("d0.test", "MX")).kind == "data"

    asyncio.run(go())


@pytest.mark.loopback
@pytest.mark.parametrize("mood", ["refused", "lame"])
def test_a_root_that_is_refused_is_no_answer_of_use(server, mood):
    async def go():
        lookup = Lookup([parse_nameserver(server.address)], clock=asyncio.get_running_loop().time, must_exist=[WITNESS])
        began = asyncio.get_running_loop().time()
        server.all = mood
        await lookup.check()
        with pytest.raises(OwnFault, match="answers no question"):
            await lookup.resolver_check.verify_failure(began)

    asyncio.run(go())


@pytest.mark.loopback
@pytest.mark.parametrize("mood", ["refused", "servfail"])
def test_one_bad_zone_is_not_a_dead_resolver(server, ask, mood):
    server.zone[WITNESS] = {"NS": ["ns.test."]}
    server.moods |= {f"d{n}.test": mood for n in range(20)}
    found = ask(*[(f"d{n}.test", "MX") for n in range(20)], must_exist=["filtered.test", WITNESS])
    assert {answer.kind for answer in found} == {"failed"}


@pytest.mark.loopback
def test_a_resolver_that_refuses_the_witness_and_knows_another_name_is_not_dead(server, ask):
    """It serves some zones only; the names of others are refused, and that is their failure."""
    server.zone["own.test"] = {"MX": ["10 mx.test."]}
    server.moods |= {WITNESS: "refused", "d1.test": "refused", "d2.test": "refused"}
    questions = [("own.test", "MX"), ("d1.test", "MX"), ("d2.test", "MX")]
    assert [answer.kind for answer in ask(*questions, must_exist=[WITNESS])] == ["data", "failed", "failed"]


@pytest.mark.loopback
def test_a_resolver_that_takes_to_refusing_everything_and_comes_back(server):
    async def go():
        lookup = Lookup([parse_nameserver(server.address)], clock=asyncio.get_running_loop().time, must_exist=[WITNESS])
        server.zone |= {f"d{n}.test": {"MX": ["10 mx.test."]} for n in range(9)}
        server.moods[WITNESS] = "refused"
        assert [(await lookup.ask(f"d{n}.test", "MX")).kind for n in range(5)] == ["data"] * 5
        server.all = "servfail"
        for n in range(5, 9):
            with pytest.raises(OwnFault, match="answers no question"):
                await lookup.ask(f"d{n}.test", "MX")
        server.all = ""
        assert [(await lookup.ask(f"d{n}.test", "MX")).kind for n in range(9)] == ["data"] * 9

    asyncio.run(go())


@pytest.mark.loopback
def test_without_a_name_that_must_exist_no_failure_is_a_fault_of_our_own(server, ask):
    server.all = "refused"
    [found] = ask(("d1.test", "MX"))
    assert found.kind == "failed"


@pytest.mark.loopback
def test_a_resolver_of_its_own_zones_only_is_believed_about_those(server, ask):
    server.moods[WITNESS] = "refused"
    found = ask(*[(f"d{n}.test", "MX") for n in range(30)], must_exist=[WITNESS])
    assert {answer.kind for answer in found} == {"missing"}
    assert server.count(WITNESS, "NS") <= 2, "nor is it asked in vain for each"
