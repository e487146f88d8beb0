"""How the control socket of a service is put together: its answers, and the owners whom they ask."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool

from bulkmail.control.answers import Answers, Owners
from bulkmail.control.server import ControlServer
from bulkmail.control.suppressions import Suppresses
from bulkmail.delivery import Campaigns, Live
from bulkmail.mail import WrongState
from bulkmail.routing import Routing
from bulkmail.settings import Changes, Settings
from bulkmail.spool import Reading, open_reader


def open_control(
    reactor: Any,
    settings: Callable[[], Settings],
    machine: str,
    wall: Callable[[], float],
    campaigns: Campaigns,
    live: Live,
    router: Routing,
    suppressions: Suppresses,
    reload: Callable[[], Changes] | None,
) -> ControlServer:
    """Listen on the control socket of the service, and return what listens. Raises OwnFault.

    ``settings``: gives them as they are now; ``reload``: reads them again. ``machine``: this machine's name; ``wall``:
    the wall clock; ``router``: finds a domain's site. ``suppressions``: the spool.
    """
    owners = Owners(
        read=reading(reactor, settings().spool),
        live=live,
        steering=campaigns.steering,
        accepting=campaigns.accepting,
        settings=settings,
        route=router.route,
        unfetched=router.unfetched,
        wall=wall,
        machine=machine,
        process=os.getpid(),
        started_at=wall(),
        suppressions=suppressions,
        reload=reload or _read_once,
        choose=campaigns.choose,
        try_now=campaigns.steering.trying.try_now,
        sites=live.steering,
        traces=live.traces,
    )
    server = ControlServer(reactor, settings().place, Answers(owners))
    server.open()
    return server


def _read_once() -> Changes:
    raise WrongState("what runs here reads its settings once")


def reading(reactor: Any, address: str) -> Callable[[Callable[[Reading], Any]], Awaitable[Any]]:
    """Return what reads the spool at ``address`` in a thread of the reactor's pool, with a reader of its own."""

    def read(work: Callable[[Reading], Any]) -> Any:
        reader = open_reader(address)
        try:
            return work(reader)
        finally:
            reader.close()

    return lambda work: deferToThreadPool(reactor, reactor.getThreadPool(), read, work)
