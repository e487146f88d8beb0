from __future__ import annotations

import json

import pytest

from bulkmail import cli
from bulkmail.commands import explain
from bulkmail.routing import MxHost, RouteFailure, Site, Unfetched

UNFETCHED = Unfetched("a.example", "", "HTTP status 404", 1796133900.0, in_force=False)


def test_a_provider_needs_no_spool_and_no_dns(place, capsys):
    assert cli.main(["explain", "google"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("No service was asked, so what happens now is not known; provider google gets at most ")
    assert "  connections              5  (shipped for google)\n" in out
    assert not (place / "spool").exists()


def test_a_domain_is_looked_up(taught, capsys, monkeypatch):
    site = Site("mx.a.example~12ab", (MxHost(10, "mx.a.example", ()),), "", "mx.a.example")
    monkeypatch.setattr(explain, "_route", lambda *_: (site, [UNFETCHED]))
    assert cli.main(["explain", "ann@a.example", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["site"], found["hosts"]) == ("mx.a.example", ["mx.a.example"])
    assert found["learnt"][0].startswith("takes 20 messages on a connection; since ")
    assert found["policy_problem"] == UNFETCHED.words
    assert cli.main(["explain", "a.example"]) == 0
    assert f"policy    {UNFETCHED.words}\n" in capsys.readouterr().out
    monkeypatch.setattr(explain, "_route", lambda *_: (RouteFailure(False, "dns", "the DNS did not answer"), []))
    assert cli.main(["explain", "a.example"]) == 0
    assert capsys.readouterr().out == (
        "There is nowhere to send its mail to: the DNS did not answer. It is tried again.\n"
    )


def test_what_is_neither(place, capsys):
    assert cli.main(["explain", "gogle"]) == 1
    assert "neither a domain nor an address" in capsys.readouterr().err


@pytest.mark.loopback
def test_the_dns_is_really_asked(world, tmp_path):
    ended = world.bulkmail("explain", "d3.test")
    assert ended.status == 0, ended.said
    assert "site      mx3.test" in ended.out
    relayed = world.settings(relay={"host": "127.0.0.1", "port": 2525, "tls": "off"})
    assert relayed.exists()
    ended = world.bulkmail("explain", "d3.test")
    assert "(the default of `relay`)" in ended.out


@pytest.mark.loopback
def test_of_a_relay_that_the_dns_does_not_know_the_settings_are_shown(world):
    relay = {"host": "relay.nowhere.test", "port": 2525, "tls": "off"}
    path = world.settings(routing={"routes": [{"domains": ["d3.test"], "relay": relay}]})
    ended = world.bulkmail("explain", "d3.test")
    assert ended.status == 0, ended.said
    assert ended.out.startswith(
        "Nothing is sent to relay relay.nowhere.test, because of a fault of our own: the relay ("
    )
    assert f"relay.nowhere.test:2525  ({path}:" in ended.out
    assert "(the default of `relay`)" in ended.out
    assert world.bulkmail("explain", "d4.test").out.startswith("No service was asked")
