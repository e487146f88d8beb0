"""What is answered to a request: decided here, sent by `channel`.

A link that is counted (`/c/`) leads on to where its campaign wrote it to lead, which its signature proves; one whose
signature is not right leads nowhere, and is answered as any other path that is not ours.

A token that is not right gets the status, the fields and the page of a right one, without a name and without a button
(decision 0160). A GET reads and writes nothing, for most of them come from programs that look at links before people
do; what is written is written by a POST alone, which these do not send (RFC 8058 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote

from twisted.logger import Logger

from bulkmail.mail import CLICKS, OwnFault, Rate, ReturnPath, read_click
from bulkmail.public.clicks import Clicks
from bulkmail.public.clients import Rates
from bulkmail.public.page import Kind, Subject, headers, page
from bulkmail.public.reading import Wish, language_in, token_in, wish_in
from bulkmail.public.texts import Words, chosen

_log = Logger("bulkmail")

METHODS = (b"GET", b"HEAD", b"POST")
MOST_BODY = 8_000  # octets; a form of ours has 50, and one by RFC 8058 some 300
RIGHT = Rate(500, 1.0, 2000)
WRONG = Rate(100, 1.0, 500)
_AGAIN = 60  # seconds after which to come again when the spool cannot be used
_TEST = "test-"  # what the token of a test message begins with (decision 0140)
_CLICKS = CLICKS.encode("ascii")
_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"  # stands in a URL as it is (RFC 3986 2); what else there is, is encoded
_NOBODY = Subject("", test=True)


class Call(NamedTuple):
    """One request, read.

    ``path``: with its query; ``body``: None where it was longer than `MOST_BODY`; ``client``: as by `clients.Proxies`.
    """

    method: bytes
    path: bytes
    client: str
    content_type: bytes = b""
    accept_language: str = ""
    body: bytes | None = b""
    user_agent: str = ""


class Answer(NamedTuple):
    """What is sent: a status, header fields, and the body, of which a HEAD gets the length alone."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class Answers:
    """Answers calls. ``name``: the operator's, for people; ``now``: any clock that does not run backwards, seconds."""

    def __init__(
        self,
        returns: ReturnPath,
        texts: Mapping[str, Words],
        name: str,
        client_rate: Rate,
        now: Callable[[], float],
    ) -> None:
        self._returns = returns
        self._texts = texts
        self._name = name
        self._now = now
        self._made: dict[tuple[Kind, str], bytes] = {}
        self._rates = Rates(client_rate, WRONG, RIGHT, now())
        self.clicks = Clicks()

    async def answer(self, call: Call) -> Answer:
        """Return the answer, once it is true."""
        if call.path.startswith(_CLICKS):
            return await self._followed(call)
        token = token_in(call.path)
        if token is None:
            return self._page(call, 404, Kind.NOTHING)
        if call.method not in METHODS:
            return self._page(call, 405, Kind.NOTHING, {b"Allow": b", ".join(METHODS)})
        wait = self._rates.ask(call.client, self._now())
        if wait:
            return self.later(call, 429, wait)
        try:
            return await self._answer(call, token)
        except OwnFault as fault:
            _log.error("an unsubscribe could not be looked up or written: {fault}", fault=fault)
            return self.later(call, 503, _AGAIN)

    async def _followed(self, call: Call) -> Answer:
        """Lead on from a link that is counted. A right one costs no look into the spool, and is not limited."""
        if call.method not in (b"GET", b"HEAD"):
            return self._page(call, 405, Kind.NOTHING, {b"Allow": b"GET, HEAD"})
        now = self._now()
        try:
            key = await self._returns.token_key()
        except OwnFault as fault:
            _log.error("a link could not be looked up: {fault}", fault=fault)
            return self.later(call, 503, _AGAIN)
        path, _, query = call.path[len(_CLICKS) :].partition(b"?")
        click = read_click(key, path, query) if key else None
        if click is None:
            wait = self._rates.ask(call.client, now) or self._rates.wrong(call.client, now)
            return self.later(call, 429, wait) if wait else self._page(call, 404, Kind.NOTHING)
        self.clicks.add(click, call.client, call.method, call.user_agent, now)
        target = quote(click.target, safe=_AS_IT_IS).encode("ascii")
        fields = {name: value for name, value in headers().items() if name != b"Content-Type"}
        return Answer(302, {**fields, b"Location": target}, b"")

    def later(self, call: Call, status: int, seconds: int) -> Answer:
        """Return the answer that asks to come again."""
        return self._page(call, status, Kind.LATER, {b"Retry-After": b"%d" % seconds})

    async def _answer(self, call: Call, token: str) -> Answer:
        posted = call.method == b"POST"
        wish = wish_in(call.content_type, call.body or b"") if posted else Wish.NOTHING
        if token.startswith(_TEST):
            return self._told(call, wish, _NOBODY)
        found = await self._returns.find(token)
        known = found is not None and found.number != 0  # 0: a token that was the same for all recipients
        now = self._now()
        wait = self._rates.right(now) if known else self._rates.wrong(call.client, now)
        if wait:
            return self.later(call, 429, wait)
        if found is not None and known:
            if wish in (Wish.ONE_CLICK, Wish.LEAVE):
                found = await self._returns.unsubscribe(token, "one-click" if wish is Wish.ONE_CLICK else "page")
            elif wish is Wish.RETURN:
                found = await self._returns.resubscribe(token, "page")
        if found is None or not known:
            return self._page(call, _status(call, wish), Kind.UNKNOWN)
        return self._told(call, wish, Subject(found.list, found.address), unsubscribed=found.unsubscribed)

    def _told(self, call: Call, wish: Wish, subject: Subject, *, unsubscribed: bool = False) -> Answer:
        """Return the page that says how it is now."""
        if wish is Wish.NOTHING:
            kind = Kind.LEFT if unsubscribed else Kind.ASK
            return self._page(call, _status(call, wish), kind, subject=subject)
        return self._page(call, 200, Kind.BACK if wish is Wish.RETURN else Kind.LEFT, subject=subject)

    def _page(
        self,
        call: Call,
        status: int,
        kind: Kind,
        more: Mapping[bytes, bytes] | None = None,
        *,
        subject: Subject | None = None,
    ) -> Answer:
        language = chosen(self._texts, call.accept_language, language_in(call.path))
        body = self._body(kind, language, subject)
        fields = {**headers(), b"Content-Language": language.encode("ascii"), **(more or {})}
        return Answer(status, fields, body)

    def _body(self, kind: Kind, language: str, subject: Subject | None) -> bytes:
        """Return the page; one without a subject is made once for all, since a flood of wrong tokens asks for it."""
        if subject is not None:
            return page(kind, language, self._texts[language], subject, self._name)
        made = self._made.get((kind, language))
        if made is None:
            made = self._made[kind, language] = page(kind, language, self._texts[language], None, self._name)
        return made


def _status(call: Call, wish: Wish) -> int:
    """Answer a POST that asks for nothing: it has changed nothing, and its sender must not believe that it has."""
    if call.body is None:
        return 413
    return 400 if call.method == b"POST" and wish is Wish.NOTHING else 200
