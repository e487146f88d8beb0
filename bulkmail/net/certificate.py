"""The operator's certificate, for the servers of this house; read again when its files have changed."""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from bulkmail.files import read_regular
from bulkmail.mail import OwnFault

_log = Logger("bulkmail")

_BYTES = 1_000_000
_LOOK_EVERY = 5.0  # seconds


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """Makes the server's side of TLS. ``clock`` gives monotonic seconds; ``pems``: what the two files held at first.

    A file that cannot be used leaves the certificate from before in use, and is told in the log once: whoever renews a
    certificate writes two files, one after the other, and they fit each other only then.
    """

    def __init__(
        self, certificate: str, key: str, clock: Callable[[], float], pems: tuple[bytes, bytes] | None = None
    ) -> None:
        self._files = (certificate, key)
        self._clock = clock
        self._looked = clock()
        self._seen = self._signature()
        self._told = ""
        self._context = self._read(pems)

    def look(self) -> None:
        """See whether the files have changed, at most every five seconds, and take what is in them now."""
        now = self._clock()
        if now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        signature = self._signature()
        if signature == self._seen:
            return
        try:
            self._context = self._read(None)
        except OwnFault as fault:
            if str(fault) != self._told:
                self._told = str(fault)
                _log.error("{fault}; the certificate from before stays in use", fault=fault)
        else:
            self._told = ""
            _log.info("the certificate {path} was read again", path=self._files[0])
        self._seen = signature

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002
        """Make the connection that Twisted uses."""
        self.look()
        return SSL.Connection(self._context, None)

    def _signature(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in self._files:
            try:
                status = os.stat(path)
            except OSError as error:
                found.append(error.errno)
            else:
                found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)

    def _read(self, pems: tuple[bytes, bytes] | None) -> SSL.Context:
        chain_file, key_file = self._files
        try:
            where = chain_file
            chain = x509.load_pem_x509_certificates(pems[0] if pems else read_regular(chain_file, _BYTES))
            where = key_file
            key = load_pem_private_key(pems[1] if pems else read_regular(key_file, _BYTES), None)
            return _context(chain, crypto.PKey.from_cryptography_key(key))  # type: ignore[arg-type]
        except SSL.Error:
            raise OwnFault(f"the key {key_file} is not the one of the certificate {chain_file}") from None
        except (OSError, TypeError, ValueError) as error:
            raise OwnFault(f"{where} cannot be used for TLS: {error}") from None


def _context(chain: list[x509.Certificate], key: crypto.PKey) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KB less for each idle connection
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
    first, *others = map(crypto.X509.from_cryptography, chain)
    context.use_certificate(first)
    for other in others:
        context.add_extra_chain_cert(other)
    context.use_privatekey(key)
    context.check_privatekey()
    return context
