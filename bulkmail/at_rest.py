"""What a command does with a campaign when no service has its spool open, and it takes more than a row of the spool."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from bulkmail.delivery import AtRest, Clocks, Prepared, Reporting, prepare
from bulkmail.machine import own_name
from bulkmail.mail import Refused
from bulkmail.own_spool import event_bounds
from bulkmail.settings import Settings
from bulkmail.spool import (
    CANCELLING,
    CampaignRow,
    CancelRequest,
    OneOfMany,
    Spool,
    check_not_ended,
    named,
    open_reader,
    open_spool,
)

_log = Logger("bulkmail")


async def cancel_at_rest(
    reactor: Any,
    settings: Settings,
    name: str,
    *,
    wall: Callable[[], float],
    monotonic: Callable[[], float],
    reason: str = "",
    who: str = "",
) -> bool:
    """End a campaign for good: settle its rows and write its report; return whether the report could be written.

    The request is in the spool first: what breaks this off, the next start or the next call goes on with. Raises
    UnknownName, WrongState, Refused (also where a process has the spool in use), OwnFault.
    """
    reader = open_reader(settings.spool)  # where there is no spool, none is made
    try:
        row = named(reader.campaigns(), name)
    finally:
        reader.close()
    if row.state != CANCELLING:
        check_not_ended(row, "cancelled")
    spool = await _opened(reactor, settings, wall, monotonic)
    reporting = Reporting(
        reactor=reactor,
        spool=spool,
        spool_path=settings.spool,
        wall=wall,
        fault=lambda text: _log.error("{text}", text=text),
        rehearsal=False,
        via_relay="" if settings.relay is None else settings.relay.host,
    )
    try:
        await spool.request_cancel(CancelRequest(row.id, reason, who, wall()))
        os.makedirs(settings.scratch, mode=0o700, exist_ok=True)
        ending = AtRest(
            reactor=reactor,
            spool=spool,
            clocks=Clocks(reactor, wall),
            reporting=reporting,
            suppress=list(settings.suppress),
            scratch=settings.scratch,
        )
        return await ending.end(named(await spool.campaigns(), name), _prepared(row, settings))
    finally:
        await reporting.close()
        await spool.close()


async def _opened(reactor: Any, settings: Settings, wall: Callable[[], float], monotonic: Callable[[], float]) -> Spool:
    machine = settings.machine
    one = OneOfMany(machine.folder, machine.name or own_name(), machine.lease, monotonic)
    events = event_bounds(settings)
    return await open_spool(settings.spool, reactor, clock=wall, retry=settings.retry, machine=one, events=events)


def _prepared(row: CampaignRow, settings: Settings) -> Prepared | None:
    try:
        return prepare(row.folder, settings)
    except Refused as refused:
        _log.warn("{campaign}: the rest of its list is not read: {refused}", campaign=row.name, refused=refused)
        return None
