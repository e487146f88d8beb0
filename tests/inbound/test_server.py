"""The server on real sockets, in a process of its own; the clients are the standard library's and raw sockets."""

from __future__ import annotations

import contextlib
import json
import select
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SERVE = """
import json, signal, sys, time
from tempfile import TemporaryFile
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from bulkmail.inbound import Limits, Lines, OwnAddresses, Reception, bound
from bulkmail.inbound.server import Inbound
from bulkmail.net import Certificate

given = json.loads(sys.argv[1])

def take(received):
    to = [one.address for one in received.recipients]
    print(json.dumps([received.tls, received.sender, to, len(received.body)]), flush=True)
    return deferLater(reactor, given.get("slow", 0.0))

tls = given.get("tls")
shared = Reception(
    reactor=reactor, hostname="in.example.com", accepts=OwnAddresses(["in.example.com"], rest=True), take=take,
    limits=Limits(**given.get("limits", {})), wall=time.time, taken=Lines(lambda text: None, time.monotonic, 1),
    refused=Lines(lambda text: None, time.monotonic, 1), spill=TemporaryFile,
    certificate=Certificate(tls + "/cert.pem", tls + "/key.pem", time.monotonic) if tls else None,
)
sockets = bound([("127.0.0.1", 0)])
server = Inbound(shared, sockets)
server.open()
async def end():
    await server.close(5.0)
    reactor.stop()
def terminated(*_):
    reactor.callFromThread(lambda: Deferred.fromCoroutine(end()))
reactor.callWhenRunning(signal.signal, signal.SIGTERM, terminated)
reactor.callWhenRunning(print, sockets[0].getsockname()[1], flush=True)
reactor.run(installSignalHandlers=False)
"""

pytestmark = pytest.mark.process


class Served:
    """The port of a server, and what it took."""

    def __init__(self, process):
        self.process = process
        self.port = int(process.stdout.readline())
        self.sockets = []

    def took(self):
        return json.loads(self.process.stdout.readline())

    def raw(self):
        one = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        self.sockets.append(one)
        assert one.recv(1000).startswith(b"220 ")
        return one


@pytest.fixture
def serve(popen, end):
    started = []

    def start(**given):
        words = [sys.executable, "-c", SERVE, json.dumps(given)]
        process = popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(Served(process))
        return started[-1]

    yield start
    for served in started:
        for one in served.sockets:
            one.close()
        end(served.process)


def read_all(one: socket.socket) -> bytes:
    """What comes until the server closes."""
    pieces = []
    while piece := one.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def test_smtplib_delivers_in_clear_and_under_tls(kit, serve, tmp_path):
    kit.write_certificate(tmp_path)
    served = serve(tls=str(tmp_path))
    with smtplib.SMTP("127.0.0.1", served.port, timeout=300) as client:
        client.sendmail("a@b.example", ["bounces+t@in.example.com"], "Subject: x\n\nhello\n.\n")
        assert served.took() == ["", "a@b.example", ["bounces+t@in.example.com"], 24]
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        context.check_hostname = False
        client.starttls(context=context)
        client.sendmail("", ["unsubscribe+t@in.example.com"], b"x" * 1_000_000 + b"\r\n")
        tls, sender, _, size = served.took()
        assert (tls, sender, size) == ("TLSv1.3", "", 1_000_002)


def test_replies_keep_their_order_under_tls_while_the_sink_is_slow(kit, serve, tmp_path):
    kit.write_certificate(tmp_path)
    served = serve(tls=str(tmp_path), slow=0.5)
    with smtplib.SMTP("127.0.0.1", served.port, timeout=300) as client:
        client.starttls()
        one = client.sock
        envelope = b"MAIL FROM:<>\r\nRCPT TO:<abuse@in.example.com>\r\nDATA\r\n"
        one.sendall(b"EHLO a\r\n" + envelope)
        heard = b""
        while not heard.endswith(b"<CRLF>.<CRLF>\r\n"):
            heard += one.recv(1000)
        one.sendall(b"x\r\n.\r\nNOOP\r\n")
        for _ in range(50):  # what comes while the sink has the message waits
            one.sendall(b"RSET\r\n" * 10)
        one.sendall(b"QUIT\r\n")
        assert [line[:9] for line in read_all(one).splitlines()] == [b"250 2.0.0"] * 502 + [b"221 2.0.0"]
        one.close()
        client.sock = None


