"""Listening for the operator's page, where the settings say."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from bulkmail.control import Ask
from bulkmail.public import Proxies, listen, stop_listening
from bulkmail.settings import Web
from bulkmail.web.answering import Pages
from bulkmail.web.channel import WebFactory
from bulkmail.web.sessions import Sessions
from bulkmail.web.signin import SigningIn
from bulkmail.web.users import Role, Users

_log = Logger("bulkmail")


class WebServer:
    """The operator's page of one service. Made, `open`ed and `close`d once. ``ask``: of the API."""

    def __init__(self, reactor: Any, settings: Web, ask: Ask) -> None:
        self._reactor = reactor
        self._settings = settings
        self._ask = ask
        self._port: Any = None
        self._factory: WebFactory | None = None

    def open(self) -> None:
        """Listen. Raises OwnFault where that or the certificate fails."""
        settings, reactor = self._settings, self._reactor
        users = Users(settings.users)
        sessions = Sessions(settings.session, reactor.seconds, lambda: secrets.token_urlsafe(32))
        role = None if settings.user_role is None else Role[settings.user_role.upper()]

        def in_thread(work: Callable[[], Any]) -> Awaitable[Any]:
            return deferToThreadPool(reactor, reactor.getThreadPool(), work)

        signing = SigningIn(users, sessions, role, in_thread, reactor.seconds)
        header = settings.user_header or ""
        pages = Pages(self._ask, signing, sessions, in_thread, reactor, by_proxy=bool(header))
        proxies = Proxies(settings.trusted_proxies)
        tls = settings.tls is not None
        self._factory = WebFactory(pages, proxies, reactor, header.encode("ascii"), tls=tls)
        self._port = listen(reactor, "web", settings.place, settings.tls, self._factory)
        _log.info("the operator's page: {listen}", listen=settings.listen)
        if users.fault or (not len(users) and not header):
            words = users.fault or f"{settings.users} has no users; `bulkmail user add NAME` makes the first one"
            _log.warn("nobody can sign in to the operator's page: {words}", words=words)

    async def close(self) -> None:
        """Listen no more; requests under way are cut."""
        port, self._port = self._port, None
        await stop_listening(port, self._factory)
