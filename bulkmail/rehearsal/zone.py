"""The DNS of the rehearsed world: every domain there may be, with its MX hosts and its persona, from its name alone.

Real providers' domains have the MX names the real ones have, so that shaping recognises them. A name under ``.test`` is
the persona it names (``greylist.test``, ``shop.greylist.test``, ``greylist7.test``). Some names under ``.example``
stand for their kind in example lists. Everything else takes mail, but for a small share with the usual quirks, which
its hash picks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from bulkmail.rehearsal.behaviour import DnsKind, Persona
from bulkmail.rehearsal.hostile import HOSTILE
from bulkmail.rehearsal.personas import PERSONAS

EVERYONE = PERSONAS | HOSTILE
_POOLS = 8
RELAY = "relay.test"

# Provider domains; a name ending in a dot stands for all its country domains.
_DOMAINS: dict[str, tuple[str, ...]] = {
    "google": ("gmail.com", "googlemail.com"),
    "yahoo": ("yahoo.", "ymail.com", "rocketmail.com", "aol.com"),
    "yahoo-jp": ("yahoo.co.jp", "ymail.ne.jp"),
    "outlook": ("outlook.", "hotmail.", "live.", "msn.com"),
    "office365": ("contoso.com", "fabrikam.com", "northwindtraders.com", "adventure-works.com", "onmicrosoft.com"),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "gmx": ("gmx.", "web.de"),
    "orange": ("orange.fr", "wanadoo.fr"),
    "qq": ("qq.com", "foxmail.com"),
    "netease": ("163.com", "126.com"),
    "comcast": ("comcast.net",),
    "two-mx": (
        "t-online.de", "free.fr", "laposte.net", "libero.it", "wp.pl", "seznam.cz", "ukr.net", "in.gr", "walla.co.il",
        "naver.com", "daum.net", "docomo.ne.jp", "rediffmail.com", "sapo.pt",
    ),
}  # fmt: skip
# Names for example lists, each with a character of its own.
_EXAMPLES = {
    "old-mailboxes.example": "refuse",
    "harbour-school.example": "greylist",
    "northgate-clinic.example": "defer",
    "student-mail.example": "full",
    "strict-filter.example": "spam",
    "slow-post.example": "slow",
    "valley-press.example": "busy",
    "small-office.example": "short",
    "museum-trust.example": "no-tls",
    "expired-lock.example": "broken-tls",
    "flaky-link.example": "drop-after-dot",
    "quiet-relay.example": "keep-silent",
    "two-houses.example": "half-dead",
    "closed-shop.example": "null-mx",
    "gone-away.example": "nxdomain",
    "city-library.example": "implicit",
    "river-bakery.example": "google-workspace",
    "stonebridge.example": "barracuda",
    "lark-and-finch.example": "mimecast",
    "cedar-dental.example": "hosting",
    "meadow-yoga.example": "hosting",
    "paper-lantern.example": "hosting",
}
# The shares of the kinds among all other domains; the rest is `accept`.
_SHARES = (
    ("hosting", 0.20),
    ("two-mx", 0.15),
    ("greylist", 0.03),
    ("short", 0.02),
    ("no-tls", 0.02),
    ("slow", 0.01),
    ("busy", 0.01),
    ("one-by-one", 0.01),
)
_PLAIN = frozenset({"example.com", "example.net", "example.org"})
_TLD = re.compile(r"(?:(?:com?|ne|or)\.)?[a-z]{2,3}")


def chance(*parts: object) -> float:
    """Draw a number, 0 <= x < 1: the same for the same parts, in every process."""
    digest = blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogateescape"), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


def _provider_domains() -> tuple[dict[str, str], dict[str, str]]:
    whole: dict[str, str] = {}
    countries: dict[str, str] = {}
    for persona, names in _DOMAINS.items():
        for name in names:
            if name.endswith("."):
                countries[name[:-1]] = persona
            else:
                whole[name] = persona
    return whole, countries


_WHOLE, _COUNTRIES = _provider_domains()


def _fixed_hosts() -> tuple[dict[str, str], dict[str, str]]:
    """Return the host names that always belong to one persona: whole ones, and suffixes after a placeholder."""
    whole: dict[str, str] = {}
    suffixes: dict[str, str] = {}
    for persona in PERSONAS.values():
        for _, host in persona.dns.hosts:
            if "{dashed}" in host:
                suffixes[host.replace("{dashed}", "")] = persona.name
            elif "{pool}" in host:
                whole |= {host.replace("{pool}", str(pool)): persona.name for pool in range(1, _POOLS + 1)}
            elif "{domain}" not in host:
                whole[host] = persona.name
    return whole, suffixes


_HOSTS, _SUFFIXES = _fixed_hosts()


class Place(StrEnum):
    """What connecting to a mail host leads to."""

    OPEN = "takes connections"
    DOWN = "refuses connections"
    HOLE = "never answers"


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain's records. ``hosts``: (preference, host name), best first."""

    name: str
    kind: DnsKind
    hosts: tuple[tuple[int, str], ...]
    names: frozenset[str]
    persona: Persona


