"""Asks rspamd, over HTTP, what it thinks of a message."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool
from twisted.web.http_headers import Headers

from bulkmail.inbound.octets import OctetsFile
from bulkmail.inbound.received import Received, Refusal
from bulkmail.mail import OwnFault

_WITHIN = 30.0  # seconds
_LONGEST = 1_000_000  # octets of an answer
_OK = 200
# discard would be a message that got a 250 and is gone: its sender is told instead
_REFUSE = ("reject", "discard")
_TAKE = ("no action", "greylist")


class Rspamd:
    """Asks the rspamd at ``url``, such as ``http://127.0.0.1:11333``."""

    def __init__(self, reactor: Any, url: str, agent: Any = None) -> None:
        self._reactor = reactor
        self._url = url.rstrip("/")
        self._pool = HTTPConnectionPool(reactor)  # type: ignore[no-untyped-call]
        self._agent = agent or Agent(reactor, connectTimeout=_WITHIN, pool=self._pool)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Close what is open to it."""
        await self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]

    async def __call__(self, received: Received) -> bytes:
        """Return header lines for a message that may be taken. Raises Refusal, or OwnFault without a verdict."""
        if not any(piece.strip() for piece in received.body.pieces()):
            # An empty upload gets "no action" and a score of 0, as if it were looked at
            raise Refusal(554, "5.6.0", "The message is empty")
        asked = self._agent.request(
            b"POST",
            f"{self._url}/checkv2".encode("ascii"),
            _headers(received),
            FileBodyProducer(OctetsFile(received.body)),  # type: ignore[no-untyped-call]
        )
        asked.addCallback(_read)
        asked.addTimeout(_WITHIN, self._reactor)
        try:
            action, score = _verdict(await asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no verdict
            words = str(error) or type(error).__name__
            raise OwnFault(f"rspamd at {self._url} gave no verdict ({words[:200]})") from None
        if action in _REFUSE:
            raise Refusal(550, "5.7.1", "The message looks like spam")
        if action == "soft reject":
            raise Refusal(451, "4.7.1", "Try again later")
        if action in _TAKE:
            return b""
        return f"X-Spam: Yes\r\nX-Spam-Score: {score:.2f}\r\n".encode()


def _headers(received: Received) -> Headers:
    headers: dict[bytes, list[bytes]] = {
        b"From": [f"<{received.sender}>".encode()],
        b"Rcpt": [f"<{recipient.address}>".encode() for recipient in received.recipients],
        b"Helo": [received.helo.encode()],
        b"Queue-Id": [received.id.encode()],
    }
    try:
        # One that is no address would be dropped without a word, and with it every test of the client
        headers[b"IP"] = [str(ipaddress.ip_address(received.ip)).encode()]
    except ValueError:
        raise OwnFault(f"{received.ip!r} is no address that rspamd could judge") from None
    return Headers(headers)


def _verdict(answer: Any) -> tuple[str, float]:
    """Return action and score. Raises ValueError, KeyError or TypeError."""
    verdict = json.loads(answer)
    action, score = verdict["action"], float(verdict["score"])
    if "message-id" not in verdict or not isinstance(action, str):
        raise ValueError("it has not looked at a message")
    return action, score


def _read(response: Any) -> Deferred[bytes]:
    body: Deferred[bytes] = Deferred()
    response.deliverBody(_Collected(response.code, body))
    return body


class _Collected(Protocol):
    """Collects an answer, up to a length."""

    transport: Any

    def __init__(self, code: int, done: Deferred[bytes]) -> None:
        self._code = code
        self._done = done
        self._pieces: list[bytes] = []
        self._length = 0

    def dataReceived(self, data: bytes) -> None:
        """Take a piece."""
        self._length += len(data)
        if self._length > _LONGEST:
            self.transport.loseConnection()
            return
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """Give what has come."""
        if self._done.called:
            return
        if self._code != _OK or self._length > _LONGEST:
            self._done.errback(OSError(f"it answered {self._code} with {self._length} octets"))
        else:
            self._done.callback(b"".join(self._pieces))
