"""HTTP by twisted.web: bounded connections, bodies and times, one answer to each request.

Only the parser of twisted.web is used, not its resources: these take arguments from the query and the body alike, and
answer a HEAD that they do not know with 500. What the parser refuses (a request that is none, two lengths, a length
and chunks, lines without end) is 400 and the end of the connection, without a body.
"""

from __future__ import annotations

import re
from collections import Counter
from io import BytesIO
from typing import Any, Protocol, cast

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, HTTPFactory, Request, datetimeToString

from bulkmail.delivery import in_background
from bulkmail.public.answering import MOST_BODY, Answer, Call
from bulkmail.public.clients import Proxies

_log = Logger("bulkmail")

MOST_CONNECTIONS = 128
MOST_OF_ONE = 16  # connections of one client that comes without a proxy
WHOLE_REQUEST = 10.0  # seconds for a request to be there
WHOLE_ANSWER = 30.0  # seconds for an answer to be known
IDLE = 75.0  # seconds that a proxy may keep a connection without a request; nginx does for 60
_MOST_DROPPED = 1_000_000  # octets of a body that is too long, before its connection is cut
_FAR_TOO_LONG = 64_000  # the same of one that says of itself that it has even more
_ABSOLUTE = re.compile(rb"\Ahttps?://[^/?]*", re.IGNORECASE)  # a target's form that a server must take (RFC 9112 3.2.2)
_DRAIN = 10.0  # seconds for a client to read the answer


class Answering(Protocol):
    """What answers calls, see `answering.Answers`; a ``call`` is what `PageRequest.call` has made."""

    async def answer(self, call: Any) -> Answer:
        """Return the answer, once it is true."""

    def later(self, call: Any, status: int, seconds: int) -> Answer:
        """Return the answer that asks to come again."""


class PageRequest(Request):
    """One request. Its body is kept up to `MOST_BODY` octets, in memory; what is longer is read and dropped."""

    channel: PageChannel
    _dropped, _most_dropped = 0, _MOST_DROPPED
    _open = True
    _deadline: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        """Make room for the body; called by twisted.web."""
        if length is not None and length > _MOST_DROPPED:
            self._most_dropped = _FAR_TOO_LONG
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body; called by twisted.web."""
        assert self.content is not None
        if self._dropped or self.content.tell() + len(data) > MOST_BODY:
            self._dropped += len(data)
            if self._dropped > self._most_dropped:
                self.channel.cut()
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Answer; called by twisted.web with the request read to its end. Nothing of it is parsed any further here."""
        self.method, self.uri, self.clientproto = command, _ABSOLUTE.sub(b"", path), version
        self.path = self.uri.partition(b"?")[0]
        self.args = {}
        self.channel.complete()
        call = self.call()
        factory = cast("PageFactory", self.channel.factory)
        late = factory.answers.later(call, 503, int(WHOLE_ANSWER))
        self._deadline = factory.reactor.callLater(WHOLE_ANSWER, self._send, late)
        self.notifyFinish().addErrback(self._gone)
        in_background(self._answer(factory.answers, call), "answering a request")

    def call(self) -> Any:
        """Return what the factory's ``answers`` are asked."""
        return Call(
            method=self.method,
            path=self.uri,
            client=self.asker,
            content_type=self.field(b"content-type"),
            accept_language=self.field(b"accept-language").decode("ascii", "replace"),
            body=self.body,
            user_agent=self.field(b"user-agent").decode("ascii", "replace"),
        )

    def field(self, name: bytes) -> bytes:
        """Return the values of a header field, joined by commas."""
        return b",".join(self.requestHeaders.getRawHeaders(name) or ())

    @property
    def asker(self) -> str:
        """Who asks, as `clients.Proxies` has it."""
        proxies = cast("PageFactory", self.channel.factory).proxies
        return proxies.client(self.channel.peer, self.field(b"x-forwarded-for"))

    @property
    def body(self) -> bytes | None:
        """The body, None where it was too long."""
        assert self.content is not None
        return None if self._dropped else cast("BytesIO", self.content).getvalue()

    async def _answer(self, answers: Answering, call: Any) -> None:
        try:
            answer = await answers.answer(call)
        except Exception:  # noqa: BLE001 - the connection must not be left without an answer
            _log.failure("a request could not be answered", Failure())  # type: ignore[no-untyped-call]
            answer = answers.later(call, 500, int(WHOLE_ANSWER))
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        """Send the answer, unless one was sent or the client has gone."""
        if not self._open:
            return
        self._close()
        self.setResponseCode(answer.status)
        for name, value in answer.headers.items():
            self.responseHeaders.setRawHeaders(name, [value])
        self.responseHeaders.setRawHeaders(b"Date", [datetimeToString()])  # type: ignore[no-untyped-call]
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
        self.write(answer.body)  # type: ignore[no-untyped-call] # a HEAD gets nothing of it
        self.finish()  # type: ignore[no-untyped-call]

    def _gone(self, _: Failure) -> None:
        self._close()

    def _close(self) -> None:
        self._open = False
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