def test_commands_written_in_clear_behind_starttls_are_not_obeyed_under_tls(kit, serve, tmp_path):
    kit.write_certificate(tmp_path)
    one = serve(tls=str(tmp_path)).raw()
    one.sendall(b"EHLO a\r\n")
    assert b"STARTTLS" in one.recv(1000)
    one.sendall(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x.example>\r\n")
    assert one.recv(1000) == b"220 2.0.0 Ready to start TLS\r\n"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(one) as safe:
        safe.sendall(b"MAIL FROM:<good@x.example>\r\n")
        assert safe.recv(1000).startswith(b"503 5.5.1")  # neither EHLO nor MAIL was heard


def test_what_is_written_before_the_greeting_is_refused(serve):
    served = serve(limits={"greet_after": 60.0})
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as one:
        one.sendall(b"EHLO a\r\nMAIL FROM:<>\r\n")
        assert read_all(one).startswith(b"554 5.5.1")


def test_too_many_connections_of_one_client(serve):
    served = serve(limits={"connections_an_address": 2})
    kept = [served.raw() for _ in range(2)]
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as one:
        assert read_all(one).startswith(b"421 4.7.0")
    for one in kept:
        one.sendall(b"QUIT\r\n")
        assert read_all(one).startswith(b"221")


def test_a_client_that_does_not_read_is_cut(serve):
    """It writes on and on, and reads nothing: the server stops at its own limits, and cuts what lingers."""
    served = serve(limits={"linger": 0.5, "errors": 1000})
    one = served.raw()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def write():
        while True:
            one.sendall(b"NOOP\r\n" * 1000)

    with pytest.raises(OSError, match=r"[Pp]ipe|reset"):
        write()


def test_at_an_end_what_the_sink_has_is_answered(serve):
    served = serve(slow=1.0)
    one, idle = served.raw(), served.raw()
    one.sendall(b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@in.example.com>\r\nDATA\r\n")
    heard = b""
    while not heard.endswith(b"<CRLF>.<CRLF>\r\n"):
        heard += one.recv(1000)
    one.sendall(b"x\r\n.\r\n")
    served.took()
    served.process.terminate()
    assert read_all(idle).startswith(b"421 4.3.2")
    assert [line[:9] for line in read_all(one).splitlines()] == [b"250 2.0.0", b"421 4.3.2"]
    assert served.process.wait(300) == 0


def test_memory_stays_flat_under_idle_and_hostile_connections(serve, until):
    """A small form of it: 300 idle connections and 50 that send messages without an end."""
    served = serve(limits={"connections": 1000, "connections_an_address": 1000, "memory": 4_000_000, "size": 1_000_000})
    kept = [served.raw()]

    def resident() -> int:
        with open(f"/proc/{served.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    before = resident()
    kept += [socket.create_connection(("127.0.0.1", served.port), timeout=300) for _ in range(300)]
    for one in kept[1:]:
        assert one.recv(1000).startswith(b"220 ")
    idle = resident()
    assert (idle - before) / 300 < 40  # kB for each
    hostile = [served.raw() for _ in range(50)]

    def flood(one):
        one.sendall(b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@in.example.com>\r\nDATA\r\n")
        heard = b""
        while not heard.endswith(b"<CRLF>.<CRLF>\r\n"):
            heard += one.recv(1000)
        with contextlib.suppress(OSError):
            one.sendall(b"y" * 900_000)

    threads = [threading.Thread(target=flood, args=[one]) for one in hostile]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert resident() - idle < 20_000  # kB, where 50 messages would take 45,000
    said = set()
    for one in hostile:
        with contextlib.suppress(OSError):  # cut, with what was not read of it
            one.sendall(b"\r\n.\r\n")
            said.add(one.recv(1000)[:3])
    assert b"250" in said
    assert said <= {b"250", b"452"}
    for one in kept:
        one.close()


def peak_mb(process) -> float:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def test_large_messages_of_many_clients_take_no_memory(serve):
    """All are under way at once, and all are taken in the end."""
    served = serve(limits={"memory": 200_000_000})
    clients, size = 40, 3_000_000
    before, open_ones = peak_mb(served.process), []
    for number in range(clients):
        one = socket.create_connection(("127.0.0.1", served.port), 60, (f"127.0.3.{number + 1}", 0))
        served.sockets.append(one)
        replies = one.makefile("rb")
        assert replies.readline().startswith(b"220 ")
        one.sendall(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<anna@in.example.com>\r\nDATA\r\n")
        assert [replies.readline()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
        one.sendall(b"x" * size + b"\r\n")
        open_ones.append((one, replies))
    for one, replies in open_ones:
        one.sendall(b".\r\n")
        assert replies.readline().startswith(b"250 ")
        replies.close()
        assert served.took()[3] == size + 2
    assert peak_mb(served.process) - before < clients * size / 1e6 / 4


def test_what_all_of_them_bring_is_bounded(serve):
    """Five of six messages have room: one of the clients is told so, and sent away."""
    served = serve(limits={"memory": 1_000_000, "size": 250_000})
    clients = []
    for number in range(6):
        one = socket.create_connection(("127.0.0.1", served.port), 60, (f"127.0.3.{number + 1}", 0))
        served.sockets.append(one)
        clients.append(one)
        with one.makefile("rb") as replies:
            assert replies.readline().startswith(b"220 ")
            one.sendall(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<anna@in.example.com>\r\nDATA\r\n")
            assert [replies.readline()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
    for one in clients:
        one.sendall(b"x" * 199_000)
    (refused,), _, _ = select.select(clients, [], [], 60)
    assert refused.recv(1000).startswith(b"452 4.3.1 ")
    for one in clients:
        if one is not refused:
            one.sendall(b"\r\n.\r\n")
            assert one.recv(1000).startswith(b"250 ")
