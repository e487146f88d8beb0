"""Sends back what comes back: to the mailer's own inbound server and page, a few at a time, and nowhere else.

Both are at loopback addresses that a rehearsal gives them, on the port of its mail servers. At `rest` no wait is kept
any more: what was to come later comes now.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.mail.smtp import sendmail
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers

from bulkmail.rehearsal.later import INBOUND, PAGE, Mail, Reaction, Visit, habit_of, traffic_of
from bulkmail.rehearsal.store import NoStore, ReceivedMessage

_AT_ONCE = 10
_MOST = 20_000  # that wait; further ones are left out
_WITHIN = 30.0  # seconds for each
_AGENT = {b"User-Agent": [b"Mozilla/5.0 (rehearsal)"]}
_LOOKING = Headers(_AGENT)
_FORM = Headers({b"Content-Type": [b"application/x-www-form-urlencoded"], **_AGENT})


class Returning(NoStore):
    """A store before another: what is taken is kept there, and some of it has consequences here.

    ``port``: of inbound server and page. ``chance``: draws a number for a recipient. ``speed`` divides all waits.
    """

    def __init__(
        self, reactor: Any, store: NoStore, port: Callable[[], int], chance: Callable[..., float], speed: float
    ) -> None:
        self.sent: Counter[str] = Counter()  # by reaction; `failed` are those that were not taken
        self._reactor = reactor
        self._store = store
        self._port = port
        self._chance = chance
        self._speed = speed
        self._seen: set[str] = set()  # recipients: a copy of a message has no further consequences
        self._waiting: dict[int, tuple[Any, Reaction, Mail | Visit]] = {}
        self._due: deque[tuple[Reaction, Mail | Visit]] = deque()
        self._busy = 0
        self._number = 0
        self._resting: list[Deferred[None]] = []

    def add(self, received: ReceivedMessage) -> None:
        """Keep a message, and see what each of its recipients does with it."""
        self._store.add(received)
        for recipient in received.recipients:
            habit = habit_of(recipient, self._chance("later", recipient))
            if habit is None or recipient in self._seen or len(self._waiting) >= _MOST:
                continue
            self._seen.add(recipient)
            traffic = traffic_of(habit.reaction, received.mail_from, recipient, received.mx, received.message)
            if traffic is not None:
                self._number += 1
                wait = 0.0 if self._resting else habit.wait / self._speed
                timer = self._reactor.callLater(wait, self._is_due, self._number)
                self._waiting[self._number] = (timer, habit.reaction, traffic)

    def flush(self) -> None:
        """Write what the store holds back."""
        self._store.flush()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def rest(self) -> Deferred[None]:
        """Let all that waits come now; fires when everything has been sent."""
        answer: Deferred[None] = Deferred()
        self._resting.append(answer)
        for number, (timer, _, _) in list(self._waiting.items()):
            timer.cancel()
            self._is_due(number)
        self._go_on()
        return answer

    def _is_due(self, number: int) -> None:
        _, reaction, what = self._waiting.pop(number)
        self._due.append((reaction, what))
        self._go_on()

    def _go_on(self) -> None:
        while self._due and self._busy < _AT_ONCE:
            reaction, what = self._due.popleft()
            self._busy += 1
            doing: Deferred[Any] = self._send(what) if isinstance(what, Mail) else ensureDeferred(self._visit(what))
            doing.addTimeout(_WITHIN, self._reactor)
            doing.addCallbacks(lambda _, name=reaction.value: name, lambda _: "failed")
            doing.addCallback(self._ended)
        if not (self._due or self._busy or self._waiting):
            resting, self._resting = self._resting, []
            for answer in resting:
                answer.callback(None)

    def _ended(self, name: str) -> None:
        self.sent[name] += 1
        self._busy -= 1
        self._go_on()

    def _send(self, mail: Mail) -> Deferred[Any]:
        # Twisted's client makes CRLF of each LF itself
        octets = mail.message.replace(b"\r\n", b"\n")
        sent: Deferred[Any] = sendmail(  # type: ignore[no-untyped-call]
            INBOUND, mail.sender, [mail.to], octets, "mx.rehearsal.test", self._port(), self._reactor
        )
        return sent

    async def _visit(self, visit: Visit) -> None:
        agent = Agent(self._reactor, connectTimeout=_WITHIN)  # type: ignore[no-untyped-call]
        for path in (visit.path, *visit.more):
            where = f"http://{PAGE}:{self._port()}{path}".encode()
            for method, body in visit.steps:
                producer = FileBodyProducer(BytesIO(body)) if body else None  # type: ignore[no-untyped-call]
                answer = await agent.request(method.encode(), where, _FORM if body else _LOOKING, producer)
                if method != "HEAD":
                    await readBody(answer)
                if answer.code not in (200, 302):
                    raise ValueError(answer.code)
