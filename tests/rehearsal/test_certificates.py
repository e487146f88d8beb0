from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from cryptography import x509
from OpenSSL import SSL

from bulkmail.rehearsal.certificates import Authority

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(NOW)


def shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """Both sides of a handshake, in memory."""
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(10):
        done = 0
        for side, other in ((client, server), (server, client)):
            try:
                side.do_handshake()
                done += 1
            except SSL.WantReadError:
                pass
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(side.bio_read(65536))
        if done == 2:
            return
    raise AssertionError("no handshake")


def test_a_host_shows_a_certificate_of_its_own_name(authority: Authority) -> None:
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    shake(client, authority.server("mx.example.org").serverConnectionForTLS(None))
    shown = client.get_peer_certificate(as_cryptography=True)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.org"]
    root = x509.load_pem_x509_certificate(authority.pem)
    shown.verify_directly_issued_by(root)
    assert shown.not_valid_before_utc < NOW < shown.not_valid_after_utc
    assert client.get_protocol_version_name() == "TLSv1.3"


def test_one_host_one_context(authority: Authority) -> None:
    assert authority.server("a.example") is authority.server("a.example")
    assert authority.server("a.example") is not authority.server("b.example")


def test_a_long_name_is_no_obstacle(authority: Authority) -> None:
    authority.server("mx." + "a" * 60 + "." + "b" * 60 + ".example")
