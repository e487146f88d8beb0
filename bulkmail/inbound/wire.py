"""What the server's process and the service say to each other: frames of plain data, over two pipes.

| from the service | |
| --- | --- |
| `OPEN`, order | serve: an `Order`, pickled; the sockets are the descriptors from `FIRST` on, so many |
| `ANSWERS`, list of (number, good, value) | what calls gave; a value that is not good is the text of an OwnFault |
| `CLOSE`, seconds | serve no more; leave when that is done |

| from the process | |
| --- | --- |
| `UP` | it serves |
| `FAULT`, text | it cannot serve, and leaves |
| `CALLS`, list of (number, name, arguments) | methods of `reports.Records`; those without an answer have the number 0 |
| `LOG`, level, text | a line for the log |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulkmail.mail import Found, LateEvent, LateResult
from bulkmail.net import Timeouts
from bulkmail.settings import Inbound as InboundSettings

OPEN, ANSWERS, CLOSE = "open", "answers", "close"
UP, FAULT, CALLS, LOG = "up", "fault", "calls", "log"
FIRST = 3
"""The descriptor of the first socket."""


@dataclass(frozen=True)
class Order:
    """What is to be served. ``folder``: for unread reports; ``timeouts``: with a server that is passed on to."""

    inbound: InboundSettings
    hostname: str
    folder: str
    timeouts: Timeouts


def plain_event(event: LateEvent) -> tuple[Any, ...]:
    """Return an event as plain data."""
    return (str(event.result), *event[1:])


def event_of(plain: Sequence[Any]) -> LateEvent:
    """Return the event that was made plain."""
    return LateEvent(LateResult(plain[0]), *plain[1:])


def plain_found(found: Found | None) -> tuple[Any, ...] | None:
    """Return what is known of a token as plain data."""
    return None if found is None else tuple(found)


def found_of(plain: Sequence[Any] | None) -> Found | None:
    """Return what was made plain."""
    return None if plain is None else Found(*plain)
