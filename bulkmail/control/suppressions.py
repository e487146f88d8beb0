"""The operations on suppressions: who is not mailed, asked and changed in the spool of the running service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from bulkmail.campaign import keys_of
from bulkmail.control.http import Call
from bulkmail.control.orders import ForgetAddressesOrder, SuppressOrder, UnsuppressOrder
from bulkmail.control.problems import RequestProblem
from bulkmail.mail import AddressError
from bulkmail.spool import Reading, Suppression, is_scope


class Suppresses(Protocol):
    """What writes suppressions, see `spool.Spool`."""

    def suppress(self, entries: Iterable[Suppression], *, hashed: bool) -> Awaitable[int]:
        """Add entries."""

    def unsuppress(self, addresses: Iterable[str], *, scope: str = "", reason: str = "") -> Awaitable[int]:
        """Remove entries."""

    def forget_addresses(self, addresses: Iterable[str]) -> Awaitable[int]:
        """Keep only hashes."""


Answering = Callable[[Call], Awaitable[Any]]


def suppression_answers(
    read: Callable[[Callable[[Reading], Any]], Awaitable[Any]],
    spool: Suppresses,
    wall: Callable[[], float],
    *,
    hashed: bool,
) -> Mapping[str, Answering]:
    """Return what answers the operations, by their names. ``hashed``: of addresses only hashes are kept."""

    async def suppressions(call: Call) -> Any:
        key = _keys([call.query["address"]])[0]
        found = await read(lambda reader: reader.suppressions_of(key))
        return [plain_suppression(entry) for entry in found]

    async def suppress(call: Call) -> Any:
        order, now = call.order, wall()
        assert isinstance(order, SuppressOrder)
        entries = [
            Suppression(key, _scope(one.scope), one.reason, one.source, one.since.timestamp() if one.since else now)
            for one in order.entries
            for key in _keys([one.address])
        ]
        return {"changed": await spool.suppress(entries, hashed=hashed)}

    async def unsuppress(call: Call) -> Any:
        order = call.order
        assert isinstance(order, UnsuppressOrder)
        scope = "" if order.scope is None else _scope(order.scope)
        return {"changed": await spool.unsuppress(_keys(order.addresses), scope=scope, reason=order.reason or "")}

    async def forget_addresses(call: Call) -> Any:
        order = call.order
        assert isinstance(order, ForgetAddressesOrder)
        return {"changed": await spool.forget_addresses(_keys(order.addresses))}

    return {one.__name__: one for one in (suppressions, suppress, unsuppress, forget_addresses)}


def plain_suppression(entry: Suppression) -> dict[str, Any]:
    """Return a suppression as the API tells it."""
    since = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "address": entry.address,
        "scope": entry.scope,
        "reason": str(entry.reason),
        "source": entry.source,
        "since": since,
    }


def _keys(addresses: Iterable[str]) -> list[str]:
    keys: list[str] = []
    for address in addresses:
        try:
            keys += sorted(keys_of(address))
        except AddressError as error:
            raise RequestProblem(422, str(error)) from None
    return keys


def _scope(text: str) -> str:
    if not is_scope(text):
        raise RequestProblem(422, f"{text!r} is not a scope; write everything, list:NAME or campaign:NAME")
    return text
