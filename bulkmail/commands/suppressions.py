"""How the commands reach the suppressions of a spool: by the running service, else on the spool itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from bulkmail.control import Client, NotRunningError, plain_suppression
from bulkmail.settings import Settings
from bulkmail.spool import Reading, Suppression, find_reader, unsent

_PAGE = 5000
_IN_A_REQUEST = 200  # entries; a body of the API has at most 64,000 octets


class Changes(Protocol):
    """What changes suppressions; each returns how many were. ``at_once``: how many it takes together at best."""

    at_once: int

    def suppress(self, entries: Sequence[Suppression]) -> int:
        """Add entries."""

    def unsuppress(self, addresses: Sequence[str], scope: str, reason: str) -> int:
        """Remove entries; "" is any scope or reason."""

    def forget_addresses(self, addresses: Sequence[str]) -> int:
        """Keep only the hashes."""

    def hashes(self, addresses: Sequence[str]) -> list[int]:
        """Return the hashes of these addresses."""


@contextmanager
def changing(settings: Settings) -> Iterator[Changes]:
    """Give what changes the suppressions of a spool, which is made where there is none. Raises BulkmailError."""
    client = Client(settings.place)
    try:
        client.get("health")
    except NotRunningError:
        with unsent(settings.spool, make=True) as spool:
            yield _AtRest(spool, hashed=settings.suppression.hashed)
    else:
        reader = find_reader(settings.spool)
        try:
            yield _Served(client, reader)
        finally:
            if reader is not None:
                reader.close()


def pages(spool: str, scope: str, reason: str) -> Iterator[list[Suppression]]:
    """Yield all suppressions of one scope and reason ("": any), a page at a time, beside who writes them."""
    reader = find_reader(spool)
    if reader is None:
        return
    try:
        after = None
        while page := reader.suppressions(after, _PAGE, scope=scope, reason=reason):
            after = page[-1]
            yield page
    finally:
        reader.close()


class _AtRest:
    at_once = _PAGE

    def __init__(self, spool: Any, *, hashed: bool) -> None:
        self._spool = spool
        self._hashed = hashed
        spool.suppress([], hashed=hashed)  # makes the key of the hashes where there is none
        self.hashes = spool.hashes

    def suppress(self, entries: Sequence[Suppression]) -> int:
        changed: int = self._spool.suppress(entries, hashed=self._hashed)
        return changed

    def unsuppress(self, addresses: Sequence[str], scope: str, reason: str) -> int:
        changed: int = self._spool.unsuppress(addresses, scope=scope, reason=reason)
        return changed

    def forget_addresses(self, addresses: Sequence[str]) -> int:
        changed: int = self._spool.forget_addresses(addresses)
        return changed


class _Served:
    at_once = _IN_A_REQUEST

    def __init__(self, client: Client, reader: Reading | None) -> None:
        self._client = client
        self._reader = reader

    def suppress(self, entries: Sequence[Suppression]) -> int:
        return sum(
            self._post("add", entries=[plain_suppression(entry) for entry in some]) for some in self._cut(entries)
        )

    def unsuppress(self, addresses: Sequence[str], scope: str, reason: str) -> int:
        of = {"scope": scope or None, "reason": reason or None}
        return sum(self._post("remove", addresses=some, **of) for some in self._cut(addresses))

    def forget_addresses(self, addresses: Sequence[str]) -> int:
        return sum(self._post("forget", addresses=some) for some in self._cut(addresses))

    def hashes(self, addresses: Sequence[str]) -> list[int]:
        return [0] * len(addresses) if self._reader is None else self._reader.hashes(addresses)

    @staticmethod
    def _cut(of: Sequence[Any]) -> Iterator[list[Any]]:
        for at in range(0, len(of), _IN_A_REQUEST):
            yield list(of[at : at + _IN_A_REQUEST])

    def _post(self, what: str, **order: Any) -> int:
        changed: int = self._client.post("suppressions", what, **order)["changed"]
        return changed
