"""The destination: all domains whose mail goes to the same MX hosts in the same order are one site.

A site's key is made of the host names and their ranks, not of the preference numbers (10 and 20 route as 1 and 2 do)
and not of addresses, which change; so it is the same tomorrow and on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from bulkmail.shaping import Provider, provider_of

ENFORCED, TESTED = "sts-enforce", "sts-testing"
"""What the policy of a site's domains asks for (`policies`), as the report has it."""

_UNDER = " under "
_NAMED = 4  # hosts named in a site's name before it says "and more"


@dataclass(frozen=True, slots=True)
class MxHost:
    """One MX host. ``addresses`` is empty while it cannot be used."""

    preference: int
    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manner:
    """How sessions are spoken where routes have it otherwise than the settings; None: as these have it.

    ``sources``: the pool that mail leaves from, instead of the campaign's.
    """

    tls: str | None = None
    pipelining: str | None = None
    chunking: str | None = None
    window: int | None = None
    sources: str | None = None


PLAIN = Manner()
"""As the settings have it."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Site:
    """A destination: lanes are by ``key``; people read ``name``; ``provider`` is ``""`` where there is none.

    ``policy``: `ENFORCED` or `TESTED` where the domains have a policy in force, else ``""``.
    """

    key: str
    hosts: tuple[MxHost, ...]  # in order of preference
    provider: str
    name: str
    manner: Manner = PLAIN
    policy: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def names(self) -> tuple[str, str, str]:
        """What people may call it: its name, its key, and the host that begins its key."""
        return self.name, self.key, first_host(self.key)


@dataclass(frozen=True, slots=True)
class RouteFailure:
    """Why a domain has no site. ``category`` as in the report; ``text`` for people."""

    permanent: bool
    category: str
    text: str


def site_key(hosts: Sequence[MxHost]) -> str:
    """Return the first host and a hash of the whole ranked set: short, and telling in a log."""
    ranks = {preference: rank for rank, preference in enumerate(sorted({host.preference for host in hosts}))}
    whole = sorted(f"{ranks[host.preference]} {host.name}" for host in hosts)
    digest = blake2b("\n".join(whole).encode(), digest_size=6).hexdigest()
    return f"{whole[0].partition(' ')[2]}~{digest}"


def first_host(key: str) -> str:
    """Return the host that a site's key begins with."""
    return key.partition("~")[0]


def key_under(hosts: Sequence[MxHost], policy: str) -> str:
    """Return the key of a site whose domains have a policy in force."""
    return f"{site_key(hosts)}{_UNDER}{policy}"


def policy_in(key: str) -> str:
    """Return the policy of a site by its key, "" where it has none."""
    return key.partition(_UNDER)[2].partition(" ")[0]


def tls_policy(policy: str, mode: str) -> str:
    """Return by whose word a site is asked for TLS, and for how much of it, as the report has it.

    ``policy``: the site's; ``mode``: what the settings ask for there.
    """
    return policy if policy == ENFORCED or (policy == TESTED and mode == "opportunistic") else mode


def site_name(names: Sequence[str]) -> str:
    """Return how people read it: ``(mx1|mx2).example.net``; what all hosts have in common stands once."""
    split = [name.split(".") for name in names]
    shared: list[str] = []
    for labels in zip(*(reversed(labels) for labels in split), strict=False):
        if len(set(labels)) > 1:
            break
        shared.insert(0, labels[0])
    heads = [".".join(labels[: len(labels) - len(shared)]) for labels in split]
    tail = ".".join(shared)
    if "" in heads:  # one host's name is what all end with
        return tail
    more = f"|{len(heads) - _NAMED} more" if len(heads) > _NAMED else ""
    inner = "|".join(heads[:_NAMED]) + more
    return f"({inner}).{tail}" if tail else inner


def site_of(hosts: Sequence[tuple[int, str, Sequence[str]]], providers: Mapping[str, Provider]) -> Site:
    """Return the site of the resolver's hosts: (preference, host, addresses) each."""
    ordered = tuple(
        MxHost(preference, name, tuple(addresses))
        for preference, name, addresses in sorted(hosts, key=lambda host: (host[0], host[1]))
    )
    names = [host.name for host in ordered]
    return Site(site_key(ordered), ordered, provider_of(names, providers), site_name(names))
