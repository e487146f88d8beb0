"""The page over HTTP: the bounded connections of `public`, with what this page reads of a request besides."""

from __future__ import annotations

from typing import Any, cast

from bulkmail.public import PageChannel, PageFactory, PageRequest, Proxies
from bulkmail.web.reading import WebCall, credentials_of, fields_of, form_of, parts_of, same_site, session_of


class WebRequest(PageRequest):
    """One request to the operator's page."""

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


class WebChannel(PageChannel):
    """A connection to the operator's page."""

    requestFactory = WebRequest


class WebFactory(PageFactory):
    """Makes the connections. ``user_header``: the proxy's field with the user, b"" where it is not asked."""

    protocol = WebChannel

    def __init__(self, answers: Any, proxies: Proxies, reactor: Any, user_header: bytes, *, tls: bool) -> None:
        super().__init__(answers, proxies, reactor)
        self.user_header = user_header
        self.tls = tls

    def logPrefix(self) -> str:
        """Return what Twisted calls it in the log."""
        return "the operator's page"
