"""The DNS server of the rehearsed world: UDP and TCP, on loopback only.

Answers are made with dnspython, once for each question, and kept as bytes: a repeated question costs a dictionary. The
question itself is read by hand, and comes back in the answer letter for letter (resolvers mix upper and lower case to
recognise forgeries).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import DatagramProtocol, Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from bulkmail.rehearsal.behaviour import DnsKind
from bulkmail.rehearsal.network import Totals
from bulkmail.rehearsal.zone import Zone

TTL = 300
_SOA = "ns.rehearsal.test. hostmaster.rehearsal.test. 1 3600 600 86400 60"
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"  # our EDNS: 1,232 bytes
_OPT_START = b"\0\0\x29"
_HEADER = struct.Struct("!HHHHHH")
_QR, _OPCODE, _TC, _RD = 0x8000, 0x7800, 0x0200, 0x0100
_TCP_LIFE = 30


class Answers:
    """Questions to answers, in wire format. ``address_of``: where a mail host is, None where it is not one."""

    def __init__(
        self, zone: Zone, address_of: Callable[[str], str | None], totals: Totals, *, cache_size: int = 200_000
    ) -> None:
        self._zone = zone
        self._address_of = address_of
        self._totals = totals
        self._cache_size = cache_size
        self._cache: dict[bytes, tuple[int, int, int, int, bytes] | None] = {}

    def answer(self, query: bytes, *, largest: int | None = None) -> bytes | None:
        """Answer a query in wire format; None for no answer. ``largest``: for UDP, what fits without EDNS."""
        if len(query) < 12:
            return None
        number, flags, questions, _, _, additional = _HEADER.unpack_from(query)
        if flags & _QR:
            return None
        self._totals.dns_queries += 1
        end = _end_of_name(query) if questions == 1 and not flags & _OPCODE else 0
        if not end or len(query) < end + 4:
            refusal = int(dns.rcode.NOTIMP if flags & _OPCODE else dns.rcode.FORMERR)
            return _HEADER.pack(number, _QR | (flags & (_OPCODE | _RD)) | refusal, 0, 0, 0, 0)
        question = query[12 : end + 4]
        key = query[12:end].lower() + query[end : end + 4]
        found = self._cache.get(key, ...)
        if found is ...:
            if len(self._cache) >= self._cache_size:
                del self._cache[next(iter(self._cache))]
            found = self._cache[key] = self._make(key, number)
        if found is None:
            return None
        code, answers, authority, more, records = found
        opt = b""
        if additional and query.startswith(_OPT_START, end + 4):
            opt = _OPT
            if largest is not None:
                largest = max(largest, int.from_bytes(query[end + 7 : end + 9], "big"))
        flags = code | (flags & _RD)
        if largest is not None and 12 + len(question) + len(records) + len(opt) > largest:
            return _HEADER.pack(number, flags | _TC, 1, 0, 0, bool(opt)) + question + opt
        return _HEADER.pack(number, flags, 1, answers, authority, more + bool(opt)) + question + records + opt

    def _make(self, key: bytes, number: int) -> tuple[int, int, int, int, bytes] | None:
        """Return flags, the numbers of records, and their bytes; None: no answer is ever given."""
        query = dns.message.from_wire(_HEADER.pack(number, _RD, 1, 0, 0, 0) + key)
        response = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        if not self._fill(response, question.name, question.rdtype):
            return None
        wire = response.to_wire(max_size=65535)
        _, flags, _, answers, authority, more = _HEADER.unpack_from(wire)
        return flags & ~_RD, answers, authority, more, wire[12 + len(key) :]

    def _fill(self, response: Any, name: dns.name.Name, kind: int) -> bool:
        text = name.to_text(omit_final_dot=True).lower()
        host_ip = self._address_of(text) if text and kind in (dns.rdatatype.A, dns.rdatatype.AAAA) else None
        if host_ip is not None:
            if kind == dns.rdatatype.A:
                response.answer.append(dns.rrset.from_text(name, TTL, "IN", "A", host_ip))
            else:
                _nothing(response)
            return True
        if not text:  # the root exists; which records it has does not matter
            _nothing(response)
            return True
        domain = self._zone.domain(text)
        if domain.kind is DnsKind.SILENT:
            return False
        if domain.kind is DnsKind.SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif domain.kind is DnsKind.NXDOMAIN:
            response.set_rcode(dns.rcode.NXDOMAIN)
            _nothing(response)
        elif kind == dns.rdatatype.MX and domain.kind is DnsKind.NULL:
            response.answer.append(dns.rrset.from_text(name, TTL, "IN", "MX", "0 ."))
        elif kind == dns.rdatatype.MX and domain.kind is DnsKind.MX and not self._is_host(text):
            records = [f"{preference} {host}." for preference, host in domain.hosts]
            response.answer.append(dns.rrset.from_text(name, TTL, "IN", "MX", *records))
        else:
            _nothing(response)
        return True

    def _is_host(self, name: str) -> bool:
        """Tell whether a name is a mail host and no domain of its own: then it has no MX."""
        return self._zone.host(name) is not None


def _nothing(response: Any) -> None:
    """Answer that there is no such record; the SOA says for how long (RFC 2308)."""
    response.authority.append(dns.rrset.from_text(dns.name.root, TTL, "IN", "SOA", _SOA))


def _end_of_name(query: bytes) -> int:
    """Return the offset behind the question's name; 0 where it is no name."""
    at = 12
    while at < len(query):
        length = query[at]
        at += length + 1
        if length == 0:
            return at if at - 12 <= 255 else 0
        if length > 63:
            return 0
    return 0


