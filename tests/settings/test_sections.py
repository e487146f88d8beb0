# ruff: noqa: E501 - the example stands here as people see it
from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from bulkmail.mail import Rate
from bulkmail.settings import SHIPPED_PROVIDERS, Dkim, Settings
from bulkmail.shaping import provider_table

EVERY_KEY = """\
hostname: mta1.example.com            # EHLO name; default: the machine's FQDN
spool: ./spool                        # a directory (SQLite + journal), or postgresql://…
dns: {nameservers: ["127.0.0.1:53"], timeout: 5s}          # default: the system's resolvers
routing: {allow_networks: []}         # MX addresses that are loopback, private, link-local, multicast or unspecified are refused
                                      # unless listed here, e.g. ["127.0.0.0/8"]; the name `localhost` is always refused
smtp: {port: 25, pipelining: auto, chunking: auto, window: 16,
       timeouts: {connect: 30s, greeting: 60s, ehlo: 60s, starttls: 30s, mail: 60s, rcpt: 60s,
                  data: 120s, body: 180s, dot: 600s, quit: 10s}}
tls: {mode: opportunistic}            # off | opportunistic | required | verify ; per provider too
relay: null                           # {host, port, tls, username, password_file}: send everything through a relay
dkim: [{domain: example.com, selector: s1, key: keys/example.com.pem}]     # matched to the From domain; when dkim is set
                                                                            # and no key matches, the campaign is refused
suppress: []
retry: {schedule: [10m, 10m, 30m, 1h, 2h, 4h], expire_after: 3d,          # the n-th failure waits the n-th interval, the last repeats
        unknown_after: 15m, unknown_attempts: 3, greylist_after: 5m}       # after a lost final reply; after greylisting
shaping:
  total: {connections: 2000}          # of this process; lowered to what RLIMIT_NOFILE (raised to its hard limit) allows
  default: {connections: 10, messages_per_connection: 100, rate: 100/s, connection_rate: 100/m, idle: 60s}
  providers: {}                       # overrides and additions to the shipped table
compose: {processes: auto}
stop_within: 30s
web: {listen: "127.0.0.1:8025"}
"""


def test_the_whole_example_is_taken_and_says_the_defaults(read: Callable[[str], Settings]) -> None:
    settings = read(EVERY_KEY)
    assert settings.hostname == "mta1.example.com"
    assert settings.dns.nameservers == ("127.0.0.1:53",)
    assert settings.dkim[0].pem == b"PEM"
    defaults = read("# none")
    same = {"hostname": None, "dns": defaults.dns, "dkim": (), "web": None}
    assert settings.model_copy(update=same).model_dump() == defaults.model_dump()


def test_the_defaults(read: Callable[[str], Settings]) -> None:
    settings = read("# none")
    assert settings.hostname is None
    assert settings.dns.nameservers is None
    assert settings.dns.timeout == 5
    assert settings.routing.allow_networks == ()
    assert (settings.smtp.port, settings.smtp.pipelining, settings.smtp.chunking, settings.smtp.window) == (
        25,
        "auto",
        "auto",
        16,
    )
    assert settings.smtp.timeouts.model_dump() == {
        "connect": 30.0,
        "greeting": 60.0,
        "ehlo": 60.0,
        "starttls": 30.0,
        "auth": 60.0,
        "mail": 60.0,
        "rcpt": 60.0,
        "data": 120.0,
        "body": 180.0,
        "dot": 600.0,
        "quit": 10.0,
    }
    assert settings.tls.mode == "opportunistic"
    assert settings.relay is None
    assert settings.retry.schedule == (600.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0)
    assert (settings.retry.expire_after, settings.retry.unknown_after, settings.retry.greylist_after) == (
        259200.0,
        900.0,
        300.0,
    )
    assert settings.shaping.total.connections == 2000
    limits = settings.shaping.default
    assert (limits.connections, limits.messages_per_connection, limits.idle) == (10, 100, 60.0)
    assert limits.rate == Rate(100, 1.0, 10)
    assert limits.connection_rate == Rate(100, 60.0, 1)
    assert settings.shaping.providers == {}
    assert settings.compose.processes == "auto"
    assert settings.stop_within == 30.0
    assert settings.web is None


