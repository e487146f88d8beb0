from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from email.message import EmailMessage

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from bulkmail.rehearsal import body_of, read
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.server import MxConnection, MxFactory
from bulkmail.rehearsal.zone import Zone


class Site:
    """One exchanger and the connections to it, on string transports."""

    def __init__(self, persona: str, speed: float = 1.0) -> None:
        self.clock = Clock()
        self.network = SimulatedNetwork(
            Zone(), clock=self.clock.seconds, now=self.clock.seconds, call_later=self.clock.callLater, speed=speed
        )
        exchanger = Exchanger("127.77.0.2", PERSONAS[persona])
        exchanger.add(f"mx.{persona}.test")
        self.factory = MxFactory(self.network, exchanger, lambda *_: None)

    def connect(self, client: str = "127.0.0.1") -> tuple[MxConnection, StringTransport]:
        transport = StringTransport(peerAddress=IPv4Address("TCP", client, 40000))
        transport.setTcpNoDelay = lambda *_: None
        connection = self.factory.buildProtocol(None)
        connection.makeConnection(transport)
        return connection, transport


def test_the_limit_counts_open_connections_of_one_client() -> None:
    site = Site("busy")
    first, _ = site.connect()
    site.connect()
    _, third = site.connect()
    assert third.value().startswith(b"421 ")
    assert third.disconnecting
    assert site.connect("127.0.0.2")[1].value().startswith(b"220 ")
    first.connectionLost()
    assert site.connect()[1].value().startswith(b"220 ")


def test_a_connection_that_was_sent_away_gives_its_place_back_once() -> None:
    site = Site("busy")
    gone = [site.connect()[0] for _ in range(5)]
    for connection in gone:
        connection.connectionLost()
    assert not site.network.open
    assert not site.network.connections


def test_quit_gives_the_place_back_before_the_connection_is_gone() -> None:
    site = Site("busy")
    site.connect()
    leaving, transport = site.connect()
    leaving.dataReceived(b"QUIT\r\n")
    assert transport.disconnecting
    assert site.connect()[1].value().startswith(b"220 ")


def test_who_talks_on_while_a_reply_waits_is_not_read_for_ever() -> None:
    site = Site("slow")
    connection, transport = site.connect()
    for _ in range(10):
        connection.dataReceived(b"NOOP\r\n" * 10_000)
    assert transport.producerState == "paused"
    site.clock.advance(3)
    assert transport.producerState == "producing"
    assert transport.value().startswith(b"220 ")
    assert transport.value().count(b"250 2.0.0 Ok") == 100_000


def test_silence_for_too_long() -> None:
    site = Site("accept", speed=60.0)
    connection, transport = site.connect()
    site.clock.advance(9)
    connection.sweep(site.clock.seconds())
    assert not transport.disconnecting
    connection.dataReceived(b"NOOP\r\n")
    site.clock.advance(9)
    connection.sweep(site.clock.seconds())
    assert not transport.disconnecting
    site.clock.advance(2)
    connection.sweep(site.clock.seconds())
    assert transport.value().splitlines()[-1].startswith(b"421 4.4.2")
    assert transport.disconnecting


def test_a_silent_connection_is_not_kept_for_ever() -> None:
    site = Site("mute", speed=60.0)
    connection, transport = site.connect()
    site.clock.advance(14)
    connection.dataReceived(b"EHLO me.example\r\n")
    connection.sweep(site.clock.seconds())
    assert not transport.disconnecting
    site.clock.advance(2)
    connection.sweep(site.clock.seconds())
    assert transport.disconnecting


