"""The resolver process of a check, asked as the sending asks its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bulkmail.mail import BulkmailError, OwnFault, answer_of
from bulkmail.net import Families
from bulkmail.routing import RESOLVER
from bulkmail.settings import Settings
from bulkmail.workers import Worker

Ask = Callable[[tuple[Any, ...]], Awaitable[Any]]
"""Puts a job to the resolver (`routing.resolver` has the jobs) and returns its answer; a failure is an answer too."""

WITHIN = 60.0
"""Seconds for one job; a late resolver is ended."""


def families_of(settings: Settings, clock: Callable[[], float], *, rehearsal: bool = False) -> Families:
    """Return what says which IP versions mail is sent over, by the settings. ``clock``: monotonic seconds.

    A rehearsal sends from loopback, whatever the addresses of `sources` are.
    """
    sources = () if rehearsal else [source.address for source in settings.sources]
    return Families(settings.routing.ip, settings.routing.allow_networks, clock, sources=sources)


def _families(settings: Settings) -> frozenset[int]:
    """Return the IP versions that hosts are looked up for: those of the sources, and those that relays can have."""
    each = (families_of(settings, lambda: 0.0, rehearsal=without_sources) for without_sources in (False, True))
    return frozenset[int]().union(*(families.usable() for families in each))


def resolver_options(settings: Settings, speed: float = 1.0) -> dict[str, Any]:
    """Return how a resolver is configured by the settings; ``speed`` is what a rehearsal divides its waits by."""
    return {
        "nameservers": list(settings.dns.nameservers) if settings.dns.nameservers else None,
        "timeout": settings.dns.timeout,
        "must_exist": list(settings.dns.must_exist),
        "allow_networks": [str(network) for network in settings.routing.allow_networks],
        "families": sorted(_families(settings)),  # as they are now; a router gives newer ones
        "ttl_floor": 60.0 / speed,
        "mx_aliases": True,  # against RFC 5321 5.1, and yet what every mailer follows
    }


class Resolving:
    """One resolver process, started when it is first asked."""

    def __init__(self, reactor: Any, settings: Settings) -> None:
        self._reactor = reactor
        self._options = resolver_options(settings)
        self._worker: Worker | None = None

    async def ask(self, job: tuple[Any, ...]) -> Any:
        """Return the answer to a job; ``("own-fault", text)`` where the process does not give one."""
        if self._worker is None:
            self._worker = Worker.start(self._reactor, RESOLVER)
            self._worker.ask(("configure", self._options), None).addErrback(lambda _: None)
        try:
            return await self._worker.ask(job, WITHIN)
        except BulkmailError as error:
            return answer_of(OwnFault(f"the resolver process: {error}"))

    async def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            await self._worker.close()
