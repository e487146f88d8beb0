"""What is said to receivers, for people who look: the sessions with a site or a provider, while they look.

A look begins a trace, and the trace ends some seconds after the last look. Meanwhile the connections of its site or
provider tell what is said on them (`smtp.telling`: never a message, never a password), and the newest lines are kept.
Without a trace a connection costs an entry in a table and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from bulkmail.delivery.clocks import Clocks
from bulkmail.mail import Peer, WrongState, printable
from bulkmail.routing import Site
from bulkmail.smtp import Tell, What

MOST = 4  # traces at once
KEPT = 2000  # lines of one trace; the oldest give way
UNSEEN = 10.0  # seconds after the last look
_LONGEST = 500  # characters of a line


class Told(NamedTuple):
    """A line of a trace. ``at``: seconds since 1970. ``connection``: its number, which no other connection has."""

    number: int
    at: float
    connection: int
    host: str
    ip: str
    what: str
    text: str


class Seen(NamedTuple):
    """What a look finds. ``dropped``: so many lines behind the last known one were not kept. ``newest``: a number."""

    lines: list[Told]
    dropped: int
    newest: int


class Telling(Protocol):
    """A connection, see `net.LiveConnection`."""

    peer: Peer

    def tell(self, tell: Tell | None) -> None:
        """Tell what is said from now on, or with None no more."""


class _Of(NamedTuple):
    """What a connection is. ``number``: counts all connections that were opened."""

    number: int
    key: str
    provider: str


class Traces:
    """The traces of a process, by site key and provider, one of them "". Called in the event loop."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._open: WeakKeyDictionary[Telling, _Of] = WeakKeyDictionary()  # each while its lane has it
        self._traces: dict[tuple[str, str], _Trace] = {}
        self._count = 0

    def opened(self, connection: Telling, site: Site) -> None:
        """Note a connection to this site; it tells where it is looked at."""
        self._count += 1
        of = self._open[connection] = _Of(self._count, site.key, site.provider)
        if self._traces:
            self._look_at(connection, of)

    def look(self, key: str, provider: str, after: int = 0) -> Seen:
        """Return the lines behind number ``after`` of what is said to a site or a provider; the first look begins it.

        Raises WrongState where too many others are looked at.
        """
        trace = self._traces.get((key, provider))
        if trace is None:
            if len(self._traces) >= MOST:
                raise WrongState(f"{MOST} traces are being looked at, and no more can be: end another one first")
            end = self._clocks.reactor.callLater(UNSEEN, self._end, key, provider)
            trace = self._traces[key, provider] = _Trace(self._clocks.wall, end)
            self._changed(key, provider)
        trace.end.reset(UNSEEN)
        return trace.behind(after)

    def _end(self, key: str, provider: str) -> None:
        del self._traces[key, provider]
        self._changed(key, provider)

    def _changed(self, key: str, provider: str) -> None:
        for connection, of in list(self._open.items()):
            if of.key == key or (provider and of.provider == provider):
                self._look_at(connection, of)

    def _look_at(self, connection: Telling, of: _Of) -> None:
        names = ((of.key, ""), ("", of.provider)) if of.provider else ((of.key, ""),)
        looking = [trace for name in names if (trace := self._traces.get(name)) is not None]
        connection.tell(partial(_told, looking, of.number, connection) if looking else None)


class _Trace:
    """One trace. ``end``: the call that ends it."""

    def __init__(self, wall: Callable[[], float], end: Any) -> None:
        self.end = end
        self._wall = wall
        self._lines: deque[Told] = deque(maxlen=KEPT)
        self._newest = 0

    def append(self, connection: int, peer: Peer, what: str, text: str) -> None:
        """Keep a line."""
        self._newest += 1
        self._lines.append(Told(self._newest, self._wall(), connection, peer.host, peer.ip, what, text))

    def behind(self, after: int) -> Seen:
        """Return the lines behind this number."""
        oldest = self._newest - len(self._lines) + 1
        lines = list(islice(self._lines, max(0, after + 1 - oldest), None))
        return Seen(lines, max(0, oldest - after - 1), self._newest)


def _told(looking: list[_Trace], number: int, connection: Telling, what: What, text: str) -> None:
    """Keep a line; what could steer a terminal is written out."""
    shown = printable(text[:_LONGEST])[:_LONGEST]
    for trace in looking:
        trace.append(number, connection.peer, str(what), shown)
