"""A mail server for tests, in a process of its own: it writes down what it accepts before it says that it did.

``python receiver.py --record FILE [--connections FILE] [--keep FOLDER] [--delay SECONDS] [--most N] [--chunking]
[--refuse ADDRESS] ADDRESS...`` listens on one port of all the addresses, prints ``{"port": N}`` and ends when its
standard input does. The part of a recipient before the ``-`` says how it is treated:

    bounce   550 5.1.1 to RCPT          reject   550 5.7.1 to the final dot
    busy     451 4.3.0 to RCPT, always  later    451 4.3.0 to RCPT, the first time
    vanish   the connection is closed instead of a reply to the final dot, the first time
    never    the same, each time        mute     kept, and never answered, each time
    drop     the same as `vanish`, and the message is not kept    silent   kept, and never answered, the first time

``--refuse``: mail from this address is refused, 550 5.7.1 to each RCPT.
``--most``: so many recipients a message, the others get 452 4.5.3. Each accepted message is one JSON line of the record
for each recipient: at, mail_at (when the bytes of its MAIL were read), ip, helo, from (its address), to, sender,
message_id, digest (of all its bytes), size, of (how many recipients it had). It is appended by one write before the
reply leaves, so a record without a reply is possible and the reverse is not. ``--connections``: a line
for each that opens or closes: at, ip, helo, open (how many there are now of that helo to that address).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import socket
import sys
import time
from collections import Counter, deque

PIPELINING = b"250-receiver.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
_PATH = re.compile(rb"<([^>]*)>")
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(<[^>]*>)")


class Book:
    """What all connections of the process share."""

    def __init__(
        self,
        record: str,
        keep: str | None,
        delay: float,
        most: int,
        connections: str | None,
        *,
        chunking: bool,
        refuse: str,
    ) -> None:
        self.keep = keep
        self.refuse = refuse
        self.delay = delay
        self.most = most
        self.chunking = chunking
        self.seen: set[str] = set()
        self.count = 0
        self.open: Counter[tuple[str, str]] = Counter()
        self._fd = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._connections = connections and os.open(connections, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def first(self, recipient: str) -> bool:
        """Whether this recipient comes for the first time."""
        if recipient in self.seen:
            return False
        self.seen.add(recipient)
        return True

    def connection(self, ip: str, helo: str, change: int) -> None:
        """One has opened or closed."""
        self.open[ip, helo] += change
        if self._connections:
            line = {"at": time.time(), "ip": ip, "helo": helo, "open": self.open[ip, helo]}
            os.write(self._connections, json.dumps(line).encode("ascii") + b"\n")

    def accept(self, connection: Receiver, recipient: str, message: bytes) -> None:
        """Write one accepted message down."""
        found = _MESSAGE_ID.search(message.partition(b"\r\n\r\n")[0])
        line = {
            "at": time.time(),
            "mail_at": connection.mail_at,
            "ip": connection.ip,
            "helo": connection.helo,
            "from": connection.peer,
            "to": recipient,
            "sender": connection.sender,
            "message_id": found[1].decode("ascii") if found else "",
            "digest": hashlib.sha256(message).hexdigest(),
            "size": len(message),
            "of": len(connection.to),
        }
        if self.keep is not None:
            with open(os.path.join(self.keep, f"{self.count}.eml"), "wb") as file:
                file.write(message)
        self.count += 1
        os.write(self._fd, json.dumps(line).encode("ascii") + b"\n")


class Receiver(asyncio.Protocol):
    """One connection."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.buffer = b""
        self.sender = ""
        self.to: list[str] = []
        self.in_data = False
        self.chunk = 0  # bytes of a BDAT LAST that are still to come
        self.waiting = False
        self.ip = ""
        self.peer = ""  # the address that it comes from
        self.helo = ""
        self.mail_at = 0.0
        self.read = 0
        self.arrivals: deque[tuple[int, float]] = deque()  # bytes read by then

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ip = transport.get_extra_info("sockname")[0]
        self.peer = transport.get_extra_info("peername")[0]
        # asyncio does so only for sockets that name their protocol; else Nagle costs each message 40 ms
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say(b"220 receiver.test ESMTP")

    def say(self, line: bytes) -> None:
        self.transport.write(line + b"\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.helo:
            self.book.connection(self.ip, self.helo, -1)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.read += len(data)
        self.arrivals.append((self.read, time.time()))
        self.go_on()

    def arrived(self) -> float:
        """When the last byte that was taken from the buffer was read."""
        taken = self.read - len(self.buffer)
        while self.arrivals[0][0] < taken:
            self.arrivals.popleft()
        return self.arrivals[0][1]

    def go_on(self) -> None:
        while not self.waiting and not self.transport.is_closing():
            if self.in_data:
                # the CRLF before a message's first line is the one of DATA
                end = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n") + 2
                if end == 1:
                    return
                message, self.buffer = self.buffer[:end], self.buffer[end + 3 :]
                self.in_data = False
                message = message.replace(b"\r\n..", b"\r\n.")
                self.dot(message[1:] if message.startswith(b".") else message)
            elif self.chunk:
                if len(self.buffer) < self.chunk:
                    return
                message, self.buffer = self.buffer[: self.chunk], self.buffer[self.chunk :]
                self.chunk = 0
                if self.to:
                    self.dot(message)
                else:
                    self.say(b"554 5.5.1 no valid recipients")
            else:
                line, found, rest = self.buffer.partition(b"\r\n")
                if not found:
                    return
                self.buffer = rest
                self.command(line)

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            if not self.helo:
                self.helo = line[5:].decode("ascii", "replace")
                self.book.connection(self.ip, self.helo, 1)
            last = (
                b"250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n" if self.book.chunking else b"250 ENHANCEDSTATUSCODES\r\n"
            )
            self.transport.write(PIPELINING + last)
        elif verb == b"MAIL":
            found = _PATH.search(line)
            self.sender = found[1].decode() if found else ""
            self.mail_at = self.arrived()
            self.to = []
            self.say(b"250 2.1.0 Ok")
        elif verb == b"RCPT":
            found = _PATH.search(line)
            self.rcpt(found[1].decode() if found else "")
        elif verb == b"DATA":
            if self.to:
                self.in_data = True
                self.say(b"354 go on")
            else:
                self.say(b"554 5.5.1 no valid recipients")
        elif verb == b"BDAT" and self.book.chunking:
            self.chunk = int(line.split()[1])
        elif verb == b"QUIT":
            self.say(b"221 2.0.0 Bye")
            self.transport.close()
        elif verb in (b"RSET", b"NOOP"):
            self.to = []
            self.say(b"250 2.0.0 Ok")
        else:
            self.say(b"500 5.5.2 what?")

    def rcpt(self, recipient: str) -> None:
        kind = recipient.partition("-")[0]
        if len(self.to) >= self.book.most:
            self.say(b"452 4.5.3 too many recipients")
        elif self.peer == self.book.refuse:
            self.say(b"550 5.7.1 messages from your address are on our block list")
        elif kind == "bounce":
            self.say(b"550 5.1.1 no such user here")
        elif kind == "busy" or (kind == "later" and self.book.first(recipient)):
            self.say(b"451 4.3.0 try again later")
        else:
            self.to.append(recipient)
            self.say(b"250 2.1.5 Ok")

    def dot(self, message: bytes) -> None:
        kind = self.to[0].partition("-")[0]
        if kind == "reject":
            self.say(b"550 5.7.1 refused by policy")
            return
        if kind == "drop" and self.book.first(self.to[0]):
            self.transport.abort()
            return
        for recipient in self.to:
            self.book.accept(self, recipient, message)
        if kind == "never" or (kind == "vanish" and self.book.first(self.to[0])):
            self.transport.abort()
        elif kind == "mute" or (kind == "silent" and self.book.first(self.to[0])):
            self.waiting = True
        elif self.book.delay:
            self.waiting = True
            asyncio.get_running_loop().call_later(self.book.delay, self.reply)
        else:
            self.say(b"250 2.0.0 Ok: kept")

    def reply(self) -> None:
        self.waiting = False
        self.say(b"250 2.0.0 Ok: kept")
        self.go_on()


def _listening(address: str, port: int) -> socket.socket:
    return socket.create_server(
        (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=1000
    )


def listening(addresses: list[str]) -> list[socket.socket]:
    """Sockets on one port that is free at all the addresses."""
    for _ in range(50):
        sockets = [_listening(addresses[0], 0)]
        port = sockets[0].getsockname()[1]
        try:
            sockets += [_listening(address, port) for address in addresses[1:]]
        except OSError:
            for one in sockets:
                one.close()
        else:
            return sockets
    raise SystemExit("no port is free at all the addresses")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", required=True)
    parser.add_argument("--connections")
    parser.add_argument("--keep")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--most", type=int, default=100)
    parser.add_argument("--chunking", action="store_true")
    parser.add_argument("--refuse", default="")
    parser.add_argument("addresses", nargs="+")
    given = parser.parse_args()
    book = Book(
        given.record,
        given.keep,
        given.delay,
        given.most,
        given.connections,
        chunking=given.chunking,
        refuse=given.refuse,
    )
    loop = asyncio.get_running_loop()
    sockets = listening(given.addresses)
    for one in sockets:
        await loop.create_server(lambda: Receiver(book), sock=one)
    sys.stdout.write(json.dumps({"port": sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    over = asyncio.Event()
    loop.add_reader(0, lambda: None if os.read(0, 4096) else over.set())
    await over.wait()


if __name__ == "__main__":
    asyncio.run(main())
