"""Carries the receivers' policies over restarts: read from the spool at the start, written as they are fetched.

Without that, who can swallow DNS answers would only have to wait for a restart (RFC 8461 10.2). A failure to read or
write never stops sending: it is logged once, and the policies are then known to this process only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from twisted.logger import Logger

from bulkmail.delivery.background import Once, background
from bulkmail.mail import OwnFault
from bulkmail.routing import KnownPolicy, Policies, Unfetched, parse_policy
from bulkmail.spool import ReceiverPolicy, Spool

_log = Logger("bulkmail")

_MOST_TOLD = 100  # domains whose policy could not be fetched


async def load_policies(
    spool: Spool | None, ask: Callable[[tuple[Any, ...]], Awaitable[Any]], wall: Callable[[], float]
) -> Policies:
    """Return the policies of receivers, with those that the spool has. ``ask``: the resolver; ``wall``: seconds.

    ``spool`` None: there is none to keep them in.
    """
    if spool is None:
        return Policies(ask, wall, failed=_Telling())
    keeper = _Keeper(spool)
    policies = Policies(ask, wall, keeper.keep, _Telling())
    try:
        stored = await spool.policies(wall())
    except OwnFault as fault:
        keeper.failed(f"the policies of receivers could not be read: {fault}")
        return policies
    for one in reversed(stored):  # the newest last: they are remembered the longest
        with suppress(ValueError):  # of another version
            policies.put(one.domain, KnownPolicy(one.id, one.fetched_at, parse_policy(one.policy)))
    return policies


class _Telling:
    """Logs policies that could not be fetched, the first hundred; `Policies` tells of a domain once until it can."""

    def __init__(self) -> None:
        self._left = _MOST_TOLD

    def __call__(self, unfetched: Unfetched) -> None:
        if not self._left:
            return
        self._left -= 1
        more = "" if self._left else "; further ones are not logged (`bulkmail explain DOMAIN`)"
        _log.warn("{words}{more}", words=unfetched.words, more=more, domain=unfetched.domain)


class _Keeper:
    """Writes one batch at a time: what is fetched while one is written is the next."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._unwritten: dict[str, ReceiverPolicy] = {}
        self._writing = False
        self.failed = Once(_log.warn)

    def keep(self, domain: str, known: KnownPolicy) -> None:
        """Write a policy."""
        self._unwritten[domain] = ReceiverPolicy(domain, known.id, known.fetched, known.expires, known.policy.text)
        if not self._writing:
            self._writing = True
            background(self._write(), "writing the policies of receivers")

    async def _write(self) -> None:
        try:
            while self._unwritten:
                batch, self._unwritten = list(self._unwritten.values()), {}
                await self._spool.keep_policies(batch)
        except OwnFault as fault:
            self.failed(f"the policies of receivers could not be written: {fault}")
        finally:
            self._writing = False
