"""Opens the spool of this process as the settings say, and tidies what an unclean end has left in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from bulkmail.delivery import WallClock, rules_of
from bulkmail.exit_status import STOPPED
from bulkmail.mail import OwnFault
from bulkmail.settings import Settings
from bulkmail.shaping import longest_wait
from bulkmail.spool import RUNNING, EventBounds, OneOfMany, Spool, open_spool

_log = Logger("bulkmail")


async def open_own_spool(
    settings: Settings,
    reactor: Any,
    *,
    name: str,
    wall: WallClock,
    monotonic: Callable[[], float],
    on_fault: Callable[[OwnFault | None], None],
    on_over: Callable[[], None],
) -> Spool:
    """Open it, as the machine with this ``name``. Raises Refused, OwnFault.

    ``on_fault`` is called with a fault of its writer's, and with None when that is over; ``on_over`` where the other
    machines of a shared spool have declared this one over.
    """
    machine = settings.machine
    spool = await open_spool(
        settings.spool,
        reactor,
        clock=wall,
        retry=settings.retry,
        on_fault=on_fault,
        machine=OneOfMany(machine.folder, name, machine.lease, monotonic),
        rules=rules_of(settings.suppression),
        events=event_bounds(settings),
    )
    if spool.leases is not None:
        spool.leases.on_over = on_over
    try:
        await _tidy(spool, settings, wall)
    except OwnFault:
        await spool.close()
        raise
    return spool


def event_bounds(settings: Settings) -> EventBounds | None:
    """Return how long events are kept, None where none are noted."""
    return EventBounds(settings.events.keep, settings.events.most) if settings.events.record else None


async def _tidy(spool: Spool, settings: Settings, wall: WallClock) -> None:
    if any(spool.recovered.counts):
        _log.info("found after an unclean end: {recovered}", recovered=spool.recovered)
    for row in await spool.campaigns():
        # when it was killed; whether it goes on is for the command line to say
        if row.state == RUNNING and spool.leases is None:
            await spool.set_state(row.id, "stopped", wall(), exit_status=STOPPED)
    await spool.bring_forward(wall() + longest_wait(settings.retry))
