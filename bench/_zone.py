"""A name server for very many domains: dnsmasq looks through all its MX records for each question (3.7 ms at 100,000).

``python _zone.py port domains sites addresses``: the MX of d<n>.test is one of ``sites`` hosts, whose address is one of
``addresses`` on loopback. Ends with SIGTERM and says then on stdout how often it was asked.
"""

from __future__ import annotations

import signal
import socket
import sys
from struct import Struct

_HEADER = Struct("!HHHHHH")
_ANSWER = Struct("!HHHIH")  # a pointer to the question's name, type, class, TTL, length of the data
_TTL = 3600
_A, _MX = 1, 15


def answer(query: bytes, domains: int, sites: int, addresses: int) -> bytes:
    """What there is to say to one question."""
    number, flags = _HEADER.unpack_from(query)[:2]
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].lower())
        at += 1 + query[at]
    kind = int.from_bytes(query[at + 1 : at + 3], "big")
    question = query[12 : at + 5]
    code, data = 5, b""  # REFUSED: these zones are not ours
    if labels[-1:] == [b"test"]:
        code, host = 3, labels[0] if len(labels) == 2 else b""  # NXDOMAIN
        if host.startswith(b"mx") and host[2:].isdigit() and int(host[2:]) < sites:
            code = 0
            if kind == _A:
                data = bytes((127, 0, 1, int(host[2:]) % addresses + 1))
        elif host.startswith(b"d") and host[1:].isdigit() and int(host[1:]) < domains:
            code = 0
            if kind == _MX:
                name = b"mx%d" % (int(host[1:]) % sites)
                data = b"\0\x0a" + bytes((len(name),)) + name + b"\x04test\0"
    head = _HEADER.pack(number, 0x8480 | flags & 0x0100 | code, 1, int(bool(data)), 0, 0)
    return head + question + (_ANSWER.pack(0xC00C, kind, 1, _TTL, len(data)) + data if data else b"")


def main() -> None:
    port, domains, sites, addresses = map(int, sys.argv[1:])
    asked = 0

    def end(*_: object) -> None:
        print(asked, flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        place.bind(("127.0.0.1", port))
        while True:
            query, asker = place.recvfrom(4096)
            asked += 1
            place.sendto(answer(query, domains, sites, addresses), asker)


if __name__ == "__main__":
    main()