class Zone:
    """Answers for every name there is. ``everywhere``: one persona for all domains, whatever their names."""

    def __init__(self, seed: int = 0, everywhere: str = "") -> None:
        if everywhere and everywhere not in EVERYONE:
            raise ValueError(f"there is no persona {everywhere!r}; there are {', '.join(EVERYONE)}")
        self.seed = seed
        self.everywhere = everywhere
        self.domain = lru_cache(maxsize=200_000)(self._domain)

    def persona_of(self, domain: str) -> str:
        """Return the name of a domain's persona. ``domain`` in lower case and A-labels, without a dot at the end."""
        if self.everywhere:
            return "relay" if domain == RELAY else self.everywhere
        labels = domain.split(".")
        if len(labels) < 2 or labels[-1] == "invalid":
            return "nxdomain"
        if labels[-1] == "test":
            label = labels[-2]
            return next((name for name in (label, re.sub(r"-?\d+$", "", label)) if name in EVERYONE), "accept")
        for start in range(len(labels) - 1):
            tail = ".".join(labels[start:])
            known = _WHOLE.get(tail) or _EXAMPLES.get(tail)
            if known:
                return known
            if tail in _PLAIN:
                return "accept"
        if labels[0] in _COUNTRIES and _TLD.fullmatch(".".join(labels[1:])):
            return _COUNTRIES[labels[0]]
        if labels[-1] == "example":
            return "accept"
        drawn = chance(self.seed, "domain", domain)
        for name, share in _SHARES:
            drawn -= share
            if drawn < 0:
                return name
        return "accept"

    def _domain(self, name: str) -> Domain:
        """Make what `domain` remembers."""
        persona = EVERYONE[self.persona_of(name)]
        layout = persona.dns
        pool = 1 + int(chance(self.seed, "pool", name) * _POOLS)
        dashed = name.replace(".", "-")
        hosts = sorted((rank, host.format(domain=name, dashed=dashed, pool=pool)) for rank, host in layout.hosts)
        return Domain(name, layout.kind, tuple(hosts), frozenset(host for _, host in hosts), persona)

    def host(self, name: str) -> tuple[Persona, Place] | None:
        """Return a mail host's persona and what connecting leads to; None for a name that is no mail host."""
        fixed = _HOSTS.get(name)
        if fixed is None:
            fixed = next((persona for suffix, persona in _SUFFIXES.items() if name.endswith(suffix)), None)
        if fixed is not None and self.everywhere in ("", fixed):
            return PERSONAS[fixed], Place.OPEN
        for owner in (name, name.partition(".")[2]):
            domain = self.domain(owner) if owner else None
            if domain is not None and name in domain.names:
                layout = domain.persona.dns
                if name in {lost.format(domain=owner) for lost in layout.lost}:
                    return None
                if name in {hole.format(domain=owner) for hole in layout.holes}:
                    return domain.persona, Place.HOLE
                down = name in {down.format(domain=owner) for down in layout.down}
                return domain.persona, Place.DOWN if down else Place.OPEN
        return None


def hosts_table() -> str:
    """Return the table of domains and what their mail servers are like, as text."""
    rows = []
    for persona in PERSONAS.values():
        examples = [name + "*" if name.endswith(".") else name for name in _DOMAINS.get(persona.name, ())]
        examples += [name for name, known in _EXAMPLES.items() if known == persona.name]
        rows.append((", ".join([*examples[:3], f"{persona.name}.test"]), persona.about))
    rows += [(f"{name}.test", persona.about) for name, persona in HOSTILE.items()]
    rows.append(("*.invalid", PERSONAS["nxdomain"].about))
    rows.append(("example.com, example.net, example.org, *.example", PERSONAS["accept"].about))
    rows.append(("any other", "takes everything; every tenth or so has a quirk of those above"))
    width = max(len(names) for names, _ in rows)
    return "".join(f"{names:<{width}}  {about}\n" for names, about in rows)
