"""The main process's part in a delivery, in memory: all of it but the sockets, the composers and the writer's thread.

Feeder, lanes, connections, ledger, journal and spool are the real ones. In place of the composers is a letter that is
always equally long, in place of the sockets a server that accepts everything, in place of time a clock that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.base import DelayedCall, ReactorBase
from twisted.internet.defer import Deferred

from bulkmail.delivery import Clocks, Connector, Pause, Run, assemble
from bulkmail.routing import MxHost, Site
from bulkmail.settings import Retry, Settings
from bulkmail.shaping import SiteFacts
from bulkmail.spool import Spool
from bulkmail.spool.opening import open_all

NOW = 1_795_424_400.0
LETTER = b"Subject: work\r\n\r\n" + b"A line of an ordinary letter, neither long nor short\r\n" * 200
SITES = 4
DOMAINS = 16
_LIMITS = {
    "connections": 4,
    "messages_per_connection": 1_000_000,
    "rate": "1000000/s",
    "connection_rate": "10000/s",
}


class Server:
    """A server with PIPELINING and without CHUNKING that accepts everything; ``told`` gives what it answers."""

    GREETING = b"220 mx.example.net ESMTP\r\n"

    def __init__(self) -> None:
        self._in_message = False

    def told(self, said: bytes) -> bytes:
        """The replies to what was said, in one piece."""
        replies = []
        if self._in_message:
            _, end, said = said.partition(b"\r\n.\r\n")
            if not end:
                return b""
            self._in_message = False
            replies.append(b"250 2.0.0 Ok: queued as 4TfK2x1Qz9\r\n")
        for line in said.split(b"\r\n")[:-1]:
            if line.startswith(b"EHLO"):
                replies.append(b"250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 30000000\r\n250 8BITMIME\r\n")
            elif line == b"DATA":
                self._in_message = True
                replies.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            else:
                replies.append(b"250 2.1.0 Ok\r\n")
        return b"".join(replies)


class Wire:
    """A transport with the server at its other end; what that answers arrives a turn later."""

    def __init__(self, reactor: Any, protocol: Any) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._server = Server()
        self.writes = 0
        protocol.makeConnection(self)
        reactor.arrived.append((protocol, Server.GREETING))

    def writeSomeData(self, data: bytes) -> int:
        """Take all of it, as a socket does whose buffer has room."""
        self.writes += 1
        replies = self._server.told(data)
        if replies:
            self._reactor.arrived.append((self._protocol, replies))
        return len(data)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is nothing to wait for."""

    def getHost(self) -> Any:
        """Where it begins."""
        return SimpleNamespace(host="192.0.2.9")


class Reactor(ReactorBase):
    """Twisted's own timers, without anything to poll, at a time that is told; ``timers``: so many were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.seconds = lambda: self.now  # type: ignore[method-assign]
        self.wires: list[Wire] = []
        self.arrived: list[tuple[Any, bytes]] = []
        self.timers = 0

    def installWaker(self) -> None:
        """Nobody waits."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> DelayedCall:  # noqa: A002
        """As ever."""
        self.timers += 1
        return super().callLater(delay, callable, *args, **kwargs)

    def connectTCP(self, host: str, port: int, factory: Any, *_: Any) -> Any:
        """The connection stands a turn later."""
        del host, port
        super().callLater(0, lambda: self.wires.append(Wire(self, factory.buildProtocol(None))))
        return SimpleNamespace(stopConnecting=lambda: None)

    def turn(self) -> None:
        """One turn; where there is nothing to do next, it is later then."""
        self.runUntilCurrent()
        arrived, self.arrived = self.arrived, []
        for protocol, data in arrived:
            protocol.dataReceived(data)
        if not arrived:
            self.now += self.timeout() or 0.0


class Line:
    """The writer's thread, in turns of the reactor."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def call(self, work: Callable[[], Any]) -> Deferred[Any]:
        """Run it one turn later."""
        done: Deferred[Any] = Deferred()
        self._reactor.callLater(0, lambda: done.callback(work()))
        return done


class Composers:
    """In place of a pool: the letter, a turn later."""

    size = 2

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def ask(self, job: tuple[Any, ...], deadline: float, *, worked: Any, **_: Any) -> Deferred[Any]:
        """A letter for each row."""
        del deadline
        done: Deferred[Any] = Deferred()
        letters = [(row[0], b"X-Row: %d\r\n" % row[0] + LETTER, "s@example.com", None) for row in job[2]]
        done.addCallback(lambda answer: worked(0.002 * len(answer)) or answer)
        self._reactor.callLater(0, done.callback, letters)
        return done


class House:
    """One campaign to ``messages`` recipients, imported and ready to be sent."""

    def __init__(self, place: Path, messages: int) -> None:
        self.reactor = reactor = Reactor()
        self.store, self._journal, self._lock, _ = open_all(str(place), "boot", Retry(), NOW)
        domains = [f"d{n}.example" for n in range(DOMAINS)]
        campaign_id = self._imported(messages, domains)
        self.spool = Spool(self.store, self._journal, Line(reactor), reactor, clock=reactor.seconds, lock=self._lock)  # type: ignore[arg-type]
        settings = Settings.model_validate({"shaping": {"default": _LIMITS}})
        clocks = Clocks(reactor, reactor.seconds)
        facts = SiteFacts()
        connector = Connector(
            clocks=clocks, settings=settings, hostname="mta.example.com", facts=facts, relays={}, rng=Random(1)
        )
        parts = assemble(
            spool=self.spool,
            pause=Pause(clocks),
            settings=settings,
            providers={},
            connections=1000,
            connector=connector,
            compose=Composers(reactor),  # type: ignore[arg-type]
            route=self._route,
            changed=lambda _: None,
            rng=Random(1),
        )
        self.run = Run(campaign_id, "work", "/work", {}, "retry", NOW, input_rows=messages, import_done=True)
        parts.feeder.runs[campaign_id] = self.run
        self._feeder = parts.feeder

    def _imported(self, messages: int, domains: list[str]) -> int:
        campaign = self.store.create_campaign(
            "work", "/work", key=b"k" * 32, content={"name": "work"}, digests={}, files=[("r.csv", ["email"])], now=NOW,
            on_unknown="retry",
        )  # fmt: skip
        at = [domains[n % len(domains)] for n in range(messages)]
        rows: Iterable[tuple[Any, ...]] = [
            (n, 0, n, f"r{n}@{domain}", domain, f'["r{n}@{domain}"]', "ok", "") for n, domain in enumerate(at, 1)
        ]
        self.store.add_rows(campaign.id, list(rows), {}, True, NOW)  # type: ignore[arg-type]
        self.store.set_state(campaign.id, "running", NOW)
        return campaign.id

    @staticmethod
    async def _route(domain: str) -> Site:
        site = int(domain[1:].partition(".")[0]) % SITES
        return Site(f"mx{site}", (MxHost(10, f"mx{site}.example.net", (f"93.184.216.{site}",)),), "", f"mx{site}")

    def send(self) -> None:
        """Send all of it, and have it settled."""
        self._feeder.rescan()
        while not self.run.complete:
            self.reactor.turn()
        self.spool.flushed()
        while self.spool.unsettled:
            self.reactor.turn()

    @property
    def writes(self) -> int:
        """So often something was written to a server."""
        return sum(wire.writes for wire in self.reactor.wires)

    def close(self) -> None:
        """Close its files."""
        self.store.close()
        self._journal.close()
        self._lock.release()
