"""Certificates of the rehearsed exchangers: an authority made at the start, and one certificate for each host name.

So a mailer that is told to trust the authority (``ca.pem``) can rehearse verified TLS too. Nothing of it is kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cached_property, lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from bulkmail.rehearsal.behaviour import Certificate

_DAY = dt.timedelta(days=1)


class Authority:
    """Makes certificates. ``now``: the time they are valid around, with its zone."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._host_key = ec.generate_private_key(ec.SECP256R1())  # one for all: they are all in this process
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehearsal Authority")])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        authority = (
            self._builder(self._name, self._key.public_key(), self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = authority.public_bytes(serialization.Encoding.PEM)
        self.server = lru_cache(maxsize=4096)(self._server)

    @cached_property
    def _weak_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 1024)  # noqa: S505 - its weakness is what is rehearsed

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, issuer: x509.Name, days: int = 30
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - 31 * _DAY)
            .not_valid_after(self._now + days * _DAY)
        )

    def _server(self, host: str, kind: Certificate = Certificate.GOOD, old: bool = False) -> TlsServer:
        """Make what `server` remembers. ``old``: nothing newer than TLS 1.0 is spoken."""
        if kind is Certificate.WRONG_NAME:
            host = "another-host.test"
        key = self._weak_key if kind is Certificate.WEAK else self._host_key
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        own = kind is Certificate.SELF_SIGNED
        days = -1 if kind is Certificate.EXPIRED else 30
        certificate = (
            self._builder(subject, key.public_key(), subject if own else self._name, days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key if own else self._key, hashes.SHA256())
        )
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        if old:
            context.set_min_proto_version(SSL.TLS1_VERSION)
            context.set_max_proto_version(SSL.TLS1_VERSION)
        else:
            context.set_min_proto_version(SSL.TLS1_2_VERSION)
        if old or kind is Certificate.WEAK:
            context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.use_certificate(crypto.X509.from_cryptography(certificate))
        context.use_privatekey(crypto.PKey.from_cryptography_key(key))
        return TlsServer(context)


@implementer(IOpenSSLServerConnectionCreator)
class TlsServer:
    """The server's side of TLS for one host name."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002
        """Make the connection that Twisted uses."""
        return SSL.Connection(self._context, None)


TlsOf = Callable[[str, Certificate, bool], IOpenSSLServerConnectionCreator]
