from __future__ import annotations

import argparse

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.commands import sender as module
from bulkmail.commands.sender import add_addresses, facts_of, is_private, public_addresses, sender_findings, with_lookup
from bulkmail.mail import OwnFault
from bulkmail.settings import load_settings

PUBLIC, SIX = "198.51.100.7", "2a00:1450::7"
SOURCES = (
    "sources: [{name: a, address: 192.0.2.10, hostname: mta2.shop.test}, {name: six, address: '2001:db8::1'},"
    " {name: nat, address: 10.0.0.7}]\npools: {p: [six]}\n"
)


def given(*arguments):
    parser = argparse.ArgumentParser()
    add_addresses(parser)
    return parser.parse_args(arguments).address


def test_addresses_are_addresses(capsys):
    assert given("--address", "192.0.2.1", "--address", "2001:DB8::1") == ["192.0.2.1", "2001:db8::1"]
    assert given() == []
    with pytest.raises(SystemExit):
        given("--address", "mta1.example.com")
    assert "'mta1.example.com' is not an IP address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("own", "more", "asked", "found"),
    [
        ((PUBLIC, ""), "", [], [PUBLIC]),
        ((PUBLIC, SIX), "", [], [PUBLIC, SIX]),
        ((PUBLIC, SIX), "routing: {ip: prefer-v6}\n", [], [SIX, PUBLIC]),
        ((PUBLIC, SIX), "routing: {ip: v4}\n", [], [PUBLIC]),
        ((PUBLIC, "fd00::7"), "", [], [PUBLIC]),
        (("10.0.0.7", SIX), "", [], [SIX]),
        ((PUBLIC, SIX), "", ["192.0.2.1", "192.0.2.1"], ["192.0.2.1"]),
        (("10.0.0.7", ""), "", [], []),
        (("", ""), "", [], []),
        ((PUBLIC, SIX), SOURCES, [], ["192.0.2.10", "2001:db8::1"]),
        ((PUBLIC, SIX), SOURCES, ["192.0.2.1"], ["192.0.2.1"]),
        ((PUBLIC, SIX), "relay: {host: smtp.relay.test}\n", [], []),
        ((PUBLIC, ""), "relay: {host: smtp.relay.test}\n", ["192.0.2.1"], ["192.0.2.1"]),
    ],
)
def test_the_addresses_that_receivers_see(place, monkeypatch, own, more, asked, found):
    monkeypatch.setattr(module, "source_address", {4: own[0], 6: own[1]}.__getitem__)
    (place / "bulkmail.yaml").write_text("hostname: mta1.example.com\n" + more)
    assert public_addresses(load_settings(None, str(place)), asked) == found


def test_private_addresses():
    assert [is_private(ip) for ip in ("127.0.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "192.0.2.1")] == [
        True, True, True, True, False
    ]  # fmt: skip


def settings_at(place, server, more=""):
    dns = f"dns: {{nameservers: ['{server.address}'], timeout: {server.patience}s, must_exist: []}}\n"
    (place / "bulkmail.yaml").write_text("hostname: mta1.shop.test\n" + dns + more)
    return load_settings(None, str(place))


def test_the_findings_about_a_campaigns_sender(place, name_server):
    server = name_server()
    server.zone.update({"example.com": {"A": ["192.0.2.9"]}, "mta1.shop.test": {"A": ["192.0.2.1"]}})
    settings = settings_at(place, server)
    found = sender_findings(facts_of(load_campaign(str(place / "spring")), settings, ["192.0.2.1"]), settings)
    assert {finding.code for finding in found} >= {"dkim-unsigned", "ptr-missing", "no-unsubscribe"}


def test_a_name_server_that_does_not_answer(place, name_server):
    server = name_server()
    server.dead = True
    settings = settings_at(place, server)
    with pytest.raises(OwnFault, match="no nameserver"):
        with_lookup(settings, lambda lookup: lookup.ask("example.com", "MX"))


def test_a_dns_that_is_too_slow_makes_no_errors(place, name_server, monkeypatch):
    monkeypatch.setattr(module, "_WITHIN", 0.05)
    server = name_server()
    server.moods["example.com"] = "silence"
    server.zone["example.com"] = {}
    settings = settings_at(place, server)
    found = sender_findings(facts_of(load_campaign(str(place / "spring")), settings, ["192.0.2.1"]), settings)
    assert [finding.code for finding in found] == ["dkim-unsigned", "no-unsubscribe", "dns-no-answer"]


def test_a_campaign_is_checked_for_the_addresses_of_its_pool(place):
    (place / "bulkmail.yaml").write_text("hostname: mta1.shop.test\n" + SOURCES)
    settings = load_settings(None, str(place))
    assert public_addresses(settings, [], "p") == ["2001:db8::1"]
    with (place / "spring" / "campaign.yaml").open("a") as file:
        file.write("sources: p\n")
    sender = facts_of(load_campaign(str(place / "spring")), settings)
    assert (sender.addresses, sender.second) == (("2001:db8::1",), ())
    assert sender.names == (("192.0.2.10", "mta2.shop.test"),)