def letter(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "news@shop.example", to, "Grüße"
    message["Message-ID"] = "<one.two@shop.example>"
    message.set_content("Hello\n.\n..dots\nbye\n")
    return message


@pytest.mark.loopback
def test_smtplib_delivers_over_tls_that_verifies(process, tmp_path) -> None:
    world = process("--store", str(tmp_path))
    host = world.hosts("example.org")[0]
    context = ssl.create_default_context(cafile=world.ready["ca"])
    with smtplib.SMTP(world.address(host), world.port, timeout=300) as client:
        client._host = host
        client.starttls(context=context)
        client.send_message(letter("anna@example.org"), to_addrs=["anna@example.org", "bo@example.org"])
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.send_message(letter("bounce@example.org"))
        assert refused.value.recipients["bounce@example.org"][0] == 550
        client.send_message(letter("cy@example.org"))
    totals = world.stop()
    assert (totals["messages"], totals["recipients"], totals["tls"], totals["refused"]) == (2, 3, 1, 1)
    found = list(read(str(tmp_path)))
    assert [line.rcpt for line in found] == ["anna@example.org", "bo@example.org", "cy@example.org"]
    assert found[0].tls.startswith("TLSv1.")
    assert (found[0].mx, found[0].message_id) == ("mx.example.org", "<one.two@shop.example>")
    text = body_of(str(tmp_path), found[0])
    assert b"\r\n.\r\n..dots\r\nbye\r\n" in text


@pytest.mark.loopback
def test_broken_tls_and_then_in_clear(process) -> None:
    world = process()
    ip, port = world.exchanger("broken-tls.test")
    context = ssl._create_unverified_context()
    with smtplib.SMTP(ip, port, timeout=300) as client, pytest.raises((ssl.SSLError, OSError)):
        client.starttls(context=context)
    with smtplib.SMTP(ip, port, timeout=300) as client:
        client.send_message(letter("anna@broken-tls.test"))
    assert world.stop()["messages"] == 1


@pytest.mark.loopback
def test_a_whole_group_in_one_write(process) -> None:
    world = process()
    group = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\n"
    body = b"Subject: x\r\n\r\nhi\r\n.\r\n"
    with socket.create_connection(world.exchanger("example.org"), timeout=300) as client:
        replies = client.makefile("rb")
        assert replies.readline().startswith(b"220 ")
        client.sendall(b"HELO me.example\r\n" + group)
        for expected in (b"250", b"250", b"250", b"354"):
            assert replies.readline().startswith(expected)
        for _ in range(50):
            client.sendall(body + group)
            for expected in (b"250 2.0.0 Ok: queued", b"250", b"250", b"354"):
                assert replies.readline().startswith(expected)
        client.sendall(body + b"QUIT\r\n")
        assert replies.readline().startswith(b"250")
        assert replies.readline().startswith(b"221")
        assert replies.readline() == b""
    assert world.stop()["messages"] == 51


@pytest.mark.loopback
def test_greylisting_and_dead_hosts(process) -> None:
    world = process("--speed", "100000")
    ip, port = world.exchanger("greylist.test")
    with smtplib.SMTP(ip, port, timeout=300) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="Greylisted, try again in 300 seconds"):
            client.send_message(letter("anna@greylist.test"))
        # 3 ms later
        while not world.ask("example.org", "MX").answer:
            pass
        for _ in range(100):
            client.noop()
        client.send_message(letter("anna@greylist.test"))
    first, second = world.hosts("half-dead.test")
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(world.address(first), world.port, timeout=300)
    with smtplib.SMTP(world.address(second), world.port, timeout=300) as client:
        client.send_message(letter("anna@half-dead.test"))
    assert world.stop()["messages"] == 2


@pytest.mark.loopback
def test_the_last_reply_arrives_before_the_silent_close(process) -> None:
    world = process()
    with smtplib.SMTP(*world.exchanger("hang-up.test"), timeout=300) as client:
        for _ in range(5):
            client.send_message(letter("anna@hang-up.test"))
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()
    totals = world.stop()
    assert (totals["messages"], totals["unanswered"]) == (5, 0)


@pytest.mark.loopback
def test_pouring_goes_on_as_long_as_somebody_reads(process) -> None:
    world = process()
    with socket.create_connection(world.exchanger("endless-lines.test"), timeout=300) as client:
        taken = b""
        while len(taken) < 2_000_000:
            taken += client.recv(65536)
    assert set(taken.splitlines()[:-1]) == {b"220-and"}
    world.stop()


@pytest.mark.loopback
def test_half_a_close(process) -> None:
    world = process()
    with socket.create_connection(world.exchanger("half-close.test"), timeout=300) as client:
        heard = client.makefile("rb")
        assert heard.readline().startswith(b"220 ")
        assert heard.readline() == b""
        for _ in range(3):
            client.sendall(b"NOOP\r\n")  # our direction is open, and what we say is forgotten
    world.stop()


@pytest.mark.loopback
@pytest.mark.parametrize("name", ["stops-reading", "reads-slowly"])
def test_what_is_not_read_stays_with_the_sender(process, name: str) -> None:
    world = process("--speed", "1")
    group = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<u@%s.test>\r\nDATA\r\n" % name.encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        client.settimeout(10)
        client.connect(world.exchanger(f"{name}.test"))
        replies = client.makefile("rb")
        client.sendall(b"HELO me.example\r\n" + group)
        while not replies.readline().startswith(b"354"):
            pass
        client.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 5_000_000:
                sent += client.send(b"x" * 4096)
        assert sent < 500_000
    world.stop()
