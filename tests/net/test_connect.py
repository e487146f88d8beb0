"""Connecting, first without a socket; then whole conversations on loopback with servers that behave oddly."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import weakref

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectBindError, ConnectError, TCPTimedOutError, getConnectError
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase

from bulkmail.mail import Category, Peer, Stage
from bulkmail.net import SessionOptions, TlsContexts, connect
from bulkmail.net.connect import connect_failure
from bulkmail.smtp import Credentials, TlsMode
from tests.ports import free_port

GONE = "::2 is not an address of this machine"
NO_PORT = "no port of 192.0.2.9 is free for another connection to 192.0.2.1"
WRONG = "192.0.2.1 cannot be connected to from 192.0.2.9: invalid argument"
V4, V6 = Peer("mx", "192.0.2.1"), Peer("mx", "2001:db8::1")
OURS = Peer("mx", "192.0.2.1", "192.0.2.9")  # sent from a source of the settings


def begin(kit, reactor, listener, *, port=25, ip="192.0.2.1", host="mx.example", source_ip="", **changed):
    options = {
        "session_options": SessionOptions("me.example"),
        "timeouts": kit.timeouts(),
        "tls_contexts": TlsContexts(),
        "listener": listener,
        "forbidden": lambda _ip: None,
    }
    return connect(reactor, Peer(host, ip, source_ip), port, **{**options, **changed})


def test_it_connects_to_the_very_address_that_was_judged(kit):
    reactor, judged = MemoryReactorClock(), []
    conn = begin(kit, reactor, kit.Listener(), forbidden=judged.append)
    ((host, port, factory, timeout, bound),) = reactor.tcpClients
    assert (host, port, timeout, bound, judged) == ("192.0.2.1", 25, 30, None, ["192.0.2.1"])
    assert factory.buildProtocol(None) is conn
    assert not factory.noisy
    assert conn.peer == Peer("mx.example", "192.0.2.1", "")


def test_a_source_that_this_machine_has_not_is_a_fault_of_the_source(kit):
    reactor, listener = MemoryReactorClock(), kit.Listener()
    conn = begin(kit, reactor, listener, source_ip="192.0.2.9")
    assert (conn.peer, listener.closed) == (Peer("mx.example", "192.0.2.1", "192.0.2.9"), None)
    reactor.advance(0)
    assert (listener.closed.own_fault, listener.closed.source_fault) == (True, True)
    assert listener.closed.reason == "192.0.2.9 is not an address of this machine"


@pytest.mark.parametrize("ip", ["mx.example", "localhost", "", "192.0.2", "127.1", "192.0.2.1 ", "[::1]"])
def test_only_literals_are_connected_to(kit, ip):
    reactor, listener = MemoryReactorClock(), kit.Listener()
    begin(kit, reactor, listener, ip=ip)
    reactor.advance(0)
    assert reactor.tcpClients == []
    assert listener.closed.stage is Stage.CONNECT
    assert "not an IP address" in listener.closed.reason


def test_a_forbidden_address_is_told_later_and_never_connected_to(kit):
    reactor, listener = MemoryReactorClock(), kit.Listener()
    conn = begin(kit, reactor, listener, forbidden=lambda ip: f"{ip} is private")
    assert listener.closed is None
    reactor.advance(0)
    assert (listener.closed.reason, listener.closed.category) == ("192.0.2.1 is private", Category.ROUTING)
    assert not listener.closed.own_fault
    assert reactor.tcpClients == []
    assert conn.closed


@pytest.mark.parametrize("stop", ["abort", "quit"])
def test_a_connection_that_is_not_needed_any_more(kit, stop):
    reactor, listener = MemoryReactorClock(), kit.Listener()
    conn = begin(kit, reactor, listener)
    getattr(conn, stop)()
    assert (listener.closed.stage, listener.closed.category) == (Stage.CONNECT, None)
    assert reactor.connectors[0].stoppedConnecting
    wire = kit.Wire()
    conn.makeConnection(wire)  # the reactor may have been quicker
    assert wire.aborting
    conn.connectionLost()
    conn.connect_failed(listener.closed)
    assert listener.heard == ["closed"]


def test_an_abort_wins_over_a_refusal_on_its_way(kit):
    reactor, listener = MemoryReactorClock(), kit.Listener()
    conn = begin(kit, reactor, listener, forbidden=lambda _ip: "no")
    conn.abort("stopped")
    reactor.advance(0)
    assert listener.heard == ["closed"]


@pytest.mark.parametrize(
    ("error", "peer", "ours", "words"),
    [
        (getConnectError((errno.ECONNREFUSED, "")), V4, False, "connection refused"),
        (getConnectError((errno.EHOSTUNREACH, "")), V4, False, "no route to host"),
        (ConnectTimedOut(), V4, False, "connection timed out after 30 s"),
        (TCPTimedOutError(errno.ETIMEDOUT), V4, False, "connection timed out after 30 s"),
        (getConnectError((errno.ENETUNREACH, "")), V4, True, "network is unreachable"),
        (getConnectError((errno.EADDRNOTAVAIL, "")), V4, True, "cannot assign requested address"),
        (getConnectError((errno.EPERM, "")), V4, True, "operation not permitted"),
        (ConnectBindError(errno.EMFILE, ""), V4, True, "too many open files"),
        (ConnectBindError(errno.ENFILE, ""), V6, True, "too many open files in system"),
        (ConnectBindError(errno.EADDRNOTAVAIL, ""), V4, True, "cannot assign requested address"),
        (ConnectBindError(errno.EACCES, ""), V4, True, "permission denied"),
        (ConnectBindError(-9, "no such family"), V4, True, "Couldn't bind: -9: no such family."),
        (getConnectError((errno.ENETUNREACH, "")), V6, False, "network is unreachable"),
        (ConnectBindError(errno.EAFNOSUPPORT, ""), V6, False, "address family not supported by protocol"),
        (
            ConnectBindError(errno.EADDRNOTAVAIL, ""),
            Peer("mx", "::1", "::2"),
            True,
            GONE,
        ),
        (ConnectBindError(errno.EMFILE, ""), OURS, True, "too many open files"),
        (
            getConnectError((errno.EADDRNOTAVAIL, "")),
            OURS,
            True,
            NO_PORT,
        ),
        (
            getConnectError((errno.EINVAL, "")),
            OURS,
            True,
            WRONG,
        ),
        (getConnectError((errno.ECONNREFUSED, "")), OURS, False, "connection refused"),
        (ConnectError(string="odd"), V4, False, "An error occurred while connecting: odd."),
    ],
)
def test_our_own_faults_and_the_peers(error, peer, ours, words):
    closed = connect_failure(error, peer, 30.0)
    assert (closed.stage, closed.own_fault, closed.reason) == (Stage.CONNECT, ours, words)
    assert closed.category is Category.CONNECTION


# -- loopback


def good(*, pipelining: bool = True, messages: int = 1, tls=None):
    """A server as it should be; with ``tls`` it offers STARTTLS first."""

    def script(server):
        server.say("220 mx.example")
        yield
        if tls is not None:
            server.say("250-mx.example", "250 STARTTLS")
            yield
            server.say("220 go")
            server.transport.startTLS(tls)
            yield
        yield from mail(server, pipelining=pipelining, messages=messages)

    return script


def mail(server, *, pipelining: bool = True, messages: int = 1):
    """Answers the EHLO that was read, then takes so many messages."""
    server.say("250-mx.example", "250-PIPELINING" if pipelining else "250-HELP", "250 SIZE 20000000")
    for _ in range(messages):
        for _ in range(3):
            yield
            server.say("354 go" if server.lines[-1] == b"DATA" else "250 ok")
        yield
        while server.lines[-1] != b".":
            yield
        server.say("250 2.0.0 queued")
    yield
    server.say("221 bye")
    server.transport.loseConnection()


def after_body(*lines: str, close: str = ""):
    """Takes a message, says ``lines`` to its dot and closes (``fin``, ``rst``), or goes silent."""

    def script(server):
        server.say("220 mx")
        yield
        server.say("250-mx", "250 PIPELINING")
        yield
        yield
        yield
        server.say("250 s", "250 r", "354 go")
        yield
        while server.lines[-1] != b".":
            yield
        server.say(*lines)
        if close == "fin":
            server.transport.loseConnection()
        elif close == "rst":
            server.transport.abortConnection()
        yield

    return script


def deaf(*lines: str, close: bool = False):
    """Takes the envelope and then reads no more of the message; may say something all the same."""

    def script(server):
        server.say("220 mx")
        yield
        server.say("250-mx", "250 PIPELINING")
        yield
        yield
        yield
        server.transport.pauseProducing()
        server.say("250 s", "250 r", "354 go", *lines)
        if close:
            server.transport.loseConnection()
        yield

    return script


def closing_mid_body(server):
    server.say("220 mx")
    yield
    server.say("250-mx", "250 PIPELINING")
    yield
    yield
    yield
    server.say("250 s", "250 r", "354 go")
    yield
    server.say("552 5.3.4 too much")
    server.transport.loseConnection()
    yield


def garbage_for_tls(server):
    server.say("220 mx")
    yield
    server.say("250-mx", "250 STARTTLS")
    yield
    server.say("220 go")
    server.setRawMode()
    yield
    server.transport.write(b"this is no TLS at all, not in the least\r\n" * 3)


def silent_at_tls(server):
    server.say("220 mx")
    yield
    server.say("250-mx", "250 STARTTLS")
    yield
    server.say("220 go")
    yield


def cut_at_tls(server):
    server.say("220 mx")
    yield
    server.say("250-mx", "250 STARTTLS")
    yield
    server.say("220 go")
    server.setRawMode()
    yield
    server.transport.loseConnection()


def one_segment(tls, most):
    """A server that answers no TLS hello of more than ``most`` bytes."""

    def script(server):
        server.say("220 mx.example")
        yield
        server.say("250-mx.example", "250 STARTTLS")
        yield
        server.say("220 go")
        server.setRawMode()
        hello = yield
        while len(hello) < 5 + int.from_bytes(hello[3:5]):
            hello += yield
        if len(hello) > most:
            yield
        server.transport.startTLS(tls)
        server.setLineMode()
        server.transport.protocol.dataReceived(hello)
        yield
        yield from mail(server)

    return script


def silent(server):
    yield


def half_closed(server):
    server.say("220 mx")
    server.transport.loseWriteConnection()
    yield


BIG = b".dots and some more text to fill a line with, so that it has seventy six..\r\n" * 100_000


@pytest.mark.loopback
class Loopback(TestCase):
    """A real socket on 127.0.0.1, short timeouts where a stall is the point."""

    timeout = 300

    @pytest.fixture(autouse=True)
    def _kit(self, kit, needs, end, tmp_path):
        self.kit = kit
        self.needs, self.end, self.folder = needs, end, tmp_path

    async def talk(
        self,
        *scripts,
        listener=None,
        mode=TlsMode.OPPORTUNISTIC,
        ca=None,
        host="mx.example",
        contexts=None,
        options=None,
        **changed,
    ):
        from twisted.internet import reactor

        self.farm = self.kit.FakeServers(*scripts)
        port = reactor.listenTCP(0, self.farm, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.listener = listener or self.kit.Listener(self.kit.message())
        self.conn = begin(
            self.kit,
            reactor,
            self.listener,
            ip="127.0.0.1",
            port=port.getHost().port,
            host=host,
            timeouts=self.kit.timeouts(**changed),
            session_options=SessionOptions("me.example", mode, **(options or {})),
            tls_contexts=contexts or TlsContexts(ca),
        )
        closed = await self.listener.done
        for server in self.farm.servers:
            server.transport.resumeProducing()
            await server.lost
        return closed

    @property
    def fates(self):
        return [(str(event.fate), str(event.stage)) for event in self.listener.settlements]

    async def test_messages_one_after_the_other(self):
        for pipelining in (True, False):
            listener = self.kit.Listener(*(self.kit.message() for _ in range(3)))
            await self.talk(good(pipelining=pipelining, messages=3), listener=listener)
            self.assertEqual(self.fates, [("accepted", "dot")] * 3)
            self.assertEqual(self.listener.peer, Peer("mx.example", "127.0.0.1", "127.0.0.1"))
            self.assertIn(b"..dots", self.farm.servers[0].lines)

    async def test_a_connection_that_is_over_needs_no_garbage_collector(self):
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        async def gone(*scripts, **changed):
            await self.talk(*scripts, **changed)
            there = weakref.ref(self.conn)
            self.conn = self.listener = self.farm = None
            await deferLater(reactor, 0.05)
            return there() is None

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertTrue(await gone(good()))
        self.assertTrue(await gone(good(tls=self.kit.ServerTls(self.kit.pem))))
        self.assertTrue(await gone(after_body(close="fin")))
        self.assertTrue(await gone(after_body(close="rst")))
        self.assertTrue(await gone(silent, greeting=0.1))

    async def test_one_write_a_message(self):
        def script(server):
            server.say("220 mx.example")
            yield
            server.say("250-mx.example", "250 PIPELINING")
            yield
            yield
            yield
            server.say("250 s", "250 r", "354 go")
            for number in range(5):
                while server.lines[-1] != b".":
                    yield
                if number < 4:
                    while server.lines[-1] != b"DATA":
                        yield  # before a word of an answer
                    server.say("250 ok", "250 s", "250 r", "354 go")
            server.say("250 ok")
            yield
            server.say("221 bye")
            server.transport.loseConnection()

        listener = self.kit.Listener(*(self.kit.message() for _ in range(5)), follows=True)
        await self.talk(script, listener=listener)
        self.assertEqual(self.fates, [("accepted", "dot")] * 5)

    async def test_each_message_reaches_smtp_sink_once(self):
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        command = self.needs("smtp-sink", "postfix")
        dump = self.folder / "dump"
        self.folder.chmod(0o777)
        port = free_port()
        user = ["-u", "root"] if os.geteuid() == 0 else []
        sink = subprocess.Popen(
            [command, *user, "-D", str(dump), f"127.0.0.1:{port}", "100"], stderr=subprocess.DEVNULL
        )
        self.addCleanup(self.end, sink)
        bodies = [b".%d\r\n..\r\n" % n + b"x\r\n" * (n * 997) for n in range(40)]
        while True:
            left = [self.kit.message(f"r{n}@you.example", body=body) for n, body in enumerate(bodies)]
            listener = self.kit.Listener(*left, follows=True)
            begin(self.kit, reactor, listener, ip="127.0.0.1", port=port)
            closed = await listener.done
            if closed.stage is not Stage.CONNECT:
                break
            await deferLater(reactor, 0.02)
        self.assertEqual([event.fate for event in listener.settlements], ["accepted"] * 40)
        self.end(sink)
        dumped = dump.read_bytes().replace(b"\r\n", b"\n")
        received = dumped.split(b"X-Helo-Args: ")[1:]
        self.assertEqual(len(received), 40)
        for n, text in enumerate(received):
            self.assertIn(b"<r%d@you.example>" % n, text)
            self.assertEqual((text.count(b"\nx"), text.count(b".%d\n..\n" % n)), (n * 997, 1))

    async def test_a_big_message_arrives_whole(self):
        for tls in (None, self.kit.ServerTls(self.kit.pem)):
            listener = self.kit.Listener(self.kit.message(body=BIG))
            await self.talk(good(tls=tls), listener=listener)
            self.assertEqual(self.fates, [("accepted", "dot")])
            lines = self.farm.servers[0].lines
            start = lines.index(b"DATA") + 1
            self.assertEqual(b"\r\n".join(lines[start : lines.index(b".")]), BIG[:-2].replace(b".dots", b"..dots"))

    async def test_starttls(self):
        for mode in (TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED, TlsMode.VERIFY):
            tls = self.kit.ServerTls(self.kit.pem)
            await self.talk(good(tls=tls), mode=mode, ca=self.kit.pem)
            self.assertEqual(self.fates, [("accepted", "dot")])
            self.assertEqual((self.listener.peer.tls, tls.name), ("TLSv1.3", b"mx.example"))

    async def test_the_next_connection_resumes_the_session(self):
        for newest in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for mode in (TlsMode.OPPORTUNISTIC, TlsMode.VERIFY):
                tls = self.kit.ServerTls(self.kit.pem, newest=newest)
                contexts = TlsContexts(self.kit.pem)
                for _ in range(3):
                    await self.talk(good(tls=tls), mode=mode, contexts=contexts)
                    self.assertEqual(self.fates, [("accepted", "dot")])
                self.assertEqual(tls.resumed, [False, True, True])

    async def test_implicit_tls_and_a_sign_in(self):
        tls = self.kit.ServerTls(self.kit.pem)

        def script(server):
            server.transport.startTLS(tls)
            server.say("220 mx.example")
            yield
            server.say("250-mx.example", "250-STARTTLS", "250 AUTH LOGIN")
            yield
            server.say("334 VXNlcm5hbWU6")
            yield
            server.say("334 UGFzc3dvcmQ6")
            yield
            server.say("235 2.7.0 in")
            for _ in range(3):
                yield
                server.say("354 go" if server.lines[-1] == b"DATA" else "250 ok")
            yield
            while server.lines[-1] != b".":
                yield
            server.say("250 2.0.0 queued")
            yield
            server.say("221 bye")
            server.transport.loseConnection()

        options = {"implicit_tls": True, "credentials": Credentials("tim", "geheim")}
        await self.talk(script, mode=TlsMode.VERIFY, ca=self.kit.pem, options=options)
        self.assertEqual(self.fates, [("accepted", "dot")])
        peer = self.listener.peer
        self.assertEqual((peer.tls, peer.cipher[:8]), ("TLSv1.3", "TLS_AES_"))
        self.assertIn(peer.group.lower(), ("", "x25519", "x25519mlkem768", "secp256r1"))  # what can tell is newer
        said = self.farm.servers[0].lines[:4]
        self.assertEqual(said, [b"EHLO me.example", b"AUTH LOGIN", b"dGlt", b"Z2VoZWlt"])

    async def test_implicit_tls_with_the_wrong_certificate_says_nothing(self):
        def script(server):
            server.transport.startTLS(self.kit.ServerTls(self.kit.pem))
            yield

        options = {"implicit_tls": True, "credentials": Credentials("tim", "geheim")}
        closed = await self.talk(script, mode=TlsMode.VERIFY, options=options)
        self.assertEqual((closed.stage, closed.tls_failed), (Stage.STARTTLS, True))
        self.assertIn("certificate verify failed", closed.reason)
        self.assertEqual(self.farm.servers[0].lines, [])

    async def test_a_certificate_for_another_name(self):
        tls = self.kit.ServerTls(self.kit.pem)
        closed = await self.talk(good(tls=tls), mode=TlsMode.VERIFY, ca=self.kit.pem, host="other.example")
        self.assertEqual(closed.reason, "the certificate is not for other.example")
        self.assertEqual((closed.stage, closed.tls_failed), (Stage.STARTTLS, True))
        self.assertEqual(self.farm.servers[0].lines, [b"EHLO me.example", b"STARTTLS"])
        self.assertEqual(self.listener.heard, ["closed"])

    async def test_a_certificate_of_nobody_we_trust(self):
        closed = await self.talk(good(tls=self.kit.ServerTls(self.kit.pem)), mode=TlsMode.VERIFY)
        self.assertIn("certificate verify failed", closed.reason)
        self.assertTrue(closed.tls_failed)

    async def test_tls_that_is_too_old(self):
        tls = self.kit.ServerTls(self.kit.pem, newest=SSL.TLS1_1_VERSION)
        closed = await self.talk(good(tls=tls))
        self.assertEqual((closed.stage, closed.category, closed.tls_failed), (Stage.STARTTLS, Category.TLS, True))

    async def test_garbage_instead_of_a_handshake(self):
        closed = await self.talk(garbage_for_tls)
        self.assertEqual((closed.stage, closed.tls_failed), (Stage.STARTTLS, True))
        self.assertIn("TLS handshake failed: ", closed.reason)

    async def test_silence_instead_of_a_handshake(self):
        closed = await self.talk(silent_at_tls, starttls=0.2)
        self.assertEqual((closed.reason, closed.tls_failed), ("no TLS handshake within 0.2 s", True))

    async def test_a_server_that_answers_no_large_hello_gets_a_small_one(self):
        for mode in (TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED, TlsMode.VERIFY):
            contexts = TlsContexts(self.kit.pem)
            script = one_segment(self.kit.ServerTls(self.kit.pem), most=1400)
            closed = await self.talk(script, mode=mode, contexts=contexts, starttls=0.2)
            if not contexts.handshake(mode, "mx.example").large:  # OpenSSL before 3.5
                self.assertEqual(self.fates, [("accepted", "dot")])
                continue
            self.assertEqual((closed.reason, closed.tls_failed), ("no TLS handshake within 0.2 s", True))
            self.assertTrue(self.conn.wants_small_hello)
            await self.talk(script, mode=mode, contexts=contexts, options={"small_hello": True})
            self.assertEqual((self.fates, self.listener.peer.tls), ([("accepted", "dot")], "TLSv1.3"))

    async def test_a_server_that_answers_no_hello_does_not_want_a_second_small_one(self):
        closed = await self.talk(silent_at_tls, starttls=0.2, options={"small_hello": True})
        self.assertTrue(closed.tls_failed)
        self.assertFalse(self.conn.wants_small_hello)

    async def test_a_connection_cut_in_the_hello_and_one_that_is_answered(self):
        large = TlsContexts().handshake(TlsMode.OPPORTUNISTIC, "mx.example").large
        await self.talk(cut_at_tls)
        self.assertEqual(self.conn.wants_small_hello, large)
        await self.talk(garbage_for_tls)
        self.assertFalse(self.conn.wants_small_hello)
        await self.talk(good(tls=self.kit.ServerTls(self.kit.pem, newest=SSL.TLS1_1_VERSION)))
        self.assertFalse(self.conn.wants_small_hello, "an alert is an answer")

    async def test_silence_instead_of_a_greeting(self):
        closed = await self.talk(silent, greeting=0.2)
        self.assertEqual((closed.stage, closed.category), (Stage.GREETING, Category.NO_ANSWER))

    async def test_half_closed_after_the_greeting(self):
        closed = await self.talk(half_closed)
        self.assertEqual((closed.stage, closed.reason), (Stage.EHLO, "the server closed the connection"))

    async def test_endings_after_the_dot(self):
        for lines, close, fate in [
            (["250 ok"], "fin", "accepted"),
            (["550 no"], "fin", "refused"),
            (["421 bye"], "fin", "refused"),
            ([], "fin", "unknown"),
            ([], "rst", "unknown"),
            (["250-open"], "fin", "unknown"),
            (["noise"], "", "unknown"),
            ([], "", "unknown"),
        ]:
            await self.talk(after_body(*lines, close=close), dot=0.2)
            self.assertEqual(self.fates, [(fate, "dot")], (lines, close))

    async def test_a_server_that_stops_reading(self):
        listener = self.kit.Listener(self.kit.message(body=BIG * 4))
        closed = await self.talk(deaf(), listener=listener, body=0.3)
        self.assertEqual(self.fates, [("lost", "data")])
        self.assertEqual(closed.reason, "the server took nothing of the message within 0.3 s")

    async def test_a_refusal_in_the_middle_is_heard_although_it_stopped_reading(self):
        for lines in (["552 too big"], ["452 full"], ["421 bye"]):
            listener = self.kit.Listener(self.kit.message(body=BIG))
            await self.talk(deaf(*lines), listener=listener)
            self.assertEqual(self.fates, [("refused", "dot")])

    async def test_a_refusal_is_heard_although_the_connection_breaks_with_it(self):
        listener = self.kit.Listener(self.kit.message(body=BIG))
        await self.talk(closing_mid_body, listener=listener)
        self.assertEqual(self.fates, [("refused", "dot")])

    async def test_a_success_in_the_middle_is_none(self):
        listener = self.kit.Listener(self.kit.message(body=BIG))
        await self.talk(deaf("250 ok"), listener=listener)
        self.assertEqual(self.fates, [("lost", "data")])

    async def test_nobody_listens(self):
        from twisted.internet import reactor

        port = reactor.listenTCP(0, self.kit.FakeServers(silent), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        listener = self.kit.Listener()
        begin(self.kit, reactor, listener, ip="127.0.0.1", port=number)
        closed = await listener.done
        self.assertEqual((closed.reason, closed.own_fault), ("connection refused", False))

    async def test_a_source_address_we_do_not_have_is_our_own_fault(self):
        from twisted.internet import reactor

        listener = self.kit.Listener()
        begin(self.kit, reactor, listener, ip="127.0.0.1", port=9, source_ip="192.0.2.77")
        closed = await listener.done
        self.assertEqual((closed.stage, closed.own_fault, closed.source_fault), (Stage.CONNECT, True, True))
        self.assertEqual(closed.reason, "192.0.2.77 is not an address of this machine")

    async def test_an_abort_in_the_middle(self):
        listener = self.kit.Listener(self.kit.message())
        listener.at_dot = lambda conn: conn.abort("stopped")
        await self.talk(after_body("250 ok"), listener=listener)
        self.assertEqual(self.fates, [("untried", "dot")])
