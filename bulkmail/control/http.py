"""Serving the operations by twisted.web: bounded connections, bodies and times; every error is a problem object.

Only the parser of twisted.web is used: its resources bring templates, sessions and an RPC with them, 3 MB in all. An
operation is found here, so that a path, its methods and its description stand in one place (`operations`). twisted.web
answers some errors itself (a request line that is none, headers without end), with its own status and no body.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

from pydantic import ValidationError
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, HTTPFactory, Request, datetimeToString

from bulkmail.control.operations import Operation, find
from bulkmail.control.orders import Order
from bulkmail.control.problems import MEDIA_TYPE, RequestProblem
from bulkmail.delivery import in_background
from bulkmail.mail import BulkmailError, OwnFault, UnknownName

_log = Logger("bulkmail")

PREFIX = "/api/v1"
MOST_CONNECTIONS = 32
MOST_BODY = 64_000  # octets
_HOSTS = frozenset({"", "localhost", "bulkmail"})
_MOST_DIGITS = 18  # fits 64 bits
_IDLE = 30.0  # seconds without an octet
_LIFE = 300.0  # seconds of a connection, whatever comes
_WITHIN = 60.0  # seconds for an answer


class Call(NamedTuple):
    """One request, read: the operation, its parameters, and the order of a POST."""

    operation: Operation
    path: dict[str, str]
    query: dict[str, str]
    order: Order | None


Answering = Callable[[Call], Awaitable[Any]]
"""What answers a call: with JSON data, or it raises RequestProblem, or a BulkmailError that is told to the client."""


class ApiRequest(Request):
    """One request. Of its body at most `MOST_BODY` octets are kept; what is longer is read and dropped."""

    too_long = False

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body; called by twisted.web."""
        assert self.content is not None
        if self.content.tell() + len(data) > MOST_BODY:
            self.too_long = True
        else:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def process(self) -> None:
        """Answer now or later; called by twisted.web with the request read to its end."""
        factory = cast("_ApiFactory", self.channel.factory)
        reply = _Reply(self, factory.reactor)
        in_background(_answer(factory.answering, self, reply), "answering a request")


async def _answer(answering: Answering, request: ApiRequest, reply: _Reply) -> None:
    try:
        call = read_call(request)
        answer = await answering(call)
    except RequestProblem as problem:
        reply.problem(problem)
    except UnknownName as unknown:
        reply.problem(RequestProblem(404, str(unknown)))
    except OwnFault as fault:
        reply.problem(RequestProblem(503, str(fault)))
    except BulkmailError as error:
        reply.problem(RequestProblem(409, str(error)))
    except Exception:  # noqa: BLE001 - the connection must not be left without an answer
        _log.failure("a request could not be answered", Failure())  # type: ignore[no-untyped-call]
        reply.problem(RequestProblem(500, "the service has an error in itself; its log says which"))
    else:
        reply.send(200, answer)


def read_call(request: ApiRequest) -> Call:
    """Return what is asked for. Raises RequestProblem."""
    _check_asker(request)
    path = request.path.decode("ascii", "replace")
    if not path.startswith(f"{PREFIX}/"):
        raise RequestProblem(404, f"there is no {path}; the resources are under {PREFIX}/")
    if request.too_long:
        raise RequestProblem(413, f"the body is longer than {MOST_BODY} octets")
    operation, found = find(request.method.decode("ascii", "replace"), path.removeprefix(PREFIX))
    return Call(operation, found, _query(operation, request), _order(operation, request))


def _check_asker(request: Request) -> None:
    """Raise RequestProblem for a page of the web that reaches the socket by way of some proxy."""
    if request.getHeader(b"origin") is not None or request.getHeader(b"sec-fetch-site") not in (None, b"none"):
        raise RequestProblem(403, "requests of web pages are not answered")
    host = (request.getHeader(b"host") or b"").decode("ascii", "replace").lower()
    if host.partition(":")[0] not in _HOSTS:
        raise RequestProblem(403, f"the host {host[:100]!r} is not answered for; ask for localhost")


def _query(operation: Operation, request: Request) -> dict[str, str]:
    given = {name.decode("utf-8", "replace"): values for name, values in (request.args or {}).items()}
    unknown = sorted(set(given) - {*operation.query, *operation.optional}) if operation.method == "GET" else []
    if unknown:
        raise RequestProblem(400, f"{operation.path} has no parameter {unknown[0]!r}")
    query = {}
    for name, meaning in operation.query.items():
        values = given.get(name, [])
        if len(values) != 1 or not values[0]:
            raise RequestProblem(400, f"give the parameter `{name}` once: {meaning}")
        query[name] = values[0].decode("utf-8", "replace")
    for name, meaning in operation.optional.items():
        if name in given:
            text = given[name][-1].decode("ascii", "replace")
            if not text.isdecimal() or len(text) > _MOST_DIGITS:
                raise RequestProblem(400, f"{name} must be a whole number: {meaning}")
            query[name] = text
    return query


