"""Pages that renew themselves: one rendering of a view for all who look at it, sent as server-sent events.

Server-sent events are of the HTML standard (9.2). All views are made one after another, each at most once a second, and
there is a rest of 25 times as long as that took: to renew pages takes at most a twenty-fifth of the processor, however
many are open. A reader is sent what has changed. One who has not read the event before is cut, so that no events
are kept for it; a browser asks anew by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.delivery import in_background

_log = Logger("bulkmail")

MOST_READERS = 100
MOST_VIEWS = 40
_EVERY = 1.0  # seconds
_REST = 25
_LONGEST = 30.0  # seconds
_PING = 15.0  # seconds of silence, after which a proxy would close
PING = b"event: ping\ndata:\n\n"
END = b"event: end\ndata:\n\n"


class View(NamedTuple):
    """What many look at: a page, what its address asks for, and the role that its buttons are for."""

    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    role: int


class Reader(Protocol):
    """One open page."""

    def allowed(self) -> bool:
        """Return whether its session is good still."""

    def send(self, event: bytes) -> None:
        """Send an event, or cut the connection where the last one is not read yet."""

    def end(self) -> None:
        """End the answer, behind what was sent."""


def event(html: bytes) -> bytes:
    """Return HTML as an event."""
    lines = html.replace(b"\r", b"").split(b"\n")
    return b"data: " + b"\ndata: ".join(lines) + b"\n\n"


class _Shown:
    """A view with its readers."""

    def __init__(self) -> None:
        self.readers: dict[Reader, bytes] = {}  # what each was sent last
        self.last = b""
        self.said = float("-inf")


class Renewing:
    """Renews. ``make(view)``: gives its HTML, and never fails. ``reactor``: its clock."""

    def __init__(self, make: Callable[[View], Awaitable[bytes]], reactor: Any) -> None:
        self._make = make
        self._reactor = reactor
        self._views: dict[View, _Shown] = {}
        self._going = False

    def __len__(self) -> int:
        return sum(len(shown.readers) for shown in self._views.values())

    def join(self, view: View, reader: Reader) -> bool:
        """Renew a page from now on; False where there are too many."""
        if len(self) >= MOST_READERS or (view not in self._views and len(self._views) >= MOST_VIEWS):
            return False
        shown = self._views.setdefault(view, _Shown())
        shown.readers[reader] = b""
        if shown.last:
            self._send(shown, reader, shown.last)
        if not self._going:
            self._going = True
            in_background(self._renew(), "renewing the open pages")
        return True

    def leave(self, view: View, reader: Reader) -> None:
        """Renew it no more."""
        shown = self._views.get(view)
        if shown is not None:
            shown.readers.pop(reader, None)
            if not shown.readers:
                del self._views[view]

    async def _renew(self) -> None:
        try:
            while self._views:
                began = self._reactor.seconds()
                for view, shown in list(self._views.items()):
                    if shown.readers:
                        self._publish(shown, event(await self._make(view)))
                took = self._reactor.seconds() - began
                await deferLater(self._reactor, min(_LONGEST, max(_EVERY, _REST * took)), int)
        finally:
            self._going = False

    def _publish(self, shown: _Shown, made: bytes) -> None:
        now = self._reactor.seconds()
        if made != shown.last:
            shown.last, shown.said = made, now
        silent = now - shown.said >= _PING
        if silent:
            shown.said = now
        for reader, sent in list(shown.readers.items()):
            if not reader.allowed():
                reader.send(END)
                reader.end()
            elif sent != made:
                self._send(shown, reader, made)
            elif silent:
                reader.send(PING)

    @staticmethod
    def _send(shown: _Shown, reader: Reader, made: bytes) -> None:
        shown.readers[reader] = made
        reader.send(made)


class Stream(NamedTuple):
    """The answer to one who wants a page renewed: it goes on until one of both ends it."""

    status: int
    headers: Mapping[bytes, bytes]
    view: View
    renewing: Renewing
    allowed: Callable[[], bool]