class PageChannel(HTTPChannel):
    """A connection. A request must be there as a whole in time, however it drips; only a proxy may send several."""

    requestFactory = PageRequest
    maxHeaders = 100
    peer = ""
    _client: str | None = None
    _waiting: IDelayedCall | None = None
    _busy = False
    _proxy = False

    def connectionMade(self) -> None:
        """Begin; called by Twisted."""
        factory = cast("PageFactory", self.factory)
        transport = cast("Any", self.transport)
        self.peer = getattr(transport.getPeer(), "host", "") or ""
        self._proxy = factory.proxies.trusted(self.peer)
        self._wait()
        super().connectionMade()  # type: ignore[no-untyped-call]
        if not factory.enter(self):
            self.cut()

    def dataReceived(self, data: bytes) -> None:
        """Read on; called by Twisted."""
        if self._waiting is None and not self._busy:
            self._wait()
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def complete(self) -> None:
        """Note that a request is there as a whole."""
        self._busy = True
        self._no_wait()

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Say whether another request may follow; called by twisted.web."""
        if self._proxy:
            return bool(super().checkPersistence(request, version))  # type: ignore[no-untyped-call]
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    def requestDone(self, request: Request) -> None:
        """Go on to the next request, or close; called by twisted.web."""
        self._busy = False
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if not self.persistent and self._waiting is None:
            self._wait(_DRAIN)  # a client that does not read the answer

    def timeoutConnection(self) -> None:
        """Close a connection on which nothing was asked for a long time; called by twisted.web."""
        self.loseConnection()  # type: ignore[no-untyped-call]
        if self._waiting is None:
            self._wait(_DRAIN)

    def cut(self) -> None:
        """End the connection at once."""
        self._no_wait()
        cast("Any", self.transport).abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """End; called by Twisted."""
        self._no_wait()
        cast("PageFactory", self.factory).leave(self)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _wait(self, seconds: float = WHOLE_REQUEST) -> None:
        self._waiting = cast("PageFactory", self.factory).reactor.callLater(seconds, self._late)

    def _late(self) -> None:
        self._waiting = None
        self.cut()

    def _no_wait(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.cancel()


class PageFactory(HTTPFactory):
    """Makes the connections, at most `MOST_CONNECTIONS`. It keeps no access log: a token in it would be a key to it."""

    protocol = PageChannel  # type: ignore[assignment] # twisted.web's own is a function that may speak HTTP/2
    noisy = False
    most_of_one = MOST_OF_ONE

    def __init__(self, answers: Answering, proxies: Proxies, reactor: Any) -> None:
        super().__init__(timeout=IDLE, reactor=reactor)
        self.answers = answers
        self.proxies = proxies
        self.connections: set[PageChannel] = set()
        self._by_client: Counter[str] = Counter()

    def logPrefix(self) -> str:
        """Return what Twisted calls it in the log."""
        return "the page for unsubscribing"

    def startFactory(self) -> None:
        """Open no log; called by Twisted."""

    def stopFactory(self) -> None:
        """Close no log; called by Twisted."""

    def log(self, request: Any) -> None:
        """Log nothing; called by twisted.web."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, or not; called by Twisted."""
        return super().buildProtocol(addr) if len(self.connections) < MOST_CONNECTIONS else None

    def enter(self, channel: PageChannel) -> bool:
        """Count a connection; False where its client has too many."""
        self.connections.add(channel)
        if self.proxies.trusted(channel.peer):
            return True
        client = self.proxies.client(channel.peer, b"")
        self._by_client[client] += 1
        return self._by_client[client] <= self.most_of_one

    def leave(self, channel: PageChannel) -> None:
        """Count it no more."""
        if channel in self.connections:
            self.connections.discard(channel)
            if not self.proxies.trusted(channel.peer):
                client = self.proxies.client(channel.peer, b"")
                self._by_client[client] -= 1
                if not self._by_client[client]:
                    del self._by_client[client]