def _order(operation: Operation, request: Request) -> Order | None:
    if operation.order is None:
        return None
    assert request.content is not None
    body = request.content.read()
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if body and kind != b"application/json":
        raise RequestProblem(415, "send the body as application/json")
    try:
        return operation.order.model_validate_json(body or b"{}")
    except ValidationError as error:
        errors = [
            {"at": ".".join(map(str, one["loc"])), "detail": one["msg"].removeprefix("Value error, ")}
            for one in error.errors()
        ]
        first = errors[0]
        where = f"{first['at']}: " if first["at"] else ""
        raise RequestProblem(422, f"{where}{first['detail']}", errors=errors) from None


class _Reply:
    """The one answer to a request: whichever comes first of what was asked for, and the deadline."""

    def __init__(self, request: Request, reactor: Any) -> None:
        self._request = request
        self._open = True
        late = RequestProblem(503, f"it is not done after {_WITHIN:g} s; it may be done yet")
        self._deadline: IDelayedCall = reactor.callLater(_WITHIN, self.problem, late)
        request.notifyFinish().addErrback(self._gone)

    def problem(self, problem: RequestProblem) -> None:
        """Send a problem."""
        self.send(problem.status, problem.plain(), MEDIA_TYPE)

    def send(self, status: int, value: Any, kind: str = "application/json") -> None:
        """Send JSON, unless something was sent or the client has gone."""
        if not self._open:
            return
        self._close()
        request = self._request
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        request.setResponseCode(status)
        request.setHeader(b"date", datetimeToString())  # type: ignore[no-untyped-call]
        headers = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"}
        if status == 405:
            headers["allow"] = ", ".join(value["allow"])
        for name, text in headers.items():
            request.setHeader(name, text)  # type: ignore[no-untyped-call]
        if request.method != b"HEAD":
            request.write(body)  # type: ignore[no-untyped-call]
        request.finish()  # type: ignore[no-untyped-call]

    def _gone(self, _: Failure) -> None:
        self._close()

    def _close(self) -> None:
        self._open = False
        if self._deadline.active():
            self._deadline.cancel()


class _ApiChannel(HTTPChannel):
    requestFactory = ApiRequest


class _BoundedConnection(ProtocolWrapper):
    """A connection that is cut after `_LIFE`."""

    _end: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        """Begin; called by Twisted."""
        super().makeConnection(transport)  # type: ignore[no-untyped-call]
        reactor = cast("_BoundedConnections", self.factory).reactor
        self._end = reactor.callLater(_LIFE, transport.abortConnection)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """End; called by Twisted."""
        if self._end is not None and self._end.active():
            self._end.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class _BoundedConnections(WrappingFactory):
    """At most `MOST_CONNECTIONS` at once; a further one is closed as it comes."""

    protocol = _BoundedConnection
    noisy = False

    def __init__(self, api: _ApiFactory, reactor: Any) -> None:
        super().__init__(api)  # type: ignore[no-untyped-call]
        self.reactor = reactor

    def logPrefix(self) -> str:
        """Return what Twisted calls it in the log."""
        return "the control socket"

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Take a connection, or not; called by Twisted."""
        return super().buildProtocol(addr) if len(self.protocols) < MOST_CONNECTIONS else None


class _ApiFactory(HTTPFactory):
    """All of `/api/v1`. It keeps no access log: commands are logged by what they do."""

    protocol = _ApiChannel  # type: ignore[assignment] # twisted.web's own is a function that may speak HTTP/2
    noisy = False

    def __init__(self, answering: Answering, reactor: Any) -> None:
        super().__init__(timeout=_IDLE, reactor=reactor)
        self.answering = answering
        self.reactor = reactor

    def startFactory(self) -> None:
        """Open no log; called by Twisted."""

    def stopFactory(self) -> None:
        """Close no log; called by Twisted."""

    def log(self, request: Any) -> None:
        """Log nothing; called by twisted.web."""


def api_factory(answering: Answering, reactor: Any) -> _BoundedConnections:
    """Return what serves the API on connections."""
    return _BoundedConnections(_ApiFactory(answering, reactor), reactor)
