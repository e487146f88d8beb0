"""`reports.Records` in the process of the server: each call goes to the service, which has the spool, and is answered.

Calls of some milliseconds go together: each frame wakes the service, which has mail to send.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from bulkmail.inbound.wire import CALLS, found_of, plain_event
from bulkmail.mail import Found, LateEvent, OwnFault, read_token

_TOGETHER = 0.01  # seconds


class Asking:
    """``send``: takes what goes to the service, as `wire` has it."""

    def __init__(self, reactor: Any, send: Callable[[tuple[Any, ...]], None]) -> None:
        self._reactor = reactor
        self._send = send
        self._number = 0
        self._calls: list[tuple[int, str, tuple[Any, ...]]] = []
        self._waiting: dict[int, Deferred[Any]] = {}
        self._key = b""

    def answered(self, answers: Sequence[tuple[int, bool, Any]]) -> None:
        """Take answers."""
        for number, good, value in answers:
            waiting = self._waiting.pop(number)
            if good:
                waiting.callback(value)
            else:
                waiting.errback(OwnFault(value))

    def flush(self) -> None:
        """Send what waits."""
        calls, self._calls = self._calls, []
        if calls:
            self._send((CALLS, calls))

    # as `Records` says

    async def token_key(self) -> bytes:
        """Return the key; it is asked for until there is one."""
        if not self._key:
            self._key = await self._asked("token_key")
        return self._key

    async def find(self, token: str) -> Found | None:
        """Return what is known of a token; the service is not asked about one that is not ours."""
        key = await self.token_key()
        if not key or read_token(key, token) is None:
            return None
        return found_of(await self._asked("find", token))

    async def members(self, envelope_id: str, addresses: Sequence[str]) -> dict[str, str]:
        """Return the tokens of recipients of one transaction."""
        found: dict[str, str] = await self._asked("members", envelope_id, list(addresses))
        return found

    async def returned(self, token: str, event: LateEvent) -> Found | None:
        """Record a delivery report or an answer."""
        return found_of(await self._asked("returned", token, plain_event(event)))

    async def complained(self, token: str, event: LateEvent) -> Found | None:
        """Record a complaint."""
        return found_of(await self._asked("complained", token, plain_event(event)))

    async def unsubscribe(self, token: str, how: str, key: str = "") -> Found | None:
        """Record that the recipient wants no more of the list."""
        return found_of(await self._asked("unsubscribe", token, how, key))

    def unattributed(self, what: str) -> None:
        """Count what could not be attributed."""
        self._say(0, "unattributed", (what,))

    def _asked(self, name: str, *arguments: Any) -> Deferred[Any]:
        self._number += 1
        answer: Deferred[Any] = Deferred()
        self._waiting[self._number] = answer
        self._say(self._number, name, arguments)
        return answer

    def _say(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        if not self._calls:
            self._reactor.callLater(_TOGETHER, self.flush)
        self._calls.append((number, name, arguments))
