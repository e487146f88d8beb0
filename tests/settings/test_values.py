from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.settings import Settings

HOST = "a label that is not letters, digits and inner hyphens"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ('"mta1.example.com\\r\\n"', "must not hold a line break or another control character ('\\r')"),
        ('"mta1.example.com\\r\\nMAIL FROM:<>"', "must not hold a line break or another control character ('\\r')"),
        ("mta 1.example.com", f"the domain 'mta 1.example.com' has {HOST}"),
        ("mta1", "the domain 'mta1' has no dot"),
        ('""', "the domain is missing"),
        ("192.0.2.1", "the domain '192.0.2.1' looks like an IP address; use a domain name"),
        ("-a.example", f"the domain '-a.example' has {HOST}"),
        ("3.5", 'must be text, not a number; put it in quotes: "3.5"'),
    ],
)
def test_host_names_that_are_refused(refusal: Callable[[str], list[str]], name: str, words: str) -> None:
    assert refusal(f"hostname: {name}") == [f"bulkmail.yaml:1:11: hostname: {words}"]


@pytest.mark.parametrize(
    "server", ["ns.example", "127.0.0.1:", "127.0.0.1:x", "[::1", "::1:", "127.0.0.1.5", "", "[]:53"]
)
def test_name_servers_are_addresses(refusal: Callable[[str], list[str]], server: str) -> None:
    assert refusal(f'dns: {{nameservers: ["{server}"]}}') == [
        (
            f"bulkmail.yaml:1:21: dns.nameservers[0]: '{server}' is not a name server; "
            "write an IP address, such as 127.0.0.1:53"
        )
    ]


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_name_servers_have_real_ports(refusal: Callable[[str], list[str]], port: str) -> None:
    assert refusal(f'dns: {{nameservers: ["[::1]:{port}"]}}') == [
        f"bulkmail.yaml:1:21: dns.nameservers[0]: '[::1]:{port}': the port must be from 1 to 65535"
    ]


def test_no_name_servers_at_all(refusal: Callable[[str], list[str]]) -> None:
    assert refusal("dns: {nameservers: []}") == [
        "bulkmail.yaml:1:20: dns.nameservers: must not be empty; remove the key to get the default"
    ]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("127.0.0.1/8", "'127.0.0.1/8' has bits set behind its prefix; did you mean 127.0.0.0/8?"),
        ("localhost", "'localhost' is not a network; write it like 127.0.0.0/8 or fd00::/8"),
        ("10.0.0.0/33", "'10.0.0.0/33' is not a network; write it like 127.0.0.0/8 or fd00::/8"),
    ],
)
def test_networks(refusal: Callable[[str], list[str]], network: str, words: str) -> None:
    assert refusal(f'routing: {{allow_networks: ["{network}"]}}') == [
        f"bulkmail.yaml:1:28: routing.allow_networks[0]: {words}"
    ]


@pytest.mark.parametrize(
    ("spool", "words"),
    [
        ("~/spool", "~ is not expanded; write the whole path"),
        ('""', "must name a file or folder, not nothing"),
        ('"a\\0b"', "must not hold a line break or another control character ('\\x00')"),
        ("mysql://x", "must be a folder, such as ./spool, or postgresql://user@host/database"),
        ("never.csv", "must be a folder, but never.csv is something else"),
        ("5", 'must be text, not a number; put it in quotes: "5"'),
    ],
)
def test_spool_folders(refusal: Callable[[str], list[str]], spool: str, words: str) -> None:
    assert refusal(f"spool: {spool}") == [f"bulkmail.yaml:1:8: spool: {words}"]


@pytest.mark.parametrize("dsn", ["postgresql://mail@db/bulkmail", "postgres:///bulkmail?host=/run/postgresql"])
def test_a_databases_address_stays_as_it_is(read: Callable[[str], Settings], dsn: str) -> None:
    assert read(f'spool: "{dsn}"').spool == dsn


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ("{name: 'a b'}", "name: 'a b' is not a machine's name; it is letters, digits, dots and hyphens, such as mta1"),
        ("{lease: 2s}", "lease: must be from 3s to 10m"),
        ("{lease: 11m}", "lease: must be from 3s to 10m"),
        ("{folder: 'postgresql://x'}", "folder: must be a folder"),
    ],
)
def test_machines(refusal: Callable[[str], list[str]], machine: str, words: str) -> None:
    assert words in refusal(f"machine: {machine}")[0]


def test_a_machines_folder_is_relative_to_the_settings(read: Callable[[str], Settings], site: Path) -> None:
    settings = read("machine: {name: mta1, folder: ./mine, lease: 20s}").machine
    assert (settings.name, settings.folder, settings.lease) == ("mta1", str(site / "mine"), 20.0)


def test_an_absolute_spool_stays(read: Callable[[str], Settings]) -> None:
    assert read("spool: /var/spool/bulkmail").spool == "/var/spool/bulkmail"


@pytest.mark.parametrize("selector", ["a b", "", "-a", "a;b", "é"])
def test_selectors(refusal: Callable[[str], list[str]], selector: str) -> None:
    text = f'dkim: [{{domain: e.example, key: keys/example.com.pem, selector: "{selector}"}}]'
    assert refusal(text)[0].endswith(
        f"dkim[0].selector: '{selector}' is not a DKIM selector; it is letters, digits and hyphens, such as s1"
    )


@pytest.mark.parametrize("suffix", ["com", "", "*.example", "a b.example", ".x"])
def test_ends_of_mx_names(refusal: Callable[[str], list[str]], suffix: str) -> None:
    assert refusal(f'shaping: {{providers: {{acme: {{mx: ["{suffix}"]}}}}}}')[0].endswith(
        f"shaping.providers.acme.mx[0]: '{suffix}' is not the end of an MX host name, such as .protection.outlook.com"
    )


@pytest.mark.parametrize("processes", ["many", "true", "257", "-1", "1.5", "'2'", "[1]"])
def test_processes(refusal: Callable[[str], list[str]], processes: str) -> None:
    assert refusal(f"compose: {{processes: {processes}}}") == [
        "bulkmail.yaml:1:22: compose.processes: must be auto or a whole number from 1 to 256"
    ]


def test_a_key_file_has_a_bounded_size_and_never_blocks(site: Path, refusal: Callable[[str], list[str]]) -> None:
    (site / "big.pem").write_bytes(b"x" * 64_001)
    os.mkfifo(site / "fifo.pem")
    lines = refusal(
        "dkim:\n - {domain: e.example, selector: a, key: big.pem}\n - {domain: e.example, selector: b, key: fifo.pem}\n"
    )
    assert lines == [
        "bulkmail.yaml:2:42: dkim[0].key: the key file big.pem is larger than 64,000 bytes",
        "bulkmail.yaml:3:42: dkim[1].key: the key file fifo.pem is not a regular file",
    ]