def test_what_else_may_be_written(read: Callable[[str], Settings]) -> None:
    settings = read(
        """
hostname: MTA1.Bücher.example
dns: {nameservers: ["192.0.2.1", "[::1]:5353", "2001:db8::1", "[::2]"], timeout: 500ms}
routing: {allow_networks: ["127.0.0.0/8", "fd00::/8", "10.1.2.3"]}
smtp: {port: 2525, pipelining: off, timeouts: {dot: 5m}}
tls: {mode: off}
suppress: [never.csv]
retry: {schedule: [1m]}
shaping:
  total: {connections: 5}
  default: {rate: "5000/h,burst=10", connections: 1}
  providers:
    google: {connections: 2, tls: verify}
    qq: {shares: auto}
    acme: {mx: [.Acme.example, mx.acme2.example], rate: 1/s, connection_rate: 6/m, idle: 5s, messages_per_connection: 3}
compose: {processes: 2}
"""
    )
    assert settings.hostname == "mta1.xn--bcher-kva.example"
    assert settings.dns.nameservers == ("192.0.2.1:53", "[::1]:5353", "[2001:db8::1]:53", "[::2]:53")
    assert settings.dns.timeout == 0.5
    assert settings.routing.allow_networks == ("127.0.0.0/8", "fd00::/8", "10.1.2.3/32")
    assert (settings.smtp.port, settings.smtp.pipelining, settings.smtp.timeouts.dot) == (2525, "off", 300.0)
    assert settings.smtp.timeouts.connect == 30.0
    assert settings.tls.mode == "off"
    assert settings.retry.schedule == (60.0,)
    assert settings.shaping.default.rate == Rate(5000, 3600.0, 10)
    google, acme = settings.shaping.providers["google"], settings.shaping.providers["acme"]
    assert (google.connections, google.tls, google.mx, google.rate) == (2, "verify", None, None)
    assert acme.mx == (".acme.example", "mx.acme2.example")
    assert (acme.rate, acme.idle, acme.messages_per_connection) == (Rate(1, 1.0, 1), 5.0, 3)
    assert settings.compose.processes == 2
    assert settings.shaping.overrides == {
        "google": {"connections": 2, "tls": "verify"},
        "qq": {"shares": 0},
        "acme": {
            "mx": (".acme.example", "mx.acme2.example"),
            "messages_per_connection": 3,
            "rate": Rate(1, 1.0, 1),
            "connection_rate": Rate(6, 60.0, 1),
            "idle": 5.0,
        },
    }
    assert set(provider_table(settings.shaping.overrides)) == SHIPPED_PROVIDERS | {"acme"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spol: x", "1:1: `spol` is not a known key; did you mean `spool`?"),
        ("port: 25", "1:1: `port` is not a known key; did you mean `smtp.port`?"),
        (
            "stop_within: 30",
            "1:14: stop_within: 30 is not a duration; write a number and a unit, such as 500ms, 30s, 10m, 2h or 3d",
        ),
        ("stop_within: 50ms", "1:14: stop_within: '50ms' is too short; the shortest duration is 100ms"),
        (
            "smtp: {timeouts: {dot: 10 min}}",
            (
                "1:24: smtp.timeouts.dot: '10 min' is not a duration; "
                "write a number and a unit, such as 500ms, 30s, 10m, 2h or 3d"
            ),
        ),
        (
            "retry: {schedule: [10m, x]}",
            (
                "1:25: retry.schedule[1]: 'x' is not a duration; "
                "write a number and a unit, such as 500ms, 30s, 10m, 2h or 3d"
            ),
        ),
        ("retry: {schedule: []}", "1:19: retry.schedule: must not be empty; remove the key to get the default"),
        (
            "shaping: {default: {rate: 100}}",
            (
                "1:27: shaping.default.rate: 100 is not a rate; "
                "write count/unit, such as 100/s, 5000/h or 20000/d,burst=10"
            ),
        ),
        (
            "shaping: {default: {rate: 0/s}}",
            "1:27: shaping.default.rate: '0/s' would never send anything; the count must be at least 1",
        ),
        ("shaping: {total: {connections: 0}}", "1:32: shaping.total.connections: must be at least 1, not 0"),
        (
            "shaping: {providers: {acme: {connections: 1}}}",
            (
                "1:29: shaping.providers.acme: not a shipped provider (apple, barracuda, comcast, gmx, google, mimecast, "
                "netease, office365, orange, outlook, qq, yahoo, yahoo-jp); a new one needs mx, the ends of its MX host names"
            ),
        ),
        (
            "shaping: {providers: {Acme: {mx: [.a.example]}}}",
            "1:29: shaping.providers.Acme: not a provider's name; use small letters, digits and hyphens",
        ),
        (
            "shaping: {providers: {google: {shares: 2, connections: 9}}}",
            "1:40: shaping.providers.google.shares: needs connections and rate beside it, which it divides",
        ),
        (
            "shaping: {providers: {google: {shares: 4, connections: 3, rate: 9/s}}}",
            "1:40: shaping.providers.google.shares: 4 shares cannot be made of 3 connections",
        ),
        (
            "shaping: {providers: {google: {shares: 4, connections: 9, rate: 5000/h}}}",
            "1:65: shaping.providers.google.rate: a burst of 1 is too small for the shares: write 5000/h,burst=4",
        ),
        (
            "shaping: {providers: {google: {shares: 0}}}",
            "1:40: shaping.providers.google.shares: must be auto or a whole number from 1 to 100",
        ),
        (
            "shaping: {providers: {google: {mx: []}}}",
            "1:36: shaping.providers.google.mx: must not be empty; remove the key to get the default",
        ),
        (
            "tls: {mode: on}",
            '1:13: tls.mode: must be off, opportunistic, required or verify, not "on"',
        ),
        (
            "dkim: [{domain: e.example, selector: s1}]",
            "1:8: dkim[0]: `key` is missing: add the private key's PEM file, for example key: keys/example.com.pem",
        ),
        (
            "dkim: [{domain: e.example, selector: s1, key: no.pem}]",
            "1:47: dkim[0].key: the key file no.pem does not exist",
        ),
        (
            "dkim: [{domain: e.example, selector: s1, key: keys}]",
            "1:47: dkim[0].key: the key file keys is a folder, not a file",
        ),
        ("suppress: never.csv", "1:11: suppress: must be a list, such as [one, two]; not text"),
        ("suppress: [gone.csv]", "1:12: suppress[0]: the file gone.csv does not exist"),
        ("compose: {processes: 0}", "1:22: compose.processes: must be auto or a whole number from 1 to 256"),
        ("compose:", "1:9: compose: has no value; give it one or remove the key"),
    ],
)
def test_bad_values(refusal: Callable[[str], list[str]], text: str, words: str) -> None:
    assert refusal(text) == [f"bulkmail.yaml:{words}"]


