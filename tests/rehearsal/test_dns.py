from __future__ import annotations

import contextlib
import socket
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from twisted.internet.selectreactor import SelectReactor

from bulkmail.rehearsal.dns import Answers, listen
from bulkmail.rehearsal.network import Totals
from bulkmail.rehearsal.zone import Zone


class Asked:
    """Answers, and what they asked for themselves."""

    def __init__(self, cache_size: int = 1000) -> None:
        self.zone = Zone()
        self.hosts: list[str] = []
        self.totals = Totals()
        self.answers = Answers(self.zone, self.address_of, self.totals, cache_size=cache_size)

    def address_of(self, host: str) -> str | None:
        self.hosts.append(host)
        found = self.zone.host(host)
        return None if found is None else "127.77.0.7"

    def __call__(self, name: str, kind: str, *, largest: int | None = None, **options) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **options)
        wire = self.answers.answer(query.to_wire(), largest=largest)
        assert wire is not None
        answer = dns.message.from_wire(wire)
        assert query.is_response(answer), "id, question and spelling are the query's"
        return answer


@pytest.fixture
def ask() -> Asked:
    return Asked()


def mx(answer: dns.message.Message) -> list[tuple[int, str]]:
    return sorted((record.preference, record.exchange.to_text()) for record in answer.answer[0])


def test_mx(ask: Asked) -> None:
    answer = ask("GMail.com", "MX")
    assert mx(answer)[:2] == [(5, "gmail-smtp-in.l.google.com."), (10, "alt1.gmail-smtp-in.l.google.com.")]
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.flags & dns.flags.RA
    assert ask.hosts == [], "no address is handed out before a host is asked for"


def test_a_host_has_one_address_and_only_of_version_four(ask: Asked) -> None:
    assert ask("mx.example.org", "A").answer[0][0].address == "127.77.0.7"
    nothing = ask("mx.example.org", "AAAA")
    assert nothing.answer == []
    assert nothing.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("example.org", "A"), ("example.org", "TXT"), ("_dmarc.example.org", "TXT"), ("www.example.org", "A"),
        ("mx.example.org", "MX"), ("implicit.test", "MX"), ("empty.test", "MX"), ("empty.test", "A"),
        ("null-mx.test", "A"), (".", "NS"), ("mx.lost-mx.test", "A"),
    ],
)  # fmt: skip
def test_what_there_is_none_of(ask: Asked, name: str, kind: str) -> None:
    answer = ask(name, kind)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.answer == []
    assert answer.authority[0].rdtype == dns.rdatatype.SOA


def test_the_failing_kinds(ask: Asked) -> None:
    assert ask("gone-away.example", "MX").rcode() == dns.rcode.NXDOMAIN
    assert ask("x.invalid", "A").rcode() == dns.rcode.NXDOMAIN
    assert ask("servfail.test", "MX").rcode() == dns.rcode.SERVFAIL
    assert mx(ask("null-mx.test", "MX")) == [(0, ".")]
    assert ask("implicit.test", "A").answer[0][0].address == "127.77.0.7"
    silent = dns.message.make_query("dns-silent.test", "MX").to_wire()
    assert ask.answers.answer(silent) is None
    assert ask.answers.answer(silent) is None


def test_a_large_answer_is_cut_over_udp(ask: Asked) -> None:
    cut = ask("many-mx.test", "MX", largest=512)
    assert cut.flags & dns.flags.TC
    assert cut.answer == []
    assert not ask("many-mx.test", "MX").flags & dns.flags.TC
    assert len(ask("many-mx.test", "MX").answer[0]) == 60
    assert ask("gmail.com", "MX", largest=512).flags & dns.flags.TC == 0


def test_edns_makes_room(ask: Asked) -> None:
    wide = ask("many-mx.test", "MX", largest=512, use_edns=0, payload=4096)
    assert len(wide.answer[0]) == 60
    assert wide.edns == 0
    narrow = ask("many-mx.test", "MX", largest=512, use_edns=0, payload=600)
    assert narrow.flags & dns.flags.TC
    assert narrow.edns == 0
    assert ask("many-mx.test", "MX", use_edns=False).edns == -1


def test_the_second_answer_comes_from_memory(ask: Asked) -> None:
    first, second = ask("mx.example.org", "A"), ask("MX.Example.ORG", "A")
    assert first.answer[0][0] == second.answer[0][0]
    assert ask.hosts == ["mx.example.org"]
    assert ask.totals.dns_queries == 2


def test_types_are_not_confused_by_letter_case(ask: Asked) -> None:
    # the type numbers 65 and 97 differ as "A" and "a" do
    assert ask("example.org", "HTTPS").question[0].rdtype == 65
    assert ask("example.org", "TYPE97").question[0].rdtype == 97


def test_memory_is_bounded() -> None:
    ask = Asked(cache_size=2)
    for number in range(10):
        ask(f"d{number}.example.org", "MX")
    assert len(ask.answers._cache) == 2


def test_what_is_no_question(ask: Asked) -> None:
    good = dns.message.make_query("example.org", "MX").to_wire()
    assert ask.answers.answer(b"") is None
    assert ask.answers.answer(good[:11]) is None
    assert ask.answers.answer(good[:2] + b"\x80" + good[3:]) is None, "a response is not answered"
    for broken in (good[:-5], good[:12] + b"\xc0\x0c" + good[14:], good[:12] + b"\x40" + good[13:], good[:14]):
        answer = ask.answers.answer(broken)
        assert answer is not None
        assert answer[:2] == good[:2]
        assert answer[3] & 15 == dns.rcode.FORMERR
    notify = ask.answers.answer(good[:2] + b"\x20" + good[3:])
    assert notify is not None
    assert notify[3] & 15 == dns.rcode.NOTIMP


@pytest.mark.loopback
def test_over_udp_and_tcp(process) -> None:
    world = process()
    assert world.hosts("gmail.com")[0] == "gmail-smtp-in.l.google.com"
    cut = world.ask("many-mx.test", "MX", use_edns=False)
    assert cut.flags & dns.flags.TC
    query = dns.message.make_query("many-mx.test", "MX")
    whole = dns.query.tcp(query, world.dns_ip, port=world.dns_port, timeout=300)
    assert len(whole.answer[0]) == 60
    addresses = {world.address(host) for host in world.hosts("gmail.com")}
    assert len(addresses) == 5
    assert all(address.startswith("127.77.") for address in addresses)
    assert world.stop()["dns_queries"] >= 8


@pytest.mark.loopback
# Twisted does not close the socket that it could not bind
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_port_that_another_program_has_over_udp_is_given_up_for_another_one(ask: Asked) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:

        class Reactor(SelectReactor):
            """The other program takes the first port that is free over TCP."""

            def listenTCP(self, *arguments: Any, **further: Any) -> Any:
                tcp = super().listenTCP(*arguments, **further)
                with contextlib.suppress(OSError):  # it has one
                    other.bind(("127.0.0.1", tcp.getHost().port))
                return tcp

        reactor = Reactor()
        tcp, udp = listen(reactor, ask.answers)
        assert tcp.getHost().port == udp.getHost().port != other.getsockname()[1]
        for one in (tcp, udp):
            one.stopListening()
        reactor.iterate()
        reactor.removeAll()
