"""How the control socket of a service is put together: its answers, and the owners whom they ask."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.threads import deferToThreadPool

from bulkmail.control.answers import Answers, Owners
from bulkmail.control.server import ControlServer
from bulkmail.control.suppressions import Suppresses
from bulkmail.delivery import Campaigns
from bulkmail.routing import RouteFailure, Site
from bulkmail.settings import Settings
from bulkmail.shaping import Provider
from bulkmail.spool import Reading, open_reader


def open_control(
    reactor: Any,
    settings: Settings,
    machine: str,
    wall: Callable[[], float],
    campaigns: Campaigns,
    providers: Mapping[str, Provider],
    route: Callable[[str], Awaitable[Site | RouteFailure]],
    suppressions: Suppresses,
) -> ControlServer:
    """Listen on the control socket of the service, and return what listens. Raises OwnFault.

    ``machine``: this machine's name; ``wall``: the wall clock; ``route``: gives a domain's site, or why it has none.
    ``suppressions``: the spool.
    """
    owners = Owners(
        read=reading(reactor, settings.spool),
        live=campaigns.live,
        steering=campaigns.steering,
        accepting=campaigns.accepting,
        settings=settings,
        providers=providers,
        route=route,
        wall=wall,
        machine=machine,
        process=os.getpid(),
        started_at=wall(),
        suppressions=suppressions,
    )
    server = ControlServer(reactor, settings.place, Answers(owners))
    server.open()
    return server


def reading(reactor: Any, address: str) -> Callable[[Callable[[Reading], Any]], Awaitable[Any]]:
    """Return what reads the spool at ``address`` in a thread of the reactor's pool, with a reader of its own."""

    def read(work: Callable[[Reading], Any]) -> Any:
        reader = open_reader(address)
        try:
            return work(reader)
        finally:
            reader.close()

    return lambda work: deferToThreadPool(reactor, reactor.getThreadPool(), read, work)
