"""What answers the operation that reads the stream of events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bulkmail.control.http import Call
from bulkmail.spool import Reading
from bulkmail.stream import EventStream

FEW, MOST = 100, 1000
"""So many events are in an answer where no number is given, and at the most."""


def event_answers(
    read: Callable[[Callable[[Reading], Any]], Awaitable[Any]],
) -> Mapping[str, Callable[[Call], Awaitable[Any]]]:
    """Return what answers it, by name. ``read(work)``: calls ``work(reader)`` outside of the event loop."""

    async def events(call: Call) -> Any:
        after = int(call.query.get("after", 0))
        most = min(int(call.query.get("most", FEW)), MOST)
        return await read(lambda reader: _events(EventStream(reader), after, most))

    return {"events": events}


def _events(stream: EventStream, after: int, most: int) -> dict[str, Any]:
    """Return them as `event_models.EventsAnswer` has it."""
    found = stream.read(after, most)
    oldest, newest = stream.span()  # behind the events, so that none of them is newer
    return {"events": found, "oldest": oldest, "newest": newest}