class DnsOverUdp(DatagramProtocol):
    """DNS over UDP (RFC 1035 4.2.1)."""

    noisy = False
    transport: Any

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer, or stay silent."""
        answer = self._answers.answer(datagram, largest=512)
        if answer is not None:
            self.transport.write(answer, addr)


class DnsOverTcp(Int16StringReceiver):
    """DNS over TCP (RFC 7766): several questions may follow one another. Closed after 30 seconds in any case."""

    transport: Any

    def __init__(self, reactor: Any, answers: Answers) -> None:
        self._reactor = reactor
        self._answers = answers
        self._end: Any = None

    def connectionMade(self) -> None:
        """Wait for a question, at most 30 seconds."""
        self._end = self._reactor.callLater(_TCP_LIFE, self.transport.abortConnection)

    def stringReceived(self, string: bytes) -> None:
        """Answer, or stay silent."""
        answer = self._answers.answer(string)
        if answer is not None:
            self.transport.write(len(answer).to_bytes(2, "big") + answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """Cancel the timer."""
        if self._end is not None and self._end.active():
            self._end.cancel()


class DnsTcpFactory(Factory):
    """Makes the TCP connections."""

    noisy = False

    def __init__(self, reactor: Any, answers: Answers) -> None:
        self._reactor = reactor
        self._answers = answers

    def buildProtocol(self, addr: IAddress | None) -> DnsOverTcp:  # noqa: ARG002
        """Make the protocol of a client that has connected."""
        return DnsOverTcp(self._reactor, self._answers)


def listen(reactor: Any, answers: Answers, ip: str = "127.0.0.1", port: int = 0) -> tuple[Any, Any]:
    """Serve on ``port`` (0: any free one), over TCP and UDP. Returns both ports. Raises OSError, CannotListenError."""
    for _ in range(1 if port else 20):
        tcp = reactor.listenTCP(port, DnsTcpFactory(reactor, answers), interface=ip)
        try:
            return tcp, reactor.listenUDP(tcp.getHost().port, DnsOverUdp(answers), interface=ip, maxPacketSize=4096)
        except CannotListenError:
            tcp.stopListening()  # another program has the same port over UDP
    raise OSError(f"{f'port {port} is not' if port else 'no port is'} free over both TCP and UDP")
