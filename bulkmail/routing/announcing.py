"""What a domain asks of those who send mail to it, found in the resolver's process: MTA-STS (RFC 8461).

The record is asked for while the MX records are. It may be missing without any proof: who can forge that can as well
swallow the answer, and what was once fetched stays in force without it. So a "no" is not verified, and silence is a no.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import dns.exception
import dns.name

from bulkmail.mail import OwnFault
from bulkmail.routing.lookup import Found, Lookup
from bulkmail.routing.mta_sts import record_id
from bulkmail.routing.policy_fetch import NoPolicyError, fetch
from bulkmail.routing.txt_hints import TxtHints

_KINDS = {4: "A", 6: "AAAA"}
_ADDRESSES = 3  # of a policy's host that are tried
_WITHIN = 30.0  # seconds for a policy, from the question for its address to its last byte
_AT_ONCE = 256  # policies
_LAG = 2.0  # seconds that the record is waited for longer than the MX hosts

Judge = Callable[[Sequence[Found]], tuple[dict[str, str], list[str]]]
"""Gives the addresses in answers that must not be connected to, with the reason, and the others."""


class Announcements:
    """Asks one of ``hints``, then ``lookup``.

    ``judged``: which addresses may be connected to; ``port``: of policies' hosts.
    """

    def __init__(self, lookup: Lookup, hints: Sequence[TxtHints], judged: Judge, port: int = 443) -> None:
        self._lookup = lookup
        self._hints = cycle(hints)
        self._judged = judged
        self._port = port
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._fetching: dict[str, asyncio.Task[tuple[Any, ...]]] = {}

    def ask(self, domain: str) -> asyncio.Task[str]:
        """Begin to ask for the id of the domain's policy; `told` waits for it."""
        return asyncio.create_task(self._record(domain))

    async def told(self, asked: asyncio.Task[str]) -> str:
        """Return the id, "" where none is announced or where it is not known in time."""
        if not asked.done():
            await asyncio.wait({asked}, timeout=_LAG)
        if asked.done():
            return asked.result()
        asked.cancel()
        return ""

    async def policy(self, domain: str, versions: Sequence[int]) -> tuple[Any, ...]:
        """Fetch the domain's policy: ``("policy", text)`` or ``("no-policy", why)``. Equal calls are joined."""
        task = self._fetching.get(domain)
        if task is None:
            task = self._fetching[domain] = asyncio.create_task(self._policy(f"mta-sts.{domain}", versions))
            task.add_done_callback(lambda _: self._fetching.pop(domain))
        return await asyncio.shield(task)

    async def _record(self, domain: str) -> str:
        name = f"_mta-sts.{domain}"
        if not await next(self._hints).perhaps(name):  # most domains have none, and this costs a tenth
            return ""
        try:
            said = await self._lookup.unproven(name, "TXT")
        except (OwnFault, dns.exception.DNSException):
            return ""
        return record_id(said)

    async def _policy(self, host: str, versions: Sequence[int]) -> tuple[Any, ...]:
        try:
            async with asyncio.timeout(_WITHIN), self._places:
                found = await asyncio.gather(*(self._lookup.ask(host, _KINDS[version]) for version in versions))
                refused, good = self._judged(found)
                if refused and not good:
                    words = ", ".join(f"{address} ({reason})" for address, reason in list(refused.items())[:3])
                    return "no-policy", f"{host} is at {words}"
                return "policy", await fetch(host, good[:_ADDRESSES], self._port)
        except TimeoutError:
            return "no-policy", f"{host}: no policy within {_WITHIN:g} s"
        except NoPolicyError as error:
            return "no-policy", f"{host}: {error}"
