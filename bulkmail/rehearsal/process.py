"""The rehearsal's world as the service sees it: a child process, and settings that lead nowhere else.

The child ends when its input closes, so a killed parent leaves no world behind.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.files import Folder
from bulkmail.mail import OwnFault
from bulkmail.rehearsal.later import INBOUND, PAGE
from bulkmail.settings import Filter, Inbound, Public, Route, Settings, route_name
from bulkmail.workers import surroundings

_log = Logger("bulkmail")

LOOPBACK = "127.0.0.0/8"
_SHORTEST_PATIENCE = 5.0
_START_WITHIN = 20.0
_END_WITHIN = 5.0
_REST_WITHIN = 60.0


@dataclass(frozen=True)
class Where:
    """Where the world listens: nameserver as ``ip:port``, port of all mail servers; and who signed for them."""

    dns: str
    smtp_port: int
    ca: str | None = None


def rehearsed(settings: Settings, where: Where, spool: str, speed: float) -> Settings:
    """Return the settings with the way out replaced: resolver, port, networks, spool; waits divided by ``speed``.

    The patience for a server stays at 5 seconds or more: the simulated servers answer in time of their own.
    """

    def shorter(seconds: float) -> float:
        return max(seconds / speed, min(seconds, _SHORTEST_PATIENCE))

    retry, smtp = settings.retry, settings.smtp
    timeouts = {name: shorter(seconds) for name, seconds in dict(smtp.timeouts).items()}
    return settings.model_copy(
        update={
            "spool": spool,
            "relay": None,
            "inbound": _inbound(settings, where),
            "public": _public(settings, where),
            "web": None,  # the running service has that port
            "dns": settings.dns.model_copy(update={"nameservers": (where.dns,), "must_exist": ()}),
            "routing": settings.routing.model_copy(
                update={"allow_networks": (LOOPBACK,), "ip": "v4", "mta_sts": False, "routes": _routes(settings)}
            ),
            "smtp": smtp.model_copy(
                update={"port": where.smtp_port, "timeouts": smtp.timeouts.model_copy(update=timeouts)}
            ),
            "retry": retry.model_copy(
                update={
                    "schedule": tuple(wait / speed for wait in retry.schedule),
                    "expire_after": retry.expire_after / speed,
                    "unknown_after": retry.unknown_after / speed,
                    "greylist_after": retry.greylist_after / speed,
                }
            ),
        }
    )


def _routes(settings: Settings) -> tuple[Route, ...]:
    """Return the routes of a rehearsal: those without a relay, under the names that they have."""
    routes = enumerate(settings.routing.routes)
    return tuple(one.model_copy(update={"name": route_name(n, one)}) for n, one in routes if one.relay is None)


def _inbound(settings: Settings, where: Where) -> Inbound | None:
    """Return the inbound server of a rehearsal, if there is one: the same names, and nothing that leaves it."""
    if settings.inbound is None:
        return None
    changes = {"listen": (f"{INBOUND}:{where.smtp_port}",), "tls": None, "forward": None, "filter": Filter()}
    return settings.inbound.model_copy(update=changes)


def _public(settings: Settings, where: Where) -> Public | None:
    if settings.public is None:
        return None
    return settings.public.model_copy(update={"listen": f"{PAGE}:{where.smtp_port}", "tls": None})


class WorldProcess(ProcessProtocol):
    """The child process with the DNS server and the mail servers. ``store`` is where it keeps what it received.

    ``back``: whether some of it comes back, to the addresses of `rehearsed`. The folder goes to it as a descriptor: its
    path may lead elsewhere by then.
    """

    def __init__(self, reactor: Any, store: Folder, speed: float, *, back: bool = False) -> None:
        self._reactor = reactor
        self._back = back
        self._resting: Deferred[None] | None = None
        self._store = store
        self._speed = speed
        self._out = b""
        self._errors = b""
        self._ready: Deferred[Where] = Deferred()
        self._ended: Deferred[None] = Deferred()
        self._reported = False
        self._gone = False

    async def start(self) -> Where:
        """Start the process and wait until it listens. Raises OwnFault when it does not."""
        options = ["--store", "/proc/self/fd/3", "--speed", f"{self._speed:g}", *(["--back"] if self._back else [])]
        # -P: a module in the current folder, which may be the campaign's, is never imported
        command = [sys.executable, "-P", "-m", "bulkmail.rehearsal", *options]
        self._reactor.spawnProcess(
            self,
            sys.executable,
            command,
            env=surroundings(),
            childFDs={0: "w", 1: "r", 2: "r", 3: self._store.descriptor},
        )
        timer = self._reactor.callLater(_START_WITHIN, self._late)
        try:
            return await self._ready
        finally:
            if timer.active():
                timer.cancel()

    async def rest(self) -> None:
        """Let all come back that is to come back; what is not there after a while is not waited for."""
        if self._gone or self.transport is None or not self._back:
            return
        self._resting = Deferred()
        self._resting.addTimeout(_REST_WITHIN, self._reactor, onTimeoutCancel=lambda _, __: None)
        self.transport.write(b"rest\n")
        await self._resting

    async def stop(self) -> None:
        """Close its input and wait for its end."""
        if self._gone or self.transport is None:
            return
        self.transport.closeStdin()
        timer = self._reactor.callLater(_END_WITHIN, self._kill)
        await self._ended
        if timer.active():
            timer.cancel()

    def _late(self) -> None:
        self._fail("it did not start in time")
        self._kill()

    def _kill(self) -> None:
        if not self._gone and self.transport is not None:
            try:
                self.transport.signalProcess("KILL")
            except ProcessExitedAlready:
                self._gone = True

    def _fail(self, why: str) -> None:
        if not self._reported:
            self._reported = True
            words = self._errors.decode("utf-8", "replace").strip()
            self._ready.errback(OwnFault(f"the rehearsal's world could not be started: {why} {words}".rstrip()))

    # what Twisted calls

    def outReceived(self, data: bytes) -> None:
        """Read the first line, which says where the world listens; log what follows."""
        self._out += data
        while b"\n" in self._out:
            line, _, self._out = self._out.partition(b"\n")
            if not self._reported:
                self._reported = True
                where = json.loads(line)
                self._ready.callback(Where(where["dns"], where["smtp_port"], where.get("ca")))
            elif self._resting is not None and not self._resting.called:
                self._resting.callback(None)
                _log.info("came back in the rehearsal: {line}", line=line.decode("utf-8", "replace"))
            else:
                _log.info("the rehearsal's world: {line}", line=line.decode("utf-8", "replace"))

    def errReceived(self, data: bytes) -> None:
        """Keep the lines of standard error for the message of a failure."""
        self._errors = (self._errors + data)[-2000:]

    def processEnded(self, reason: Failure) -> None:
        """Note that the process is gone."""
        self._gone = True
        if self._resting is not None and not self._resting.called:
            self._resting.callback(None)
        self._fail(reason.getErrorMessage())
        self._ended.callback(None)
