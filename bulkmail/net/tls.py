"""TLS towards mail exchangers: two contexts, shared by all connections (making one costs more than a message).

Opportunistic and required TLS encrypt and look at no certificate: whoever could forge one could as well strip the
offer (RFC 7435), and most exchangers have none that a name could be checked against. ``verify`` asks for a valid
chain and for the host's name in the certificate. Older than TLS 1.2 is not spoken.
"""

from __future__ import annotations

from functools import cached_property

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from bulkmail.smtp import TlsMode


@implementer(IOpenSSLClientConnectionCreator)
class Handshake:
    """Starts TLS with one host on a shared context, naming the host (SNI, RFC 6066 3)."""

    def __init__(self, context: SSL.Context, host: str, *, verify: bool) -> None:
        self._context = context
        self._host = host
        self._verify = verify

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002
        """Twisted asks for the connection to use."""
        connection = SSL.Connection(self._context, None)
        if self._host and self._host.isascii():
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        return connection

    def objection(self, connection: SSL.Connection) -> str:
        """What is wrong with the certificate of a finished handshake, ``""`` when nothing is.

        The chain was judged during the handshake; here it is the name.
        """
        if not self._verify:
            return ""
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return "the server showed no certificate"
        try:
            verify_certificate_hostname(certificate, self._host)
        except VerificationError:
            return f"the certificate is not for {self._host}"
        except (CertificateError, ValueError) as error:
            return f"the certificate cannot be checked: {error}"
        return ""


class TlsContexts:
    """The contexts by policy, made when first needed. ``ca_file``: trust these instead of the system's roots."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file

    def handshake(self, mode: TlsMode | str, host: str) -> Handshake:
        """What a connection to ``host`` starts TLS with."""
        verify = TlsMode(mode) is TlsMode.VERIFY
        return Handshake(self._verified if verify else self._unverified, host, verify=verify)

    @cached_property
    def _unverified(self) -> SSL.Context:
        context = _context()
        # A weak key or cipher still beats clear text here.
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        context.set_verify(SSL.VERIFY_NONE)
        return context

    @cached_property
    def _verified(self) -> SSL.Context:
        context = _context()
        if self._ca_file is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(self._ca_file)
        context.set_verify(SSL.VERIFY_PEER)
        return context


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KB less for each idle connection
    return context


def tls_fault(error: BaseException | None) -> str:
    """The words of an OpenSSL error: its reasons without the routines; of any other, the error's own."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        reasons = [entry[2] for entry in error.args[0] if len(entry) > 2 and entry[2]]
        if reasons:
            return ", ".join(reasons)
    return str(error) or type(error).__name__
