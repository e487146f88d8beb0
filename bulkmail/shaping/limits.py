"""How much each receiver accepts: the shipped table, the operator's changes, and the provider of a set of MX hosts.

The figures are what the field has settled on for one source address. A
provider is recognised by where its MX hosts live, never by the recipient's domain: a shop at Google Workspace counts
against Google's limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from bulkmail.mail import BulkmailError, Rate


class LimitSettings(Protocol):
    """The settings that limits are made of: of `shaping.default`, or of the relay."""

    @property
    def connections(self) -> int:
        """How many connections may be open at once."""

    @property
    def messages_per_connection(self) -> int:
        """How many messages one connection carries at most."""

    @property
    def rate(self) -> Rate:
        """Messages a second, an hour or a day."""

    @property
    def connection_rate(self) -> Rate:
        """New connections a second, an hour or a day."""

    @property
    def idle(self) -> float:
        """Seconds that an idle connection is kept open."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one provider, or one site without a provider, takes from us."""

    connections: int  # open at once
    messages_per_connection: int
    rate: Rate  # messages
    connection_rate: Rate  # new connections
    idle: float  # seconds an idle connection is kept
    tls: str | None = None  # off, opportunistic, required, verify; None: the operator's tls.mode
    shares: int = 1  # parts that several machines can have at once; 0: as many as its rate needs

    @classmethod
    def of(cls, settings: LimitSettings, *, tls: str | None = None, shares: int = 1) -> Limits:
        """Return the limits that an operator has set."""
        return cls(
            connections=settings.connections,
            messages_per_connection=settings.messages_per_connection,
            rate=settings.rate,
            connection_rate=settings.connection_rate,
            idle=settings.idle,
            tls=tls,
            shares=shares,
        )


DEFAULT_LIMITS = Limits(
    connections=10, messages_per_connection=100, rate=Rate(100, 1.0, 10), connection_rate=Rate(100, 60.0, 1), idle=60.0
)

_KEYS = ("connections", "messages_per_connection", "rate", "connection_rate", "idle", "tls", "shares")


@dataclass(frozen=True, slots=True)
class Provider:
    """A receiver with MX hosts under ``mx`` and what differs from the default limits in ``limits``."""

    name: str
    mx: tuple[str, ...]
    limits: Mapping[str, Any] = field(default_factory=dict)


# name, MX suffixes, what differs from the default
_SHIPPED: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    (
        "google",
        (".google.com", ".googlemail.com"),
        {"connections": 5, "messages_per_connection": 50, "tls": "required"},
    ),
    # closes without a word after 20 messages; to connect again at once is fine
    ("yahoo", (".yahoodns.net",), {"connections": 10, "messages_per_connection": 20}),
    # Outlook.com and Hotmail; the tenants of Microsoft 365 below have MX names of their own
    ("outlook", (".olc.protection.outlook.com",), {"connections": 5, "messages_per_connection": 50}),
    (
        "office365",
        (".mail.protection.outlook.com", ".mx.microsoft"),
        {"connections": 5, "messages_per_connection": 50},
    ),
    ("apple", (".icloud.com",), {"connections": 10, "messages_per_connection": 5}),
    (
        "comcast",
        (".comcast.net",),
        {"connections": 25, "messages_per_connection": 1000, "idle": 30.0, "tls": "required"},
    ),
    (
        "mimecast",
        (".mimecast.com", ".mimecast.co.za", ".mimecast-offshore.com"),
        {"connections": 10, "messages_per_connection": 100},
    ),
    ("orange", (".orange.fr",), {"connections": 2, "messages_per_connection": 100, "tls": "required"}),
    ("gmx", (".gmx.net", ".web.de"), {"connections": 4, "messages_per_connection": 20, "tls": "required"}),
    ("yahoo-jp", (".yahoo.co.jp",), {"connections": 2, "messages_per_connection": 20, "rate": Rate(10, 1.0, 1)}),
    ("qq", (".qq.com",), {"connections": 4, "messages_per_connection": 8, "tls": "required"}),
    # its certificate does not verify, so never "verify"
    ("netease", (".netease.com",), {"connections": 4, "messages_per_connection": 7, "tls": "required"}),
    ("barracuda", (".barracudanetworks.com",), {"connections": 10, "messages_per_connection": 15, "tls": "required"}),
)


def _suffix(text: str) -> str:
    """Normalise a suffix: lower case, one leading dot, none at the end."""
    return "." + text.strip().lower().strip(".")


def provider_table(overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Mapping[str, Provider]:
    """Merge the operator's changes into the shipped providers.

    ``overrides``: name -> any of mx (MX suffixes), connections, messages_per_connection, rate and connection_rate
    (Rate), idle (seconds), tls, shares. None leaves the shipped value. A name that is not shipped is a new provider and
    needs ``mx``. Raises BulkmailError.
    """
    table = {name: Provider(name, mx, limits) for name, mx, limits in _SHIPPED}
    for name, given in (overrides or {}).items():
        unknown = sorted(set(given) - {"mx", *_KEYS})
        if unknown:
            raise BulkmailError(f"shaping.providers.{name}: there is no key {unknown[0]!r}")
        known = table.get(name, Provider(name, ()))
        mx = given.get("mx")
        if mx is not None:
            known = replace(known, mx=tuple(_suffix(text) for text in ([mx] if isinstance(mx, str) else mx)))
        if not known.mx or "." in known.mx:
            raise BulkmailError(f"shaping.providers.{name}: mx must name at least one suffix, such as .example.com")
        changes = {key: given[key] for key in _KEYS if given.get(key) is not None}
        table[name] = replace(known, limits={**known.limits, **changes})
    return MappingProxyType(table)


def _matched(host: str, suffixes: Sequence[str]) -> int:
    """Return the length of the longest suffix that the host is under, or is itself, undotted; 0 for none."""
    dotted = _suffix(host)
    return max((len(suffix) for suffix in suffixes if dotted.endswith(suffix)), default=0)


def provider_of(mx_hosts: Sequence[str], table: Mapping[str, Provider]) -> str:
    """Return the provider that all of these MX hosts belong to, ``""`` where there is none.

    Every host must match: a domain with one MX at a provider and one of its own is not that provider's. Where several
    providers match, the closest suffix wins.
    """
    best, closest = "", 0
    for name, provider in table.items():
        fit = min((_matched(host, provider.mx) for host in mx_hosts), default=0)
        if fit > closest:
            best, closest = name, fit
    return best


def limits_for(provider: str, table: Mapping[str, Provider], default: Limits = DEFAULT_LIMITS) -> Limits:
    """Return the limits of a provider (``""``: the default ones). Only providers are cut into shares."""
    known = table.get(provider)
    return default if known is None else replace(default, **{"shares": 0, **known.limits})
