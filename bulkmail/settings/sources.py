"""The sections `sources` and `pools` of bulkmail.yaml: the addresses that mail is sent from, and groups of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from ipaddress import ip_address
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from bulkmail.settings.values import NAME, Domain, name_of
from bulkmail.yamlfile import ErrorAt, Line, Many, Section

_name = name_of("source", "a")


def _address(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address; write one of this machine's, such as 192.0.2.10") from None
    if found.is_unspecified or found.is_multicast or getattr(found, "ipv4_mapped", None) or "%" in text:
        raise ValueError(f"{text} is no address that mail can be sent from; write one of this machine's")
    return str(found)


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "")
    except ValueError:
        raise ValueError("must be a day, such as 2026-12-01; days begin at 00:00 UTC") from None


_DEFAULT = "default"


def _plan(value: Any) -> tuple[int, ...] | str:
    if value == _DEFAULT:
        return _DEFAULT
    whole = isinstance(value, list) and value and all(isinstance(one, int) and one > 0 for one in value)
    if not whole or any(isinstance(one, bool) for one in value):
        raise ValueError("must be default, or the messages of each day, such as [200, 500, 1000]")
    for index, (one, following) in enumerate(pairwise(value)):
        if following <= one:
            raise ErrorAt((index + 1,), f"must be more than the day before it, which has {one:,}")
    return tuple(value)


_DATE = {"type": "string", "format": "date"}
_PLANS = {"anyOf": [{"const": "default"}, {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}]}


class Warmup(Section):
    """How much a new source sends to each provider in a day."""

    start: Annotated[
        Annotated[date, PlainValidator(_day), WithJsonSchema(_DATE)],
        Field(description="the first day that it is sent from (UTC)", examples=["2026-12-01"]),
    ]
    plan: Annotated[
        Annotated[tuple[int, ...] | str, PlainValidator(_plan), WithJsonSchema(_PLANS)],
        Field(description="the messages of each day at each provider, or default", examples=[[200, 500, 1000]]),
    ] = _DEFAULT

    @property
    def budgets(self) -> tuple[int, ...]:
        """The messages of each day; () for the default's."""
        return () if isinstance(self.plan, str) else self.plan

    @property
    def first_day(self) -> int:
        """The first day, in days since 1970-01-01."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp() // 86400)


class Source(Section):
    """An address that mail is sent from. ``hostname`` None: the machine's, as for mail without sources."""

    name: Annotated[Annotated[Line, AfterValidator(_name)], Field(description="its name", examples=["a"])]
    address: Annotated[
        Annotated[Line, AfterValidator(_address)],
        Field(description="an address of this machine, or of `proxy`, IPv4 or IPv6", examples=["192.0.2.10"]),
    ]
    hostname: Annotated[Domain | None, Field(description="what it says in EHLO", examples=["mta1.example.com"])] = None
    weight: Annotated[int, Field(ge=1, le=1000, description="its part of a pool's messages")] = 1
    proxy: Annotated[
        Annotated[Line, AfterValidator(_proxy)] | None,
        Field(description="the outgoing proxy that has the address", examples=["socks5://192.0.2.5:1080"]),
    ] = None
    warmup: Annotated[
        Warmup | None, Field(description="a new address, to which receivers are accustomed day by day")
    ] = None


def _proxy(text: str) -> str:
    found = re.fullmatch(r"(haproxy|socks5)://(\[[0-9A-Fa-f:.]+\]|[0-9.]+):(\d{1,5})", text, re.ASCII)
    try:
        address = ip_address(found[2].strip("[]")) if found else None
    except ValueError:
        address = None
    if found is None or address is None or not 1 <= int(found[3]) <= 65535:
        raise ValueError(f"{text!r} is not a proxy; write socks5://ADDRESS:PORT or haproxy://ADDRESS:PORT")
    place = f"[{address}]" if address.version == 6 else str(address)
    return f"{found[1]}://{place}:{int(found[3])}"


def _once(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    for key in ("name", "address"):
        seen: set[str] = set()
        for index, source in enumerate(sources):
            value = getattr(source, key)
            if value in seen:
                raise ErrorAt((index, key), f"{value} is given more than once; limits count for each source")
            seen.add(value)
    return sources


def _pools(pools: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    for name, members in pools.items():
        if NAME.fullmatch(name) is None:
            raise ErrorAt((name,), "not a pool's name; use small letters, digits and hyphens, such as pool-a")
        if not members:
            raise ErrorAt((name,), "a pool has one source at least")
        for index, member in enumerate(members):
            if member in members[:index]:
                raise ErrorAt((name, index), f"{member} is given more than once; its `weight` makes its part larger")
    return pools


def check_pools(pools: Mapping[str, Sequence[str]], sources: Sequence[Source]) -> None:
    """Check that each pool is made of sources that there are. Raises ErrorAt."""
    names = {source.name for source in sources}
    for name, members in pools.items():
        for index, member in enumerate(members):
            if member not in names:
                known = f"there are: {', '.join(sorted(names))}" if names else "`sources` is empty"
                raise ErrorAt(("pools", name, index), f"there is no source {member!r}; {known}")


def check_families(ip: str, sources: Sequence[Source]) -> None:
    """Check that no source is of an IP version that `routing.ip` leaves out. Raises ErrorAt."""
    for index, source in enumerate(sources):
        version = "v6" if ":" in source.address else "v4"
        if not ip.startswith("prefer") and ip != version:
            raise ErrorAt(("sources", index, "address"), f"would never be used, for routing.ip is {ip}")


Sources = Annotated[Many[Source], AfterValidator(_once)]
Pools = Annotated[Mapping[str, Many[str]], AfterValidator(_pools)]
