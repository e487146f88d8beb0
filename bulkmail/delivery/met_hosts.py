"""The hosts of providers that this process has spoken to: what was agreed with each address, and whether it works.

Only hosts of known providers, relays and routes with limits of their own are kept: the others are too many, and stand
in no list. Of more than `_SIZE` addresses those that were not met for the longest time are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import NamedTuple

from bulkmail.delivery.clocks import Clocks
from bulkmail.mail import Peer
from bulkmail.routing import Site
from bulkmail.shaping import FactKind, SiteFacts, Source, describe_fact

_SIZE = 1000
_LONGEST = 300  # characters of why an address did not work
_OF_ADDRESSES = (FactKind.TLS, FactKind.HELLO)


class MetHost(NamedTuple):
    """An address of a host, met from one ``source``. Times are epoch seconds.

    ``tls``, ``cipher``, ``group``: what was agreed at the last connection that was ready, at ``ready_at``; ``tls`` is
    "" in clear, and all of them are where there was none. ``policy``: how much TLS is asked for, and by whose word.
    ``failed_at``: of the last attempt, where that one failed, with ``why``. ``until``: until when it is tried after
    others. ``learnt``: what is known of it, in words.
    """

    host: str
    ip: str
    source: str
    tls: str
    cipher: str
    group: str
    policy: str
    ready_at: float | None
    failed_at: float | None
    why: str
    until: float | None
    learnt: list[str]


@dataclass(frozen=True, slots=True)
class _Met:
    peer: Peer
    ready_at: float | None = None
    failed_at: float | None = None
    why: str = ""
    until: float | None = None


class MetHosts:
    """Remembers them. ``facts``: what is known of addresses."""

    def __init__(self, clocks: Clocks, facts: SiteFacts, size: int = _SIZE) -> None:
        self._clocks = clocks
        self._facts = facts
        self._size = size
        self._met: OrderedDict[tuple[str, str, str], _Met] = OrderedDict()  # by provider, source and address

    def __len__(self) -> int:
        return len(self._met)

    def ready(self, site: Site, source: Source, peer: Peer) -> None:
        """A connection to the peer has become ready."""
        if site.provider:
            self._keep((site.provider, source.name, peer.ip), _Met(peer, self._clocks.wall()))

    def failed(self, site: Site, source: Source, peer: Peer, why: str, until: float | None) -> None:
        """A connection to the peer did not become ready. ``until``: until when others are tried first, if they are.

        It is on the reactor's clock.
        """
        if not site.provider:
            return
        key = site.provider, source.name, peer.ip
        wall = self._clocks.wall()
        again = None if until is None else wall + until - self._clocks.now()
        met = self._met.get(key) or _Met(replace(peer, tls="", cipher="", group=""))
        self._keep(key, replace(met, failed_at=wall, why=why[:_LONGEST], until=again))

    def of(self, provider: str, most: int) -> list[MetHost]:
        """Return so many of the addresses of a provider, the last met first."""
        found = [(key, met) for key, met in reversed(self._met.items()) if key[0] == provider][:most]
        return [self._told(source, met) for (_, source, _), met in found]

    def _keep(self, key: tuple[str, str, str], met: _Met) -> None:
        self._met[key] = met
        self._met.move_to_end(key)
        if len(self._met) > self._size:
            self._met.popitem(last=False)

    def _told(self, source: str, met: _Met) -> MetHost:
        peer, wall = met.peer, self._clocks.wall()
        known = [self._facts.known(peer.ip, kind, wall) for kind in _OF_ADDRESSES]
        return MetHost(
            peer.host,
            peer.ip,
            source,
            peer.tls,
            peer.cipher,
            peer.group,
            peer.tls_policy,
            met.ready_at,
            met.failed_at,
            met.why,
            met.until if met.until is not None and met.until > wall else None,
            [describe_fact(fact.kind, fact.value) for fact in known if fact is not None],
        )

    def __repr__(self) -> str:
        return f"<MetHosts of {len(self._met)} addresses>"
