"""A few messages sent once by the production's own parts, from spools of their own; the report is what is returned."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from bulkmail.delivery import Prepared, WallClock
from bulkmail.incarnation import Incarnation
from bulkmail.mail import RecipientRow
from bulkmail.order import Order
from bulkmail.settings import Settings
from bulkmail.spool import open_reader

_MOST = 1_000  # rows


def sent_once(
    campaigns: Sequence[Prepared], settings: Settings, place: str, each_second: Any = lambda: None, *, within: float
) -> list[list[RecipientRow]]:
    """Send to each row of the campaigns once, one campaign after the other; return the rows of each.

    Each is sent for at most ``within`` seconds, from a new spool in the folder ``place``, and whether or not the
    settings ask for an approval. Runs the reactor, which a process can do once. Raises Refused, OwnFault.
    """
    changed = {"compose": settings.compose.model_copy(update={"processes": 1}), "approval": "none"}
    own = [
        settings.model_copy(update={**changed, "spool": os.path.join(place, f"spool-{number}")})
        for number in range(len(campaigns))
    ]
    _send(list(zip(campaigns, own, strict=True)), each_second, within)
    return [_rows(one.spool) for one in own]


def _rows(spool: str) -> list[RecipientRow]:
    reader = open_reader(spool)
    try:
        (campaign,) = reader.campaigns()
        return reader.recipients(campaign.id, 0, _MOST)
    finally:
        reader.close()


def _send(campaigns: Sequence[tuple[Prepared, Settings]], each_second: Any, within: float) -> None:
    """Run the production's incarnation for each until each row had its attempt. Raises what it raises."""
    from twisted.internet import reactor

    clock: Any = reactor
    clock.seconds = time.monotonic
    sending = _Sending(clock, within)
    failed: list[Failure] = []

    def start() -> None:
        bar = LoopingCall(each_second)
        bar.clock = clock
        bar.start(1.0, now=False)
        done: Deferred[None] = ensureDeferred(sending.each(campaigns))
        done.addErrback(failed.append)
        done.addBoth(lambda _: _end(clock))
        clock.addSystemEventTrigger("before", "shutdown", lambda: sending.stopped(done))

    clock.callWhenRunning(start)
    clock.run()
    if failed:
        failed[0].raiseException()


class _Sending:
    """One incarnation after the other, each for ``within`` seconds at most."""

    def __init__(self, reactor: Any, within: float) -> None:
        self._reactor = reactor
        self._within = within
        self._incarnation: Incarnation | None = None
        self._stopped = False

    async def each(self, campaigns: Sequence[tuple[Prepared, Settings]]) -> None:
        for prepared, settings in campaigns:
            if not self._stopped:
                await self._send(prepared, settings)

    def stopped(self, done: Deferred[None]) -> Deferred[None]:
        """End it where the user interrupts; the reactor waits for its end."""
        if not done.called and self._incarnation is not None:
            self._stopped = True
            ensureDeferred(self._incarnation.stop())
        return done

    async def _send(self, prepared: Prepared, settings: Settings) -> None:
        incarnation = self._incarnation = Incarnation(
            self._reactor,
            settings,
            Order(settings, prepared, once=True),
            wall=WallClock(time.time, time.monotonic),
            rng=random.Random(),  # noqa: S311 - jitter and the order of MX hosts, not secrets
        )
        late = self._reactor.callLater(self._within, lambda: ensureDeferred(incarnation.stop()))
        try:
            await incarnation.open()
            await incarnation.work()
        finally:
            if late.active():
                late.cancel()
            await incarnation.close()


def _end(reactor: Any) -> None:
    """Stop the reactor, which an interrupt may have done before."""
    with contextlib.suppress(ReactorNotRunning):
        reactor.stop()
