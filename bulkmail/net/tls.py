"""TLS towards mail servers: few contexts, shared by all connections (making one costs more than a message).

Opportunistic and required TLS encrypt and look at no certificate: an attacker who can forge one can as well strip the
offer (RFC 7435), and most exchangers have none that a name could be checked against. ``verify`` asks for a valid
chain and for the host's name in the certificate. Older than TLS 1.2 is not spoken.

Sessions are resumed (RFC 5077, RFC 8446 2.2): a handshake without certificates and signatures, which spares both sides
most of its work. They are kept by host and policy, so that what was agreed without looking at a certificate is
never taken up where one is asked for; it holds the certificate that was judged, and its name is judged again each time.
With a session goes the group in which keys were agreed on. A hello that resumes it has a key share of that group alone,
for each costs a multiplication and is thrown away by whoever wants another; the other groups are named in it all the
same, and a server that would rather have one of them asks for it (RFC 8446 4.1.4).

The hello of OpenSSL 3.5 and later carries a post-quantum key share and takes some 1,550 bytes, more than one TCP
segment. Some servers and middleboxes read the first segment only and never answer. For those there is a small hello:
the curve P-256 alone, which every TLS 1.3 server has (RFC 8446 9.1).
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from OpenSSL._util import lib
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from bulkmail.smtp import TlsMode

_SESSIONS = 1000  # of each policy; one with its certificates takes some kilobytes
_SESSIONS_A_HOST = 32  # as many connections may be opened to it at once
# Browsers' order. OpenSSL's begins with AES-256, whose SHA-384 makes a handshake dearer, resumed or not.
_TLS13_CIPHERS = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
# OpenSSL's own, without the finite fields, which no mail server has alone.
_GROUPS = ("X25519MLKEM768", "x25519", "secp256r1", "x448", "secp384r1", "secp521r1")
_ONE_SEGMENT = 1400  # bytes that surely fit in one TCP segment, on tunnels, too


def openssl_version() -> str:
    """Return the name and version of the library that speaks TLS to mail servers."""
    return SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii", "replace")


_Resumable = tuple[SSL.Session, str]  # and the group of its keys, "" where that is not known


class Sessions:
    """TLS sessions that can be resumed, by the name of their host; each is given out once (RFC 8446 C.4)."""

    __slots__ = ("_count", "_kept", "_size")

    def __init__(self, size: int = _SESSIONS) -> None:
        self._kept: OrderedDict[str, list[_Resumable]] = OrderedDict()
        self._size = size
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def take(self, host: str) -> _Resumable | None:
        """Take the newest session of this host, if there is one."""
        kept = self._kept.get(host)
        if kept is None:
            return None
        session = kept.pop()
        self._count -= 1
        if not kept:
            del self._kept[host]
        return session

    def put(self, host: str, session: _Resumable) -> None:
        """Keep a session for the next connection; the hosts that were not used for the longest time are dropped."""
        kept = self._kept.setdefault(host, [])
        kept.append(session)
        self._count += 1
        self._kept.move_to_end(host)
        if len(kept) > _SESSIONS_A_HOST:
            del kept[0]
            self._count -= 1
        elif self._count > self._size:
            unused, sessions = next(iter(self._kept.items()))
            del sessions[0]
            self._count -= 1
            if not sessions:
                del self._kept[unused]

    def forget(self, host: str) -> None:
        """Drop the sessions of this host: they are of no use."""
        self._count -= len(self._kept.pop(host, ()))


@implementer(IOpenSSLClientConnectionCreator)
class Handshake:
    """Starts TLS with one host on a shared context, naming the host (SNI, RFC 6066 3).

    ``resuming``: a session of before is offered; a handshake that fails then may work without. ``large``: the hello
    takes more than one segment; where it is not answered a small one may be. ``shares``: see `_shares`.
    """

    def __init__(
        self,
        context: SSL.Context,
        host: str,
        *,
        verify: bool,
        sessions: Sessions | None = None,
        shares: dict[str, bytes] | None = None,
        large: bool = False,
    ) -> None:
        self.large = large
        self._context = context
        self._host = host
        self._verify = verify
        self._is_address = isIPAddress(host) or isIPv6Address(host)
        self.resuming = False
        self._connection: SSL.Connection | None = None
        self._sessions = Sessions() if sessions is None else sessions
        self._shares = shares or {}

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002
        """Make the connection that Twisted uses."""
        connection = SSL.Connection(self._context, None)
        if self._host and self._host.isascii() and not self._is_address:
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        kept = self._sessions.take(self._host)
        self.resuming = kept is not None
        if kept is not None:
            session, group = kept
            connection.set_session(session)
            if share := self._shares.get(group):
                lib.SSL_set1_curves_list(connection._ssl, share)  # noqa: SLF001
        self._connection = connection
        return connection

    @property
    def unanswered(self) -> bool:
        """Whether a hello was sent and no ServerHello has come: it is what names the cipher."""
        return self._connection is not None and self._connection.get_cipher_name() is None

    def remember(self, connection: SSL.Connection) -> None:
        """Keep its session for the next connection: once something was read, for in TLS 1.3 tickets come late."""
        session = connection.get_session()
        if session is not None:
            group = agreed_group(connection) if self._shares else ""
            self._sessions.put(self._host, (session, group))

    def failed(self) -> None:
        """Offer no session next time: the handshake failed."""
        self._sessions.forget(self._host)

    def objection(self, connection: SSL.Connection) -> str:
        """Tell what is wrong with the certificate of a finished handshake, ``""`` when nothing is.

        The chain was judged during the handshake; here it is the name.
        """
        if not self._verify:
            return ""
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return "the server showed no certificate"
        try:
            if self._is_address:
                verify_certificate_ip_address(certificate, self._host)
            else:
                verify_certificate_hostname(certificate, self._host)
        except VerificationError:
            return f"the certificate is not for {self._host}"
        except (CertificateError, ValueError) as error:
            return f"the certificate cannot be checked: {error}"
        return ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A context and the sessions made on it: pyOpenSSL takes a session on the context that it was made on only."""

    context: SSL.Context
    sessions: Sessions
    shares: dict[str, bytes]
    large: bool


