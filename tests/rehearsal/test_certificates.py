from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from cryptography import x509
from OpenSSL import SSL

from bulkmail.rehearsal.behaviour import Certificate
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


def shown_by(authority: Authority, kind: Certificate, host: str = "mx.example.org") -> x509.Certificate:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    client = SSL.Connection(context, None)
    shake(client, authority.server(host, kind).serverConnectionForTLS(None))
    return client.get_peer_certificate(as_cryptography=True)


def test_a_name_too_long_for_the_subject_stands_whole_in_the_alternative_names(authority: Authority) -> None:
    host = "mx." + "a" * 60 + "." + "b" * 60 + ".example"
    shown = shown_by(authority, Certificate.GOOD, host)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host]
    assert [name.value for name in shown.subject] == [host[:64]]  # RFC 5280 A.1: ub-common-name


def test_certificates_with_something_wrong(authority: Authority) -> None:
    root = x509.load_pem_x509_certificate(authority.pem)
    expired = shown_by(authority, Certificate.EXPIRED)
    assert expired.not_valid_before_utc < expired.not_valid_after_utc < NOW
    expired.verify_directly_issued_by(root)
    own = shown_by(authority, Certificate.SELF_SIGNED)
    own.verify_directly_issued_by(own)
    assert own.not_valid_after_utc > NOW
    other = shown_by(authority, Certificate.WRONG_NAME)
    other.verify_directly_issued_by(root)
    names = other.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["another-host.test"]
    weak = shown_by(authority, Certificate.WEAK)
    weak.verify_directly_issued_by(root)
    assert weak.public_key().key_size == 1024


def test_nothing_newer_than_tls_1_0(authority: Authority) -> None:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    old = authority.server("mx.example.org", Certificate.GOOD, True)
    with pytest.raises(SSL.Error, match="protocol"):
        shake(SSL.Connection(context, None), old.serverConnectionForTLS(None))
