from __future__ import annotations

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.content import new_pem
from bulkmail.preflight.sender import keys_of, sender_of
from bulkmail.preflight.sender.facts import _second
from bulkmail.settings import load_settings

FOUR, SIX = "192.0.2.1", "2001:db8::1"
YAML = """\
name: spring
from: "Example Shop <News@Mail.Shop.test>"
subject: "Hi"
template: {text: body.txt.j2}
recipients: recipients.csv
"""


@pytest.fixture
def facts(tmp_path):
    """``facts(campaign, settings)``: the sender, by what stands further in both files."""

    def of(campaign="", settings=""):
        (tmp_path / "body.txt.j2").write_text("Hello\n")
        (tmp_path / "recipients.csv").write_text("email\na@example.org\n")
        (tmp_path / "campaign.yaml").write_text(YAML + campaign)
        (tmp_path / "s.yaml").write_text("hostname: mta1.shop.test\n" + settings)
        for name in ("a", "b", "c"):
            (tmp_path / f"{name}.pem").write_bytes(new_pem("ed25519"))
            (tmp_path / f"{name}.pem").chmod(0o600)
        loaded = load_settings("s.yaml", str(tmp_path))
        return sender_of(load_campaign(str(tmp_path)), loaded, "mta1.shop.test", ["192.0.2.1"]), loaded

    return of


@pytest.mark.parametrize(
    ("mode", "addresses", "second"),
    [
        ("prefer-v4", (FOUR, SIX), (SIX,)),
        ("prefer-v6", (SIX, FOUR), (FOUR,)),
        ("prefer-v4", (SIX,), ()),
        ("v6", (SIX, FOUR), ()),
    ],
)
def test_addresses_of_the_ip_version_that_is_tried_second(mode, addresses, second):
    assert _second(mode, addresses) == second


def test_of_a_plain_campaign(facts):
    sender, _ = facts()
    assert (sender.from_domain, sender.envelope, sender.envelope_domain) == (
        "mail.shop.test",
        "News@mail.shop.test",
        "mail.shop.test",
    )
    assert (sender.hostname, sender.addresses, sender.keys) == ("mta1.shop.test", ("192.0.2.1",), ())
    assert (sender.relay, sender.tls, sender.one_click) == ("", "opportunistic", False)


def test_of_one_whose_bounces_come_back_here(facts):
    sender, _ = facts("unsubscribe: built-in\n", "inbound: {domains: [In.Bounces.test, b.test]}\n")
    assert (sender.unsubscribe, sender.one_click) == (True, False)
    sender, _ = facts("unsubscribe: built-in\n", "public: {url: https://u.shop.test}\n")
    assert (sender.unsubscribe, sender.one_click, sender.unlisted) == (True, True, True)
    for more in ("list: readers\n", "kind: transactional\n"):
        assert not facts(f"unsubscribe: built-in\n{more}", "public: {url: https://u.shop.test}\n")[0].unlisted
    everywhere = "public: {url: https://u.shop.test}\nsuppression: {auto: {unsubscribed: all}}\n"
    assert not facts("unsubscribe: built-in\n", everywhere)[0].unlisted
    assert not facts('unsubscribe: {url: "https://shop.test/{{ token }}"}\n', everywhere)[0].unlisted
    sender, _ = facts(settings="inbound: {domains: [In.Bounces.test, b.test]}\n")
    assert sender.envelope == "bounces+token@in.bounces.test"
    assert (sender.inbound, sender.complaints, sender.marketing) == ("in.bounces.test", False, True)
    sender, _ = facts(
        "envelope_from: b@bounces.shop.test\nkind: transactional\n",
        "inbound: {domains: [in.bounces.test]}\ndkim:\n  - {domain: shop.test, selector: s0, key: a.pem}\n"
        "  - {domain: bounces.test, selector: s1, key: b.pem}\n  - {domain: other.test, selector: s2, key: c.pem}\n",
    )
    assert sender.envelope == "b@bounces.shop.test"
    assert [key.selector for key in sender.keys] == ["s0", "s1"]
    assert (sender.complaints, sender.marketing) == (True, False)


def test_of_one_with_everything(facts):
    domains = ("shop.test", "mail.shop.test", "other.test")
    keys = [f"{{domain: {domain}, selector: s{n}, key: {'abc'[n]}.pem}}" for n, domain in enumerate(domains)]
    sender, settings = facts(
        'envelope_from: b@bounces.shop.test\nunsubscribe: {url: "https://shop.test/u/{{ token }}"}\n',
        f"dkim: [{', '.join(keys)}]\nrelay: {{host: smtp.relay.test}}\ntls: {{mode: required}}\n",
    )
    assert sender.envelope_domain == "bounces.shop.test"
    assert [key.selector for key in sender.keys] == ["s1"]  # the nearest signs
    assert (sender.relay, sender.tls, sender.one_click) == ("smtp.relay.test", "required", True)
    assert [key.selector for key in keys_of(settings)] == ["s0", "s1", "s2"]
