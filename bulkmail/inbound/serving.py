"""The server in its process: put together from an order, opened, and closed again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
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
from bulkmail.inbound.octets import spill_in
from bulkmail.inbound.received import Take
from bulkmail.inbound.reception import Reception
from bulkmail.inbound.reports import Records, Reports
from bulkmail.inbound.rspamd import Rspamd
from bulkmail.inbound.server import Inbound
from bulkmail.inbound.unread import UnreadFolder, aside_in
from bulkmail.inbound.waiting import WaitingThreads
from bulkmail.inbound.wire import Order
from bulkmail.net import Certificate
from bulkmail.settings import Inbound as InboundSettings
from bulkmail.workers import Pool

_log = Logger("bulkmail")

READER = "bulkmail.returns.reader:Reader"

_WAITING = 8  # threads for scans and look-ups, which only wait
_LINES_A_SECOND = 20
_REFUSED_LINES_A_SECOND = 10


class Serving:
    """``wall``: seconds since the epoch; ``process``: the id of this process."""

    def __init__(self, reactor: Any, wall: Callable[[], float], process: int) -> None:
        self._reactor = reactor
        self._wall = wall
        self._process = process
        self._server: Inbound | None = None
        self._closing: list[Callable[[], Any]] = []

    def open(self, order: Order, sockets: Sequence[socket.socket], records: Records) -> None:
        """Serve these sockets; ``records`` takes what comes back. Raises OwnFault."""
        self._server = Inbound(self._reception(order, records), sockets)
        self._server.open()
        _log.info("inbound: listening on {places}", places=", ".join(map(_shown, sockets)))

    def _reception(self, order: Order, records: Records) -> Reception:
        inbound, clock = order.inbound, self._reactor.seconds
        certificate = None
        if inbound.tls is not None:
            certificate = Certificate(inbound.tls.certificate, inbound.tls.key, clock, inbound.tls.pems)
        return Reception(
            reactor=self._reactor,
            hostname=order.hostname,
            accepts=OwnAddresses(inbound.domains, rest=inbound.forward is not None),
            take=self._intake(order, records),
            limits=_limits(inbound),
            wall=self._wall,
            taken=Lines(_say, clock, _LINES_A_SECOND),
            refused=Lines(_say, clock, _REFUSED_LINES_A_SECOND),
            spill=spill_in(aside_in(order.folder)),
            certificate=certificate,
        )

    def _intake(self, order: Order, records: Records) -> Intake:
        """Make the sink and what it needs; what is to be closed is noted."""
        files = DurableFiles(self._reactor)
        threads = WaitingThreads(self._reactor, _WAITING)
        self._closing = [files.close, threads.close]
        inbound, hostname = order.inbound, order.hostname
        bounds = inbound.unread
        unread = UnreadFolder(files, order.folder, hostname, most_files=bounds.files, most_octets=bounds.size)
        unread.open()
        mailbox: Take = unread
        forward = inbound.forward
        if forward is not None and forward.maildir is not None:
            maildir = mailbox = Maildir(files, forward.maildir, hostname, self._process)
            maildir.open()
        elif forward is not None and forward.host is not None:
            mailbox = SmtpForward(self._reactor, threads, forward.host, forward.port, hostname, order.timeouts)
        filters: list[Filter] = []
        if inbound.filter.clamd is not None:
            filters.append(Clamd(threads, inbound.filter.clamd))
        if inbound.filter.rspamd is not None:
            rspamd = Rspamd(self._reactor, inbound.filter.rspamd)
            filters.append(rspamd)
            self._closing.insert(0, rspamd.close)
        people = Filtered(mailbox, filters, self._reactor.seconds)
        self._closing.append(people.close)
        reader = Pool(self._reactor, READER, 1)
        reader.start()
        self._closing.insert(0, reader.close)
        reports = Reports(reader.ask, records, unread, people)
        return Intake(reports, reports.complaint, people)

    async def close(self, within: float) -> None:
        """Serve no more: what is being stored is answered, ``within`` so many seconds."""
        server, self._server = self._server, None
        if server is not None:
            await server.close(within)
        closing, self._closing = self._closing, []
        for close in closing:
            await maybeDeferred(close)


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
