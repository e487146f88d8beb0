from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bulkmail.content import new_pem, record
from bulkmail.preflight.sender import SenderKey, check_sender


def test_of_a_sender_whose_records_are_right_nothing_is_told(good, sender):
    assert good.ask(check_sender, sender()) == []


def test_a_domain_that_does_not_exist_ends_the_check(good, sender, codes):
    found = good.ask(check_sender, sender(from_domain="shpo.test"))
    assert codes(found) == {"from-domain-takes-no-mail": "error"}
    assert str(found[0]).startswith("shpo.test: the domain of `from` does not exist (NXDOMAIN)")


def test_a_new_sender_is_told_what_to_publish(names, sender, codes):
    names.zone["shop.test"] = {"A": ["192.0.2.20"]}
    found = names.ask(check_sender, sender(keys=(), hostname="box.localdomain"))
    assert codes(found) == {
        "spf-missing": "warning",
        "dkim-unsigned": "warning",
        "dmarc-missing": "warning",
        "dmarc-not-aligned": "warning",
        "hostname-not-qualified": "warning",
        "ptr-missing": "error",
    }
    remedies = {finding.code: finding.remedy for finding in found}
    assert remedies["spf-missing"] == 'publish shop.test. IN TXT "v=spf1 mx ip4:192.0.2.10 ~all"'
    assert remedies["dmarc-missing"] == (
        'publish _dmarc.shop.test. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@shop.test"'
    )
    assert "10.2.0.192.in-addr.arpa. IN PTR box.localdomain." in remedies["ptr-missing"]


def test_mail_that_the_policy_has_refused_is_an_error(good, sender, codes):
    good.text("shop.test", "v=spf1 -all")
    other = SenderKey("shop.test", "s2", new_pem("ed25519"))
    found = good.ask(check_sender, sender(keys=(other,)))
    assert codes(found) == {
        "spf-fail": "error",
        "dkim-record-missing": "error",
        "dkim-no-rsa": "warning",
        "dmarc-not-aligned": "error",
    }
    assert "asks receivers to refuse such mail (p=reject)" in str(found[-1])


def test_through_a_relay_only_what_is_ours_is_checked(good, sender, codes):
    found = good.ask(check_sender, sender(relay="smtp.relay.test", addresses=(), hostname="box.localdomain", tls="off"))
    assert codes(found) == {"spf-not-evaluated": "note"}
    found = good.ask(check_sender, sender(relay="smtp.relay.test", addresses=(), keys=()))
    assert codes(found) == {"spf-not-evaluated": "note", "dkim-unsigned": "note"}
    assert "make sure that smtp.relay.test signs it for shop.test" in str(found)


def test_a_name_server_that_is_dead_is_no_fault_of_the_campaign(good, sender, codes):
    good.server.dead = True
    found = good.ask(check_sender, sender())
    assert codes(found) == {"dns-no-answer": "warning"}
    assert "no nameserver gives any answer" in str(found[0])


def test_a_name_server_that_fails_makes_no_errors(good, sender, codes):
    for name in list(good.zone):
        good.moods[name] = "servfail"
    found = good.ask(check_sender, sender())
    assert set(codes(found).values()) == {"warning"}
    assert set(codes(found)) == {
        "from-domain-unknown", "spf-unknown", "dkim-unknown", "dmarc-unknown", "hostname-unknown", "ptr-unknown"
    }  # fmt: skip


def test_a_record_in_another_form_is_right(good, sender):
    pem = new_pem("rsa")
    text = record(pem)
    p = text.partition("p=")[2]
    key = SenderKey("shop.test", "r1", pem)
    for form in (
        [text[:200], text[200:]],
        f"p={p}",
        f" k = rsa ;\tp={p[:64]} {p[64:]} ; v=DKIM1; h=sha1:sha256; s=email",
        f"v=DKIM1; t=s; n=x; p={p};",
    ):
        good.text("r1._domainkey.shop.test", form)
        assert good.ask(check_sender, sender(keys=(key,))) == []
    good.text("keys.elsewhere.test", [text[:255], text[255:]])
    good.zone["r1._domainkey.shop.test"] = {"CNAME": ["keys.elsewhere.test."]}
    assert good.ask(check_sender, sender(keys=(key,))) == []
    bare = load_pem_private_key(pem, None).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    good.text("r1._domainkey.shop.test", "v=DKIM1; p=" + b64encode(bare).decode())
    (odd,) = good.ask(check_sender, sender(keys=(key,)))
    assert (odd.code, odd.severity) == ("dkim-record-odd", "warning")
