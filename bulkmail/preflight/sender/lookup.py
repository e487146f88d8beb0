"""The lookup that every check of the sender's DNS is handed: a name and a kind of record to what the DNS answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bulkmail.mail import OwnFault

if TYPE_CHECKING:
    from bulkmail.routing import Found

Lookup = Callable[[str, str], Awaitable["Found"]]
"""``lookup(name, kind)``: A, AAAA, MX, TXT or PTR records; aliases are followed. Raises OwnFault with no DNS at all."""


def lookup_by(ask: Callable[[tuple[Any, ...]], Awaitable[Any]]) -> Lookup:
    """Return a lookup that puts its questions to the resolver's process. ``ask``: its jobs (`routing.resolver`)."""
    from bulkmail.routing import Found  # noqa: PLC0415 - with the DNS, which who asks nothing does without

    async def lookup(name: str, kind: str) -> Found:
        answer = await ask(("lookup", name, kind))
        if answer[0] != "found":
            raise OwnFault(str(answer[1]))
        _, found, last, records, text = answer
        return Found(found, last, 0.0, tuple(records), text=text)

    return lookup


def is_unknown(answer: Found) -> bool:
    """Return whether the DNS did not answer, so that nothing is known."""
    return answer.kind == "failed"


def found_nothing(answer: Found) -> bool:
    """Return whether there is no such record, by all that the nameserver says; small forwarders leave out the proof."""
    return answer.kind in ("empty", "missing", "bare")
