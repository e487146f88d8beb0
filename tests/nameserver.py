"""A small real DNS server on loopback, UDP and TCP on one port, that behaves as badly as it is told to."""

from __future__ import annotations

import socket
import struct
import threading

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.test. hostmaster.test. 1 3600 600 86400 300"


def _one_port_for_both():
    """A UDP and a TCP socket on one free port: the one the system gives for UDP may be taken for TCP."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()


class DnsServer:
    """``zone``: name -> {kind: [rdata, ...]}; ``moods``: name, or (name, kind) -> how it is answered;
    ``ttl`` of every record.

    Moods: silence, garbage, wrong-id, wrong-question, cut, servfail, refused, formerr, no-edns, referral, truncate,
    bare (empty without SOA), lame (empty, with name servers and AA), foreign (empty, with somebody else's SOA),
    stray (a record of another name), echo (the question comes back).
    A name that is in neither does not exist. ``dead`` silences everything; ``all``: a mood for every question.
    ``explained``: extended errors (code, text) of what is refused.
    """

    def __init__(self):
        self.zone, self.moods, self.asked, self.ttl, self.dead, self.tcp = {}, {}, [], 300, False, "answer"
        self.soa, self.all, self.explained = SOA, "", []
        self.lost = set()  # names whose next question is lost on the way
        self._udp, self._listener = _one_port_for_both()
        self.port = self._udp.getsockname()[1]
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def patience(self):
        """Seconds to wait for it: moments where silence is what is tested, else enough for a machine under load."""
        silent = self.dead or self.lost or self.all or self.moods
        return 0.3 if silent else 5.0

    def count(self, name, kind):
        return sum(asked[:2] == (name, kind) for asked in self.asked)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
            poke.sendto(b"", ("127.0.0.1", self.port))
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._listener.close()

    def _serve_udp(self):
        while True:
            wire, peer = self._udp.recvfrom(4096)
            if not wire:
                return
            for answer in self._answers(wire, "udp"):
                self._udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            connection, _ = self._listener.accept()
            with connection:
                wire = connection.recv(4096)
                if not wire:
                    return
                answer = self._answers(wire[2:], "tcp")[0]
                if self.tcp == "cut":
                    connection.sendall(struct.pack("!H", len(answer)) + answer[: len(answer) // 2])
                elif self.tcp == "answer":
                    connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answers(self, wire, transport):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, transport))
        mood = self.all or self.moods.get((name, kind)) or self.moods.get(name, "")
        if name in self.lost:
            self.lost.discard(name)
            return []
        if self.dead or mood == "silence":
            return []
        if mood == "garbage":
            return [b"\xff" * 40]
        if mood == "echo":
            return [wire]
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if mood in ("servfail", "refused", "formerr"):
            response.set_rcode(dns.rcode.from_text(mood))
            options = [dns.edns.EDEOption(code, text) for code, text in self.explained]
            response.use_edns(0, payload=1232, options=options)
            return [response.to_wire()]
        if mood == "no-edns" and query.edns >= 0:
            return [wire[:2] + struct.pack("!HHHHH", 0x8081, 0, 0, 0, 0)]
        if mood in ("referral", "lame", "foreign", "stray"):
            response.flags |= dns.flags.AA if mood == "lame" else 0
            if mood == "stray":
                response.answer.append(
                    dns.rrset.from_text("other.test.", 300, "IN", kind, *self.zone["other.test"][kind])
                )
            elif mood == "foreign":
                response.authority.append(dns.rrset.from_text("example.", 300, "IN", "SOA", self.soa))
            else:
                response.authority.append(dns.rrset.from_text("test.", 300, "IN", "NS", "ns.test."))
            return [response.to_wire()]
        self._fill(response, question.name, kind, mood)
        whole = response.to_wire(max_size=65535)
        if mood == "wrong-id":
            return [bytes([whole[0] ^ 0xFF]) + whole[1:]]
        if mood == "wrong-question":
            response.question[0] = dns.rrset.from_text("other.test.", 0, "IN", kind)
            return [response.to_wire()]
        if mood == "cut":
            return [whole[:-3]]
        if transport == "udp" and (mood == "truncate" or len(whole) > 1232):
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC
            return [cut.to_wire()]
        return [whole]

    def _fill(self, response, name, kind, mood):
        for _ in range(20):
            records = self.zone.get(name.to_text(True).lower())
            if records is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            if kind in records:
                response.answer.append(dns.rrset.from_text(name, self.ttl, "IN", kind, *records[kind]))
                return
            if "CNAME" not in records:
                break
            alias = dns.rrset.from_text(name, self.ttl, "IN", "CNAME", *records["CNAME"])
            response.answer.append(alias)
            if mood == "one-hop":
                return
            name = alias[0].target
        if mood != "bare":
            response.authority.append(dns.rrset.from_text("test.", self.ttl, "IN", "SOA", self.soa))
