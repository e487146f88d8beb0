"""Listening for the page, where the settings say, with a certificate or behind a proxy."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from bulkmail.delivery import in_background
from bulkmail.mail import ClickCount, OwnFault, ReturnPath
from bulkmail.net import Certificate
from bulkmail.public.answering import Answers
from bulkmail.public.channel import PageFactory
from bulkmail.public.clients import Proxies
from bulkmail.public.texts import texts
from bulkmail.settings import ListenAt, Public, ServerTls

_log = Logger("bulkmail")

_COUNT_EVERY = 1.0  # seconds
_MODE = 0o660  # of a Unix socket: the proxy's user is to be in the group


def listen(reactor: Any, section: str, place: ListenAt, tls: ServerTls | None, factory: Any) -> Any:
    """Listen for a page, with a certificate or without; return the port. Raises OwnFault, naming the section."""
    served = factory
    if tls is not None:
        certificate = Certificate(tls.certificate, tls.key, reactor.seconds, tls.pems)
        served = TLSMemoryBIOFactory(certificate, False, served, reactor)
    try:
        if place.path:
            # with its lock beside it, by which a socket that a dead process left is told from a living one
            return reactor.listenUNIX(place.path, served, mode=_MODE, wantPID=True)
        return reactor.listenTCP(place.port, served, interface=place.address)
    except CannotListenError as error:
        words = f"{section}.listen: cannot listen on {place} ({error.socketError})"
        raise OwnFault(words) from None


async def stop_listening(port: Any, factory: PageFactory | None) -> None:
    """Listen no more at what `listen` has returned; requests under way are cut. None: there is nothing to end."""
    if port is not None:
        with contextlib.suppress(OSError):  # the socket was removed, by hand or with its folder
            await maybeDeferred(port.stopListening)
    if factory is not None:
        for channel in list(factory.connections):
            channel.cut()


class PublicServer:
    """The page of one service. Made, `open`ed and `close`d once."""

    def __init__(self, reactor: Any, settings: Public, returns: ReturnPath) -> None:
        self._reactor = reactor
        self._settings = settings
        self._returns = returns
        self._port: Any = None
        self._factory: PageFactory | None = None
        self._answers: Answers | None = None
        self._second = LoopingCall(self._count)
        self._second.clock = reactor
        self._counting = False

    def open(self) -> None:
        """Listen. Raises OwnFault where that or the certificate fails, Refused where the operator's texts are wrong."""
        settings = self._settings
        self._answers = answers = Answers(
            self._returns, texts(settings.texts), settings.name, settings.client_rate, self._reactor.seconds
        )
        self._factory = PageFactory(answers, Proxies(settings.trusted_proxies), self._reactor)
        self._port = listen(self._reactor, "public", settings.place, settings.tls, self._factory)
        self._second.start(_COUNT_EVERY, now=False)
        _log.info("the page for unsubscribing: {url}/u/, on {listen}", url=settings.url, listen=settings.listen)

    def _count(self) -> None:
        if self._counting or self._answers is None:
            return
        if counts := self._answers.clicks.due(self._reactor.seconds()):
            self._counting = True
            in_background(self._write(counts), "counting clicks")

    async def counted(self) -> None:
        """Count clicks that are held as they stand; return when they are written down."""
        if self._answers is not None:
            await self._write(self._answers.clicks.due(self._reactor.seconds(), all_of_them=True))

    async def _write(self, counts: list[tuple[int, ClickCount]]) -> None:
        try:
            if counts:
                await self._returns.clicked(counts)
        except OwnFault as fault:
            _log.error("clicks could not be counted yet: {fault}", fault=fault)
            if self._answers is not None:
                self._answers.clicks.back(counts)
        finally:
            self._counting = False

    async def close(self) -> None:
        """Listen no more; requests under way are cut, and clicks that are held are counted as they stand."""
        if self._second.running:
            self._second.stop()
        port, self._port = self._port, None
        await stop_listening(port, self._factory)
        await self.counted()
