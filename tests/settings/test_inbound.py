"""The section `inbound`: its domains, and the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.settings import Inbound, Settings

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def test_the_first_domain_is_written_into_mail(read: Callable[[str], Settings]) -> None:
    inbound = read("inbound: {domains: [Bounces.Example.com., bücher.example]}").inbound
    assert inbound is not None
    assert inbound.domains == ("bounces.example.com", "xn--bcher-kva.example")
    assert inbound.domain == "bounces.example.com"


def test_nothing_is_taken_unless_it_is_set(read: Callable[[str], Settings]) -> None:
    assert read("log: {level: info}").inbound is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inbound: {}", "inbound: `domains` is missing: add the domains whose mail comes here"),
        ("inbound: {domains: []}", "inbound.domains: must name at least one domain"),
        ("inbound: {domains: [a.example, A.example]}", "inbound.domains[1]: a.example is given more than once"),
        ("inbound: {domains: [here]}", "inbound.domains[0]: the domain 'here' has no dot"),
        (f"inbound: {{domains: [{'.'.join(['a' * 60] * 4)}]}}", "inbound.domains[0]: is longer than 200 characters"),
    ],
)
def test_what_is_refused(refusal: Callable[[str], list[str]], text: str, words: str) -> None:
    (problem,) = refusal(text)
    assert words in problem


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("log: {level: info}", ""),
        ("inbound: {domains: [b.example]}", "FAILURE"),
        ("inbound: {domains: [b.example]}\nsmtp: {dsn: none}", ""),
        ("inbound: {domains: [b.example]}\nsmtp: {dsn: never}", "NEVER"),
        ("smtp: {dsn: failure}", "FAILURE"),
    ],
)
def test_reports_are_asked_for_where_they_come_back(read: Callable[[str], Settings], text: str, asked: str) -> None:
    assert read(text).reports_asked == asked


def inbound(settings: Settings) -> Inbound:
    assert settings.inbound is not None
    return settings.inbound


def test_nothing_listens_unless_it_is_set(read: Callable[[str], Settings]) -> None:
    assert inbound(read("inbound: {domains: [a.example]}")).listen == ()


def test_the_whole_example_is_taken(read: Callable[[str], Settings], site: Path) -> None:
    (site / "fullchain.pem").write_text(CERTIFICATE)
    found = inbound(
        read(
            'inbound: {listen: ["0.0.0.0:25", "[0::0]:25"], hostname: in.example.com, domains: [Bounces.Example.com],'
            " tls: {certificate: fullchain.pem, key: keys/example.com.pem}, forward: {maildir: ./inbox},"
            ' filter: {rspamd: "http://127.0.0.1:11333/", clamd: "127.0.0.1:3310"}}'
        )
    )
    assert found.listen == ("0.0.0.0:25", "[::]:25")
    assert found.domains == ("bounces.example.com",)
    assert found.tls is not None
    assert found.tls.certificate == str(site / "fullchain.pem")
    assert found.tls.pems == (CERTIFICATE.encode(), b"PEM")
    assert found.forward is not None
    assert (found.forward.maildir, found.forward.host) == (str(site / "inbox"), None)
    assert (found.filter.rspamd, found.filter.clamd) == ("http://127.0.0.1:11333", "127.0.0.1:3310")
    assert (found.timeouts.greeting, found.timeouts.command, found.limits.size) == (0.2, 300, 25_000_000)


@pytest.mark.parametrize("clamd", ["/run/clamav/clamd.ctl", "[::1]:3310", "scanner.example.com:3310"])
def test_other_forms(read: Callable[[str], Settings], clamd: str) -> None:
    more = f'listen: [systemd], forward: {{host: mail.example.com}}, filter: {{clamd: "{clamd}"}}'
    found = inbound(read(f"inbound: {{domains: [a.example], {more}}}"))
    assert found.listen == ("systemd",)
    assert found.forward is not None
    assert (found.forward.host, found.forward.port) == ("mail.example.com", 25)
    assert found.filter.clamd == clamd


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{domains: [a.example], listen: ['25']}", "is no place to listen on; write an IP address and a port"),
        ("{domains: [a.example], listen: ['mta1:25']}", "is no place to listen on"),
        ("{domains: [a.example], listen: ['1.2.3.4:0']}", "is no place to listen on"),
        ("{domains: [a.example], listen: ['1.2.3.4:70000']}", "is no place to listen on"),
        ("{domains: [a.example], listen: [systemd, '1.2.3.4:25']}", "systemd stands alone"),
        ("{domains: [a.example], forward: {}}", "give one of maildir and host"),
        ("{domains: [a.example], forward: {maildir: ./x, host: y}}", "give one of maildir and host"),
        ("{domains: [a.example], filter: {rspamd: '127.0.0.1:11333'}}", "is not the address of rspamd"),
        ("{domains: [a.example], filter: {clamd: '3310'}}", "is not the address of clamd"),
        ("{domains: [a.example], limits: {memory: 99000000}}", "must be four times the size of a message at least"),
        ("{domains: [a.example], tls: {certificate: none.pem, key: keys/example.com.pem}}", "none.pem"),
        ("{domains: [a.example], tls: {certificate: never.csv, key: keys/example.com.pem}}", "holds no certificate"),
    ],
)
def test_what_is_refused_of_the_server(refusal: Callable[[str], list[str]], text: str, words: str) -> None:
    (problem,) = refusal(f"inbound: {text}")
    assert words in problem


def test_a_key_that_others_can_read_is_told(read: Callable[[str], Settings], site: Path) -> None:
    (site / "fullchain.pem").write_text(CERTIFICATE)
    (site / "keys/example.com.pem").chmod(0o644)
    settings = read("inbound: {domains: [a.example], tls: {certificate: fullchain.pem, key: keys/example.com.pem}}")
    (warning,) = settings.warnings
    assert "every user of this machine can read the private key" in str(warning)
