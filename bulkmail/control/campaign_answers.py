"""What answers the operations that read one campaign in detail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import DeferredLock

from bulkmail.control.best import best, bests
from bulkmail.control.by_domain import ByDomain
from bulkmail.control.by_status import ROWS, rows_by_status
from bulkmail.control.http import Call
from bulkmail.control.over_time import OverTime
from bulkmail.control.recent import recent
from bulkmail.control.replied import replied
from bulkmail.control.variants import variants
from bulkmail.mail import UnknownName
from bulkmail.spool import Reading

T = TypeVar("T")


def campaign_answers(
    read: Callable[[Callable[[Reading], Any]], Awaitable[Any]], wall: Callable[[], float]
) -> Mapping[str, Callable[[Call], Awaitable[Any]]]:
    """Return what answers them, by name. ``read(work)``: calls ``work(reader)`` outside of the event loop."""
    by_domain = ByDomain()
    over_time, turn = OverTime(), DeferredLock()  # whoever waits for the turn keeps no thread busy

    async def of_recent(call: Call) -> Any:
        name = call.path["name"]
        return await read(lambda reader: _known(reader, name, recent(reader, name)))

    async def of_time(call: Call) -> Any:
        name, provider, now = call.path["name"], call.path.get("provider", ""), wall()
        await turn.acquire()
        try:
            return await read(lambda reader: _known(reader, name, over_time.tell(reader, name, now, provider)))
        finally:
            turn.release()

    async def of_rows(call: Call) -> Any:
        name, status, before = call.path["name"], call.path["status"], call.query.get("before")
        start, provider = None if before is None else int(before), call.path.get("provider", "")
        return await read(lambda reader: _known(reader, name, rows_by_status(reader, name, status, start, provider)))

    async def of_replied(call: Call) -> Any:
        name, provider, wording = call.path["name"], call.path["provider"], call.path["wording"]
        skip, most = int(call.query.get("skip", "0")), int(call.query.get("most", str(ROWS)))
        return await read(lambda reader: _known(reader, name, replied(reader, name, provider, wording, skip, most)))

    async def of_domains(call: Call) -> Any:
        name, provider = call.path["name"], call.path["provider"]
        return await read(lambda reader: _known(reader, name, by_domain.tell(reader, name, provider)))

    async def of_variants(call: Call) -> Any:
        name = call.path["name"]
        return await read(lambda reader: _known(reader, name, variants(reader, name)))

    async def of_best(call: Call) -> Any:
        name = call.path["name"]
        return await read(lambda reader: _known(reader, name, best(reader, name)))

    async def of_bests(call: Call) -> Any:
        ended = call.query.get("ended")
        return await read(lambda reader: bests(reader, None if ended is None else int(ended)))

    return {
        "best": of_best,
        "bests": of_bests,
        "variants": of_variants,
        "recent": of_recent,
        "over_time": of_time,
        "over_time_of": of_time,
        "rows": of_rows,
        "rows_of": of_rows,
        "replied": of_replied,
        "domains": of_domains,
    }


def _known(reader: Reading, name: str, found: T | None) -> T:
    """Return what was found of a campaign; raises UnknownName where there is none of that name."""
    if found is None:
        raise no_campaign(reader, name)
    return found


def no_campaign(reader: Reading, name: str) -> UnknownName:
    """Return the error that says which campaigns there are."""
    return UnknownName("campaign", name, [row.name for row in reader.campaigns()])
