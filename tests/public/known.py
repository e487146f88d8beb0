"""An object that knows tokens by rote, as the page needs one (`bulkmail.mail.ReturnPath`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bulkmail.mail import ClickCount, Found, OwnFault

KEY = bytes(range(32))
RIGHT = "a" * 26
GONE = "b" * 26  # its campaign has left the spool, and its address with it
FAULTY = "c" * 26
SLOW = "d" * 26
BROKEN = "e" * 26
HOSTILE = "g" * 26
SHARED = "h" * 26  # of a message that was the same for all
READ_ONLY = "i" * 26  # is found, and cannot be written
WRONG = "z" * 26
HOSTILE_NAME = '<script>alert(1)</script>"&\u202egnp\u2066 {list} {{ 7*7 }} \x00\r\n' + "x" * 500
HOSTILE_ADDRESS = '"><b onclick=x>y"@example.org'

_ROWS = {
    RIGHT: ("Spring newsletter", "adrian@example.org", 1),
    GONE: ("Spring newsletter", "", 2),
    HOSTILE: (HOSTILE_NAME, HOSTILE_ADDRESS, 3),
    SHARED: ("Spring newsletter", "", 0),
    READ_ONLY: ("Spring newsletter", "ann@example.org", 4),
}


class Known:
    """Tokens by rote. ``calls``: what was asked for, in order; ``told`` is handed each."""

    def __init__(self, told: Callable[[str], None] = lambda _: None) -> None:
        self.off: set[str] = set()
        self.calls: list[tuple[str, ...]] = []
        self._told = told

    async def find(self, token: str) -> Found | None:
        self._note("find", token)
        if token == FAULTY:
            raise OwnFault("the disk is full")
        if token == BROKEN:
            raise ZeroDivisionError
        if token == SLOW:
            await Deferred()  # never
        return self._found(token)

    async def unsubscribe(self, token: str, how: str, key: str = "") -> Found | None:
        self._note("unsubscribe", token, how)
        if token == READ_ONLY:
            raise OwnFault("the disk is full")
        self.off.add(token)
        return self._found(token)

    async def resubscribe(self, token: str, how: str) -> Found | None:
        self._note("resubscribe", token, how)
        self.off.discard(token)
        return self._found(token)

    async def returned(self, token: str, event: Any) -> Found | None:
        raise NotImplementedError

    async def complained(self, token: str, event: Any) -> Found | None:
        raise NotImplementedError

    async def token_key(self) -> bytes:
        return KEY

    async def clicked(self, counts: Sequence[tuple[int, ClickCount]]) -> None:
        for campaign_id, one in counts:
            self._note("clicked", str(campaign_id), one.link, str(one.people), str(one.scanners))

    def unattributed(self, what: str) -> None:
        raise NotImplementedError

    def written(self) -> list[tuple[str, ...]]:
        """What was asked for that writes."""
        return [call for call in self.calls if call[0] != "find"]

    def _found(self, token: str) -> Found | None:
        if token not in _ROWS:
            return None
        name, address, number = _ROWS[token]
        return Found(1, number, "spring", name, "marketing", address, token in self.off, bool(address))

    def _note(self, *call: str) -> None:
        self.calls.append(call)
        self._told(json.dumps(call))


def result(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine that waits for nothing returns."""
    found: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(found.append)
    assert found, "it waits for something"
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]
