"""How the server is put together from the settings, and when what is opened."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger

from bulkmail.inbound.addresses import OwnAddresses
from bulkmail.inbound.clamd import Clamd
from bulkmail.inbound.durable import DurableFiles
from bulkmail.inbound.forward import SmtpForward
from bulkmail.inbound.intake import Filter, Filtered, Intake
from bulkmail.inbound.limits import Limits
from bulkmail.inbound.lines import Lines
from bulkmail.inbound.maildir import Maildir
from bulkmail.inbound.received import Take
from bulkmail.inbound.reception import Reception
from bulkmail.inbound.reports import Reports
from bulkmail.inbound.rspamd import Rspamd
from bulkmail.inbound.server import Inbound
from bulkmail.inbound.sockets import activated, bound
from bulkmail.inbound.unread import UnreadFolder
from bulkmail.inbound.waiting import WaitingThreads
from bulkmail.mail import OwnFault, ReturnPath
from bulkmail.net import Certificate
from bulkmail.settings import SYSTEMD, Settings
from bulkmail.settings import Inbound as InboundSettings
from bulkmail.workers import Pool

_log = Logger("bulkmail")

READER = "bulkmail.returns.reader:Reader"
FOLDER = "inbound"
"""In the folder that this machine keeps for itself."""

_WAITING = 8  # threads for scans and look-ups, which only wait
_LINES_A_SECOND = 20
_REFUSED_LINES_A_SECOND = 10


class Listening:
    """The server of one process: its sockets are made once, before privileges are dropped, and served again and again.

    ``wall``: seconds since the epoch; ``own_name``: gives the machine's full name; ``process``: gives this
    process's id, which is another one behind a fork.
    """

    def __init__(
        self,
        reactor: Any,
        wall: Callable[[], float],
        own_name: Callable[[], str],
        process: Callable[[], int],
    ) -> None:
        self._reactor = reactor
        self._wall = wall
        self._own_name = own_name
        self._process = process
        self._fault: OwnFault | None = None
        self._sockets: dict[str, list[socket.socket]] = {}  # by what `listen` says
        self._server: Inbound | None = None
        self._closing: list[Callable[[], Any]] = []

    def bind(self, settings: Settings) -> None:
        """Make the sockets that are missing, and close those that are not listed any more; a fault is kept for `open`.

        Ports below 1024 can be had here only while the process is privileged: before twistd drops that.
        """
        wanted = () if settings.inbound is None else settings.inbound.listen
        self._fault = None
        for place in self._sockets.keys() - set(wanted):
            for one in self._sockets.pop(place):
                one.close()
        try:
            for place in wanted:
                if place not in self._sockets:
                    self._sockets[place] = self._made(place)
        except OwnFault as fault:
            self._fault = fault

    def _made(self, place: str) -> list[socket.socket]:
        if place == SYSTEMD:
            return activated()
        host, _, port = place.rpartition(":")
        return bound([(host.strip("[]"), int(port))])

    def open(self, settings: Settings, returns: ReturnPath) -> None:
        """Serve, if the settings say so; ``returns`` records what comes back. Raises OwnFault."""
        if settings.inbound is None or not settings.inbound.listen:
            return
        self.bind(settings)
        if self._fault is not None:
            raise self._fault
        hostname = settings.inbound.hostname or settings.hostname or self._own_name()
        reception = self._reception(settings, settings.inbound, hostname, returns)
        sockets = [one for place in settings.inbound.listen for one in self._sockets[place]]
        self._server = Inbound(reception, sockets)
        self._server.open()
        _log.info("inbound: listening on {places}", places=", ".join(map(_shown, sockets)))

    def _reception(self, settings: Settings, inbound: InboundSettings, hostname: str, returns: ReturnPath) -> Reception:
        clock, limits = self._reactor.seconds, _limits(inbound)
        certificate = None
        if inbound.tls is not None:
            certificate = Certificate(inbound.tls.certificate, inbound.tls.key, clock, inbound.tls.pems)
        return Reception(
            reactor=self._reactor,
            hostname=hostname,
            accepts=OwnAddresses(inbound.domains, rest=inbound.forward is not None),
            take=self._intake(settings, inbound, hostname, returns),
            limits=limits,
            wall=self._wall,
            taken=Lines(_say, clock, _LINES_A_SECOND),
            refused=Lines(_say, clock, _REFUSED_LINES_A_SECOND),
            certificate=certificate,
        )

    def _intake(self, settings: Settings, inbound: InboundSettings, hostname: str, returns: ReturnPath) -> Intake:
        """Make the sink and what it needs; what is to be closed is noted."""
        files = DurableFiles(self._reactor)
        threads = WaitingThreads(self._reactor, _WAITING)
        self._closing = [files.close, threads.close]
        folder = os.path.join(settings.place, FOLDER)
        bounds = inbound.unread
        unread = UnreadFolder(files, folder, hostname, most_files=bounds.files, most_octets=bounds.size)
        unread.open()
        mailbox: Take = unread
        forward = inbound.forward
        if forward is not None and forward.maildir is not None:
            maildir = mailbox = Maildir(files, forward.maildir, hostname, self._process())
            maildir.open()
        elif forward is not None and forward.host is not None:
            mailbox = SmtpForward(self._reactor, threads, forward.host, forward.port, hostname, settings.smtp.timeouts)
        filters: list[Filter] = []
        if inbound.filter.clamd is not None:
            filters.append(Clamd(threads, inbound.filter.clamd))
        if inbound.filter.rspamd is not None:
            rspamd = Rspamd(self._reactor, inbound.filter.rspamd)
            filters.append(rspamd)
            self._closing.insert(0, rspamd.close)
        people = Filtered(mailbox, filters)
        reader = Pool(self._reactor, READER, 1)
        reader.start()
        self._closing.insert(0, reader.close)
        return Intake(Reports(reader.ask, returns, unread, people), people)

    async def close(self, within: float) -> None:
        """Serve no more: what is being stored is answered, ``within`` so many seconds. The sockets stay."""
        server, self._server = self._server, None
        if server is not None:
            await server.close(within)
        closing, self._closing = self._closing, []
        for close in closing:
            await maybeDeferred(close)

    def shut(self) -> None:
        """Close the sockets."""
        for sockets in self._sockets.values():
            for one in sockets:
                one.close()
        self._sockets.clear()


def _limits(inbound: InboundSettings) -> Limits:
    counts, seconds = inbound.limits, inbound.timeouts
    return Limits(
        connections=counts.connections,
        connections_an_address=counts.connections_per_address,
        messages=counts.messages_per_connection,
        recipients=counts.recipients,
        size=counts.size,
        errors=counts.errors,
        memory=counts.memory,
        greet_after=seconds.greeting,
        command=seconds.command,
        starttls=seconds.starttls,
        data=seconds.data,
        message=seconds.message,
        take=seconds.store,
    )


def _say(text: str) -> None:
    _log.info("{text}", text=text)


def _shown(one: socket.socket) -> str:
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
