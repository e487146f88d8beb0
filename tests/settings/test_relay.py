"""`relay`: what may be written, what is refused, and that no secret is shown by either."""

from __future__ import annotations

import copy
import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bulkmail.mail import Rate, Refused
from bulkmail.settings import Relay, Settings, load_settings, read_secret, secret_of

PASSWORD = "k7-very-secret"


@pytest.fixture(autouse=True)
def secrets(site: Path) -> None:
    (site / "relay.secret").write_text(PASSWORD + "\n")
    (site / "relay.secret").chmod(0o600)
    (site / "token.sh").write_text("#!/bin/sh\necho token\n")
    (site / "token.sh").chmod(0o700)


def test_the_defaults(read: Callable[[str], Settings]) -> None:
    relay = read("relay: {host: Smtp.Example.com}").relay
    assert relay is not None
    assert (relay.host, relay.port, relay.tls, relay.auth, relay.username) == (
        "smtp.example.com",
        587,
        "starttls",
        "auto",
        None,
    )
    assert (relay.secret, relay.by_token, relay.ca_file) == ("", False, None)
    assert (relay.connections, relay.messages_per_connection, relay.idle) == (10, 100, 60.0)
    assert (relay.rate, relay.connection_rate) == (Rate(100, 1.0, 10), Rate(100, 60.0, 1))
    assert read("relay: null").relay is None
    assert Settings().relay is None


@pytest.mark.parametrize(
    ("written", "port", "tls"),
    [
        ("port: 25", 25, "starttls"),
        ("port: 465", 465, "implicit"),
        ("tls: implicit", 465, "implicit"),
        ("tls: implicit, port: 2465", 2465, "implicit"),
        ("tls: starttls, port: 465", 465, "starttls"),
        ("tls: off, port: 25", 25, "off"),
        ("tls: opportunistic", 587, "opportunistic"),
    ],
)
def test_port_and_tls_know_each_other(read: Callable[[str], Settings], written: str, port: int, tls: str) -> None:
    relay = read(f"relay: {{host: smtp.example.com, {written}}}").relay
    assert relay is not None
    assert (relay.port, relay.tls) == (port, tls)


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("'::1'", "::1"),
        ("'[2001:DB8::1]'", "2001:db8::1"),
        ("localhost", "localhost"),
        ("postfix_1", "postfix_1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("smtp.example.com.", "smtp.example.com"),
        ("email-smtp.eu-central-1.amazonaws.com", "email-smtp.eu-central-1.amazonaws.com"),
    ],
)
def test_names_and_addresses(read: Callable[[str], Settings], written: str, host: str) -> None:
    relay = read(f"relay: {{host: {written}}}").relay
    assert relay is not None
    assert relay.host == host


def test_each_place_of_a_secret(read: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, site: Path) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", PASSWORD)

    def relay(written: str) -> Relay:
        found = read(f"relay: {{host: a.example, username: anna, {written}}}").relay
        assert found is not None
        return found

    assert relay("password_file: relay.secret").secret == PASSWORD
    assert relay("password_env: RELAY_PASSWORD").secret == PASSWORD
    assert relay("token_file: relay.secret").secret == PASSWORD
    assert relay("token_file: relay.secret, auth: xoauth2").by_token
    by_command = relay("token_command: [./token.sh, smtp]")
    assert (by_command.token_command, by_command.secret, by_command.by_token) == (
        (f"{site}/token.sh", "smtp"),
        "",
        True,
    )
    found = relay("token_command: [sh, -c, 'echo token']").token_command
    assert found is not None
    assert os.path.isabs(found[0])


def test_secrets_are_shown_by_nothing(read: Callable[[str], Settings]) -> None:
    settings = read("relay: {host: a.example, username: anna, password_file: relay.secret}")
    for shown in (repr(settings), str(settings.model_dump()), settings.model_dump_json(), repr(settings.relay)):
        assert PASSWORD not in shown
    assert copy.deepcopy(settings).relay.secret == PASSWORD  # type: ignore[union-attr]
    assert settings.model_copy(update={"relay": None}).relay is None


def test_one_that_everybody_can_read_is_told_of(site: Path) -> None:
    (site / "relay.secret").chmod(0o644)
    (site / "bulkmail.yaml").write_text("relay: {host: a.example, username: anna, password_file: relay.secret}\n")
    (warning,) = load_settings(str(site / "bulkmail.yaml")).warnings
    assert "every user of this machine can read the secret in" in str(warning)
    assert PASSWORD not in str(warning)
    (site / "relay.secret").chmod(0o600)
    assert load_settings(str(site / "bulkmail.yaml")).warnings == ()


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    days = (dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, *days)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