class TlsContexts:
    """The contexts by policy, made when first needed. ``ca_file``: trust these instead of the system's roots."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._kinds: dict[
            tuple[bool, bool], _Kind
        ] = {}  # by whether certificates are verified, whether hellos are small

    def handshake(self, mode: TlsMode | str, host: str, *, small: bool = False) -> Handshake:
        """Return what a connection to ``host`` starts TLS with; ``small``: a hello that fits in one segment."""
        verify = TlsMode(mode) is TlsMode.VERIFY
        kind = self._kinds.get((verify, small))
        if kind is None:
            context = self._context(verify=verify, small=small)
            shares = {} if small else _shares(context)
            kind = self._kinds[verify, small] = _Kind(context, Sessions(), shares, _hello_size(context) > _ONE_SEGMENT)
        return Handshake(
            kind.context, host, verify=verify, sessions=kind.sessions, shares=kind.shares, large=kind.large
        )

    def _context(self, *, verify: bool, small: bool) -> SSL.Context:
        """Make a context. All is set before its first connection: pyOpenSSL 26.2 refuses to change it afterwards."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KB less for each idle connection
        if hasattr(context, "set_tls13_ciphersuites"):  # since pyOpenSSL 25.2
            context.set_tls13_ciphersuites(_TLS13_CIPHERS)
        if small:
            context.set_tmp_ecdh(ec.SECP256R1())  # as only group
        if not verify:
            # A weak key or cipher still beats clear text here.
            context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
            context.set_verify(SSL.VERIFY_NONE)
            return context
        if self._ca_file is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(self._ca_file)
        context.set_verify(SSL.VERIFY_PEER)
        return context


def agreed_group(connection: SSL.Connection) -> str:
    """Return the group in which the keys of a finished handshake were agreed on, "" where that cannot be told."""
    if not hasattr(connection, "get_group_name"):  # before pyOpenSSL 25.1
        return ""
    try:
        return connection.get_group_name() or ""
    except NotImplementedError:  # before OpenSSL 3.2
        return ""


def _shares(context: SSL.Context) -> dict[str, bytes]:
    """Return OpenSSL's words for all groups with a key share of one of them, by its name.

    Empty where pyOpenSSL does not tell the group, or OpenSSL knows no such words (before 3.5).
    """
    if not hasattr(SSL.Connection, "get_group_name"):
        return {}
    connection: Any = SSL.Connection(context, None)
    shares = {}
    for group in _GROUPS:
        words = ":".join(f"*{name}" if name == group else name for name in _GROUPS).encode("ascii")
        if not lib.SSL_set1_curves_list(connection._ssl, words):  # noqa: SLF001
            lib.ERR_clear_error()
            return {}
        shares[group] = words
    return shares


def _hello_size(context: SSL.Context) -> int:
    """Return the bytes of a hello without a host's name and a session."""
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    with suppress(SSL.WantReadError):
        connection.do_handshake()
    return len(connection.bio_read(65536))


def tls_fault(error: BaseException | None) -> str:
    """Return the words of an OpenSSL error: its reasons without the routines; of any other, the error's own."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        reasons = [entry[2] for entry in error.args[0] if len(entry) > 2 and entry[2]]
        if reasons:
            return ", ".join(reasons)
    return str(error) or type(error).__name__
