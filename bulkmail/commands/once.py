"""A few messages sent once by the production's own parts, from a spool of their own; the report is what is returned."""

from __future__ import annotations

import contextlib
import os
import random
import time
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from bulkmail.delivery import Prepared, WallClock
from bulkmail.incarnation import Incarnation
from bulkmail.mail import RecipientRow
from bulkmail.settings import Settings
from bulkmail.spool import open_reader

_MOST = 1_000  # rows


def sent_once(
    prepared: Prepared, settings: Settings, place: str, each_second: Any = lambda: None, *, within: float
) -> list[RecipientRow]:
    """Send to each row once, for at most ``within`` seconds, from a new spool in the folder ``place``; return the rows.

    Runs the reactor, which a process can do once. Raises Refused, OwnFault.
    """
    spool = os.path.join(place, "spool")
    own = settings.model_copy(update={"spool": spool, "compose": settings.compose.model_copy(update={"processes": 1})})
    _send(own, prepared, each_second, within)
    reader = open_reader(spool)
    try:
        (campaign,) = reader.campaigns()
        return reader.recipients(campaign.id, 0, _MOST)
    finally:
        reader.close()


def _send(settings: Settings, prepared: Prepared, each_second: Any, within: float) -> None:
    """Run the production's incarnation until each row had its attempt. Raises what it raises."""
    from twisted.internet import reactor

    clock: Any = reactor
    clock.seconds = time.monotonic
    incarnation = Incarnation(
        reactor,
        settings,
        wall=WallClock(time.time, time.monotonic),
        monotonic=time.monotonic,
        rng=random.Random(),  # noqa: S311 - jitter and the order of MX hosts, not secrets
        prepared=prepared,
        once=True,
    )
    failed: list[Failure] = []

    async def live() -> None:
        try:
            await incarnation.open()
            await incarnation.work()
        finally:
            await incarnation.close()

    def start() -> None:
        bar = LoopingCall(each_second)
        bar.clock = clock
        bar.start(1.0, now=False)
        clock.callLater(within, lambda: ensureDeferred(incarnation.stop()))
        done: Deferred[None] = ensureDeferred(live())
        done.addErrback(failed.append)
        done.addBoth(lambda _: _end(clock))
        clock.addSystemEventTrigger("before", "shutdown", lambda: _stopped(incarnation, done))

    clock.callWhenRunning(start)
    clock.run()
    if failed:
        failed[0].raiseException()


def _end(reactor: Any) -> None:
    """Stop the reactor, which an interrupt may have done before."""
    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()


def _stopped(incarnation: Incarnation, done: Deferred[None]) -> Deferred[None]:
    """End it where the user interrupts; the reactor waits for its end."""
    if not done.called:
        ensureDeferred(incarnation.stop())
    return done
