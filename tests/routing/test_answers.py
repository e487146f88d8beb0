from __future__ import annotations

import dns.edns
import dns.exception
import dns.message
import dns.name
import pytest

from bulkmail.routing.answers import name_text, read, refusal

SOA = "SOA ns.test. hostmaster.test. 1 2 3 4 60"


def response(*, answer=(), authority=(), rcode="NOERROR", flags="QR RD RA", kind="MX"):
    lines = ["id 1", "opcode QUERY", f"rcode {rcode}", f"flags {flags}", ";QUESTION", f"a.x.test. IN {kind}", ";ANSWER"]
    return dns.message.from_text("\n".join([*lines, *answer, ";AUTHORITY", *authority, ""]))


@pytest.mark.parametrize(
    ("authority", "kind"),
    [
        ([f"a.x.test. 300 IN {SOA}"], "empty"),
        ([f"x.test. 300 IN {SOA}"], "empty"),
        ([f"X.TEST. 300 IN {SOA}", "x.test. 300 IN NS ns.test."], "empty"),
        ([f". 300 IN {SOA}"], "empty"),
        ([], "bare"),
        (["x.test. 300 IN NS ns.test."], "referral"),
        (["test. 300 IN NS ns.test."], "referral"),
        ([". 300 IN NS a.root-servers.net."], "referral"),
        ([f"b.x.test. 300 IN {SOA}"], "referral"),
        ([f"parked.example. 300 IN {SOA}"], "referral"),
        (["x.test. 300 IN TXT x"], "bare"),
    ],
)
@pytest.mark.parametrize("flags", ["QR RD RA", "QR AA RD"])
def test_what_an_answer_without_data_says(authority, kind, flags):
    assert read(response(authority=authority, flags=flags)).kind == kind


@pytest.mark.parametrize(
    ("authority", "kind"),
    [
        ([f"other.test. 300 IN {SOA}"], "empty"),
        ([f"x.test. 300 IN {SOA}"], "alias"),
        (["x.test. 300 IN NS ns.test."], "alias"),
        ([], "alias"),
    ],
)
def test_what_an_alias_without_data_says(authority, kind):
    said = read(response(answer=["a.x.test. 300 IN CNAME B.other.test."], authority=authority))
    assert (said.kind, name_text(said.name), said.aliased) == (kind, "b.other.test", True)


def test_a_record_of_another_name_is_none():
    assert read(response(answer=["b.x.test. 300 IN MX 10 mx.test."])).kind == "bare"


def test_data_and_denials():
    said = read(response(answer=["a.x.test. 300 IN MX 10 MX1.test.", "a.x.test. 300 IN MX 20 mx2.test."]))
    assert (said.kind, said.ttl, sorted(said.records)) == ("data", 300, [(10, "mx1.test"), (20, "mx2.test")])
    assert read(response(answer=["a.x.test. 300 IN NS NS.test."], kind="NS")).records == ("ns.test",)
    assert read(response(answer=["a.x.test. 300 IN A 192.0.2.1"], kind="A")).records == ("192.0.2.1",)
    assert read(response(answer=['a.x.test. 300 IN TXT "p=" "abc"'], kind="TXT")).records == ("p=abc",)
    assert read(response(rcode="NXDOMAIN")).kind == "missing"


@pytest.mark.parametrize(
    ("answer", "rcode"),
    [
        (["a.x.test. 300 IN CNAME b.test.", "b.test. 300 IN CNAME a.x.test."], "NOERROR"),
        (["a.x.test. 300 IN MX 10 mx.test."], "NXDOMAIN"),
    ],
)
def test_what_makes_no_sense(answer, rcode):
    with pytest.raises(dns.exception.DNSException):
        read(response(answer=answer, rcode=rcode))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "SERVFAIL"),
        ([(7, None)], "SERVFAIL (Signature Expired)"),
        ([(6, "no  keys\r\n\x1b[31m"), (9, None)], "SERVFAIL (DNSSEC Bogus: no keys [31m; DNSKEY Missing)"),
        ([(49152, "our own")], "SERVFAIL (extended error 49152: our own)"),
        ([(0, "x" * 1000)], f"SERVFAIL (Other: {'x' * 200})"),
        ([(22, None)] * 9, "SERVFAIL (" + "; ".join(["No Reachable Authority"] * 3) + ")"),
    ],
)
def test_a_refusal_and_what_explains_it(options, words):
    refused = response(rcode="SERVFAIL")
    refused.use_edns(0, options=[dns.edns.EDEOption(code, text) for code, text in options])
    assert refusal(dns.message.from_wire(refused.to_wire())) == words