ANNA = "host: a.example, username: anna"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (
            "port: 25",
            "1:8: relay: `host` is missing: add the relay's name or address, for example host: smtp.example.com",
        ),
        ("host: 'a.example:587'", "1:15: relay.host: 'a.example:587' has a port; write it under `port`"),
        ("host: 'a b.example'", "1:15: relay.host: 'a b.example' is neither a host name nor an IP address"),
        ("host: '300.1.2.3'", "1:15: relay.host: '300.1.2.3' is neither a host name nor an IP address"),
        ("host: a.example, tls: ssl", 'must be starttls, implicit, opportunistic or off, not "ssl"'),
        (
            f"{ANNA}, password: {PASSWORD}",
            (
                "relay.password: a password does not belong in the settings; put it into a file that only this user "
                "can read, and name the file: password_file: relay.secret"
            ),
        ),
        (f"{ANNA}, token: {PASSWORD}", "name the file: token_file: relay.secret"),
        (ANNA, "relay.username: nothing to sign in with is given; add one of password_file, password_env, token_file"),
        ("host: a.example, password_file: relay.secret", "relay.password_file: whose is it? add username"),
        (
            f"{ANNA}, password_file: relay.secret, token_file: relay.secret",
            "relay.token_file: one secret is enough; remove this or password_file",
        ),
        (
            "host: a.example, auth: plain",
            "relay.auth: there is nothing to sign in with; add username and its secret, or remove auth",
        ),
        (f"{ANNA}, password_file: relay.secret, auth: xoauth2", "relay.auth: xoauth2 goes with token_file"),
        (f"{ANNA}, token_file: relay.secret, auth: plain", "relay.auth: xoauth2 goes with token_file"),
        (
            f"{ANNA}, password_file: relay.secret, tls: opportunistic",
            "relay.tls: opportunistic would sign in over a connection that can be intercepted",
        ),
        (f"{ANNA}, password_file: relay.secret, tls: off, auth: login", "relay.tls: without TLS the secret would be"),
        (f"{ANNA}, token_file: relay.secret, tls: off", "relay.tls: without TLS the secret would be sent in clear"),
        (f"{ANNA}, password_file: no.secret", "the file no.secret does not exist"),
        (f"{ANNA}, password_file: keys", "the file keys is a folder, not a file"),
        (f"{ANNA}, password_env: NO_SUCH_VARIABLE", "the environment variable NO_SUCH_VARIABLE is not set"),
        (f"{ANNA}, token_command: []", "relay.token_command: must name a program and its arguments"),
        (f"{ANNA}, token_command: [./nothing]", "./nothing is not a program that this user can run"),
        (f"{ANNA}, token_command: token.sh", "relay.token_command: must be a list, such as [one, two]; not text"),
        ("host: a.example, ca_file: relay.secret", "holds no certificates in PEM form"),
        ("host: a.example, ca_file: no.pem", "cannot be read (No such file or directory)"),
        ("host: a.example, rate: fast", "relay.rate: 'fast' is not a rate"),
        ("host: a.example, connections: 0", "relay.connections: must be at least 1, not 0"),
        ("hots: a.example", "relay: `hots` is not a known key; did you mean `host`?"),
    ],
)
def test_what_is_refused(refusal: Callable[[str], list[str]], written: str, words: str) -> None:
    said = "\n".join(refusal(f"relay: {{{written}}}"))
    assert words in said
    assert PASSWORD not in said


def test_what_is_no_mapping(refusal: Callable[[str], list[str]]) -> None:
    (said,) = refusal("relay: smtp.example.com")
    assert said.startswith("bulkmail.yaml:1:8: relay: must be a mapping, key: value with the keys host, port, tls")


def test_certificates_go_with_tls_that_looks_at_them(
    refusal: Callable[[str], list[str]], read: Callable[[str], Settings], site: Path
) -> None:
    (site / "ca.pem").write_bytes(certificate())
    assert read("relay: {host: a.example, ca_file: ca.pem}").relay is not None
    (said,) = refusal("relay: {host: a.example, tls: off, ca_file: ca.pem}")
    assert "with tls: off no certificate is looked at" in said


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "in one line"),
        (b"\xff", "is not UTF-8"),
        (b"a\0b", "one line"),
    ],
)
def test_a_secret_is_one_line(raw: bytes, words: str, site: Path) -> None:
    (site / "odd").write_bytes(raw)
    with pytest.raises(ValueError, match=words):
        read_secret(str(site / "odd"))


def test_the_line_end_is_not_a_part_of_it() -> None:
    assert secret_of(b" pass word \r\n") == " pass word "


def test_a_secret_is_read_when_made_by_hand(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Relay(host="a.example", username="anna", password_file=str(site / "relay.secret")).secret == PASSWORD
    monkeypatch.setenv("RELAY_PASSWORD", "other")
    assert Relay(host="a.example", username="anna", password_env="RELAY_PASSWORD").secret == "other"


@pytest.mark.parametrize("value", ["", "a\nb"])
def test_a_variable_that_holds_no_secret(
    refusal: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", value)
    (said,) = refusal(f"relay: {{{ANNA}, password_env: RELAY_PASSWORD}}")
    assert "the environment variable RELAY_PASSWORD" in said


def test_broken_yaml_around_a_password_does_not_show_it(site: Path) -> None:
    (site / "bulkmail.yaml").write_text(f"relay: {{host: a.example, password: {PASSWORD}\n")
    with pytest.raises(Refused) as caught:
        load_settings(str(site / "bulkmail.yaml"))
    assert PASSWORD not in str(caught.value)
