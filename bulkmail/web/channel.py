"""The page over HTTP: the bounded connections of `public`, with what this page reads of a request besides."""

from __future__ import annotations

from typing import Any, cast

from twisted.web.http import datetimeToString

from bulkmail.public import PageChannel, PageFactory, PageRequest, Proxies
from bulkmail.web.reading import WebCall, credentials_of, fields_of, form_of, parts_of, same_site, session_of
from bulkmail.web.renewing import Stream

_MOST_OF_ONE = 112  # people behind one proxy, or one tunnel, are one client; of `MOST_CONNECTIONS` some are left


class WebRequest(PageRequest):
    """One request to the operator's page."""

    _full = False
    _stream: Stream | None = None

    def call(self) -> WebCall:
        """Return what is asked for."""
        factory = cast("WebFactory", self.channel.factory)
        trusted = factory.proxies.trusted(self.channel.peer)
        proto = self.field(b"x-forwarded-proto").strip().lower() if trusted else b""
        header = factory.user_header
        return WebCall(
            method=self.method.decode("ascii", "replace"),
            path=parts_of(self.path),
            query=fields_of(self.uri.partition(b"?")[2]),
            form=form_of(self.field(b"content-type"), self.body),
            session=session_of(self.field(b"cookie")),
            client=self.asker,
            user=self.field(header).decode("utf-8", "replace").strip() if header and trusted else "",
            same_site=same_site(self.field(b"sec-fetch-site"), self.field(b"origin"), self.field(b"host")),
            secure=factory.tls or proto == b"https",
            too_long=self.body is None,
            credentials=credentials_of(self.field(b"authorization")),
        )

    def _send(self, answer: Any) -> None:
        """Send the answer, or begin one that goes on."""
        if not isinstance(answer, Stream):
            super()._send(answer)
        elif self._open:
            self._close()
            self._begin(answer)

    def _begin(self, stream: Stream) -> None:
        self._stream = stream
        self.notifyFinish().addBoth(lambda _: stream.renewing.leave(stream.view, self))
        self.setResponseCode(stream.status)
        for name, value in stream.headers.items():
            self.responseHeaders.setRawHeaders(name, [value])
        self.responseHeaders.setRawHeaders(b"Date", [datetimeToString()])  # type: ignore[no-untyped-call]
        self.registerProducer(self, True)  # type: ignore[no-untyped-call]
        self.write(b": renewed from now on\n\n")  # type: ignore[no-untyped-call]
        if self.method == b"HEAD" or not stream.renewing.join(stream.view, self):
            self.end()

    def allowed(self) -> bool:
        """Return whether its session is good still."""
        return self._stream is not None and self._stream.allowed()

    def send(self, event: bytes) -> None:
        """Send an event, or cut the connection where the last one is not read yet."""
        if self._full:
            self.channel.cut()
        else:
            self.write(event)  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """End the answer, behind what was sent."""
        self.unregisterProducer()  # type: ignore[no-untyped-call]
        self.finish()  # type: ignore[no-untyped-call]

    def pauseProducing(self) -> None:
        """Note that the client does not read; called by twisted.web."""
        self._full = True

    def resumeProducing(self) -> None:
        """Note that it reads again; called by twisted.web."""
        self._full = False

    def stopProducing(self) -> None:
        """Nothing is left to stop; called by twisted.web."""


class WebChannel(PageChannel):
    """A connection to the operator's page."""

    requestFactory = WebRequest


class WebFactory(PageFactory):
    """Makes the connections. ``user_header``: the proxy's field with the user, b"" where it is not asked."""

    protocol = WebChannel
    most_of_one = _MOST_OF_ONE

    def __init__(self, answers: Any, proxies: Proxies, reactor: Any, user_header: bytes, *, tls: bool) -> None:
        super().__init__(answers, proxies, reactor)
        self.user_header = user_header
        self.tls = tls

    def logPrefix(self) -> str:
        """Return what Twisted calls it in the log."""
        return "the operator's page"