@pytest.mark.parametrize("selector", ["s1._domainkey", "s1._DomainKey.e.example"])
def test_a_selector_is_not_the_name_of_its_record(refusal: Callable[[str], list[str]], selector: str) -> None:
    assert refusal(f"dkim: [{{domain: e.example, selector: {selector}, key: keys/example.com.pem}}]") == [
        (
            f"bulkmail.yaml:1:38: dkim[0].selector: {selector!r} is the name of the DNS record; the selector is what stands "
            "before it: s1"
        )
    ]


def test_one_selector_twice_is_refused(refusal: Callable[[str], list[str]]) -> None:
    key = "{domain: e.example, selector: s1, key: keys/example.com.pem}"
    assert refusal(f"dkim:\n - {key}\n - {key}\n") == [
        "bulkmail.yaml:3:34: dkim[1].selector: s1 of e.example is given more than once"
    ]


def test_all_problems_come_at_once(refusal: Callable[[str], list[str]]) -> None:
    text = "stop_within: 1\nspol: x\nsmtp: {port: '25'}\ndns: {timeout: x, nameservers: [y]}\nrelay: {}\n"
    assert [line.split(": ")[0] for line in refusal(text)] == [
        "bulkmail.yaml:1:14",
        "bulkmail.yaml:2:1",
        "bulkmail.yaml:3:14",
        "bulkmail.yaml:4:16",
        "bulkmail.yaml:4:33",
        "bulkmail.yaml:5:8",
    ]


def test_settings_cannot_be_changed_but_copied(read: Callable[[str], Settings]) -> None:
    settings = read("dkim: [{domain: e.example, selector: s1, key: keys/example.com.pem}]")
    with pytest.raises(ValidationError):
        settings.smtp.port = 2525  # type: ignore[misc]
    assert settings.model_copy(update={"relay": None}).file is settings.file
    assert copy.deepcopy(settings) == settings


def test_settings_can_be_dumped_and_show_no_key(read: Callable[[str], Settings]) -> None:
    settings = read("dkim: [{domain: e.example, selector: s1, key: keys/example.com.pem}]")
    dumped: dict[str, Any] = settings.model_dump()
    assert dumped["shaping"]["default"]["rate"] == "100/s,burst=10"
    assert "PEM" not in repr(settings)
    assert "PEM" not in str(dumped)


def test_a_key_is_read_when_made_by_hand(site: Any) -> None:
    assert Dkim(domain="e.example", selector="s", key=str(site / "keys/example.com.pem")).pem == b"PEM"


def test_the_shipped_providers_are_those_of_the_table() -> None:
    assert set(provider_table()) == SHIPPED_PROVIDERS
