from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dns.message
import dns.query
import pytest
from twisted.internet.task import Clock

from bulkmail.rehearsal.behaviour import Behaviour, Persona
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.session import ServerSession
from bulkmail.rehearsal.store import NoStore, ReceivedMessage
from bulkmail.rehearsal.zone import Zone

MESSAGE = b"Message-ID: <a.b@news.example>\r\nSubject: hi\r\n\r\nhello\r\n"


class Kept(NoStore):
    """Keeps what it is given, in memory."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def add(self, received: ReceivedMessage) -> None:
        self.kept.append(received._asdict())


class Talk:
    """A client of one session: `say` gives the replies to some bytes, as lines."""

    def __init__(self, persona: Persona, *, speed: float = 1.0, domain: str = "", zone: Zone | None = None) -> None:
        self.clock = Clock()
        self.store = Kept()
        self.persona = persona
        self.network = SimulatedNetwork(
            zone or Zone(),
            clock=self.clock.seconds,
            now=lambda: 1_700_000_000.0,
            call_later=self.clock.callLater,
            store=self.store,
            speed=speed,
        )
        self.exchanger = Exchanger("127.77.0.9", persona)
        for _, host in self.network.zone.domain(domain or f"{persona.name}.test").hosts:
            self.exchanger.add(host)
        self.connect()

    def connect(self, *, welcome: bool = True) -> str:
        """A connection more; the last one is talked to. The greeting."""
        self.written = b""
        self.closed = ""
        self.secured = False
        self.network.totals.connections += 1
        self.session = ServerSession(self.network, self.exchanger, self, "127.0.0.1", self.network.totals.connections)
        self.session.begin(welcome=welcome)
        return self.heard()

    # what a Link does

    def write(self, data: bytes) -> None:
        assert not self.closed, "nothing is written after the end"
        self.written += data

    def close(self) -> None:
        self.closed = self.closed or "closed"

    def abort(self) -> None:
        self.closed = "aborted"

    def half_close(self) -> None:
        self.closed = "half-closed"

    def repeat(self, data: bytes) -> None:
        self.repeated = data

    def stop_reading(self) -> None:
        self.closed = "not read"

    def start_tls(self, hello: bytes = b"") -> None:
        self.secured = True
        self.client_hello = hello

    def tls_version(self) -> str:
        return "TLSv1.3"

    # what a client does

    def heard(self) -> str:
        heard, self.written = self.written, b""
        return heard.decode("latin-1")

    def say(self, data: bytes | str) -> str:
        if isinstance(data, str):
            data = data.encode()
        self.session.receive(data)
        return self.heard()

    def hello(self) -> Talk:
        assert self.say("EHLO me.example\r\n").startswith("250")
        return self

    def envelope(self, *recipients: str, sender: str = "news@shop.example") -> list[str]:
        """The codes of MAIL and the RCPTs."""
        lines = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
        return [line[:3] for line in self.say("".join(line + "\r\n" for line in lines)).splitlines()]

    def send(self, *recipients: str, message: bytes = MESSAGE, sender: str = "news@shop.example") -> str:
        """A whole transaction; the reply to the dot, or to DATA where that was refused."""
        self.envelope(*recipients, sender=sender)
        invited = self.say("DATA\r\n")
        return self.say(message + b".\r\n") if invited.startswith("354") else invited


@pytest.fixture
def talk() -> Callable[..., Talk]:
    """Makes a client: of a persona by name, or of `accept` with some behaviours."""

    def make(name: str = "accept", *behaviours: Behaviour, hello: bool = True, **options: Any) -> Talk:
        speed, domain = options.pop("speed", 1.0), options.pop("domain", "")
        persona = replace(PERSONAS[name], **options)
        if behaviours:
            persona = replace(persona, behaviours=behaviours)
        made = Talk(persona, speed=speed, domain=domain)
        return made.hello() if hello else made

    return make


class Process:
    """A rehearsal in a process of its own."""

    def __init__(self, popen: Any, *options: str) -> None:
        words = [sys.executable, "-m", "bulkmail.rehearsal", *options]
        self.child = popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = json.loads(self.child.stdout.readline())
        self.port = self.ready["smtp_port"]
        self.dns_ip, _, port = self.ready["dns"].partition(":")
        self.dns_port = int(port)

    def ask(self, name: str, kind: str, **options: Any) -> dns.message.Message:
        query = dns.message.make_query(name, kind, **options)
        return dns.query.udp(query, self.dns_ip, port=self.dns_port, timeout=300)

    def hosts(self, domain: str) -> list[str]:
        """The MX hosts of a domain, best first."""
        records = self.ask(domain, "MX").answer[0]
        return [mx.exchange.to_text(omit_final_dot=True) for mx in sorted(records, key=lambda mx: mx.preference)]

    def address(self, host: str) -> str:
        return self.ask(host, "A").answer[0][0].address

    def exchanger(self, domain: str) -> tuple[str, int]:
        """Where the mail of a domain goes."""
        return self.address(self.hosts(domain)[0]), self.port

    def stop(self) -> dict[str, float]:
        """End its input; its last words."""
        out, _ = self.child.communicate(timeout=300)
        assert self.child.returncode == 0
        return json.loads(out)


@pytest.fixture
def process(popen: Any) -> Iterator[Callable[..., Process]]:
    """Starts rehearsals, and leaves none behind."""
    started: list[Process] = []

    def start(*options: str) -> Process:
        started.append(Process(popen, *options))
        return started[-1]

    yield start
    for one in started:
        if one.child.poll() is None:
            one.child.kill()
        one.child.communicate()
