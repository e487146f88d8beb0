"""What the API answers of sites and providers. Times are RFC 3339 in UTC."""

from __future__ import annotations

from pydantic import Field

from bulkmail.control.models import Answer


class SiteSteeredAnswer(Answer):
    """What was done: `paced`, or `forgotten` with the ``count`` of facts."""

    of: str
    done: str
    count: int


class ProviderAnswer(Answer):
    """A provider with its limits, and what is in use of them now."""

    provider: str
    mx: list[str]
    connections: int
    messages_per_connection: int
    rate: str
    connection_rate: str
    idle: float
    tls: str | None
    rate_factor: float
    connections_factor: float
    open: int


class SiteAnswer(Answer):
    """A site that is being sent to now. ``claimed``: messages in hand for it. ``source``: from where, "" by default.

    ``complaint``: the last reply since this start for which it was slowed down, "" without one, at ``complained_at``.
    """

    site: str
    key: str
    provider: str
    state: str
    why: str
    since: str | None
    until: str | None
    claimed: int
    in_flight: int
    connections: int
    source: str
    complaint: str
    complained_at: str | None


class HostAnswer(Answer):
    """An address of a provider that this process has spoken to since its start, from a ``source`` ("" by default).

    ``state``: `works`, or `failed` where the last attempt did, at ``failed_at``, with ``why``; ``until``: until when
    other addresses are tried first. ``tls``, ``cipher`` and ``group`` are of the last connection that was ready, at
    ``ready_at``: `none` in clear, "" where there was none, or where it cannot be told. ``tls_policy``: how much TLS is
    asked for, and by whose word, as in recipients.csv. ``learnt``: what is known of the address.
    """

    host: str
    ip: str
    source: str
    state: str
    tls: str
    cipher: str
    group: str
    tls_policy: str
    ready_at: str | None
    failed_at: str | None
    why: str
    until: str | None
    learnt: list[str]


class UnfetchedAnswer(Answer):
    """A policy (MTA-STS) that a domain announces and that could not be had at ``at``. ``words``: what that means.

    ``provider``: of the domain's hosts, "" for none. ``in_force``: whether a policy of before is.
    """

    domain: str
    provider: str
    why: str
    at: str
    in_force: bool
    words: str


class LimitAnswer(Answer):
    """One limit. ``from``: where its value comes from."""

    limit: str
    value: str
    from_: str = Field(alias="from")


class WarmupAnswer(Answer):
    """Where a source that warms up is at a provider (`other`: at all sites of none), today in UTC.

    ``day`` of so many ``days`` of its plan; it and ``budget`` are null once it is warm. ``taken``: messages of today's
    ``budget`` that are sent or in hand; ``left``: the others. ``again``: when the next are sent where none is left.
    """

    source: str
    provider: str
    day: int | None
    days: int
    budget: int | None
    taken: int
    delivered: int
    left: int | None
    again: str | None
    words: str


class ExplanationAnswer(Answer):
    """Why a destination is not sent to faster. ``ceiling``: messages an hour by the limits; null where none binds.

    ``key``: of its site; empty for a provider, and where there is nowhere to send its mail to.
    ``addresses``: of each MX host, as far as it was looked up; ``ip``: which IP versions mail is sent over.
    ``tls_policy``: how much TLS is asked for, and by whose word, as in recipients.csv; empty where that is not known.
    ``policy_problem``: why the domain's own policy (MTA-STS) could not be had, and what that means, where it could not.
    ``warmup``: the sources that warm up, with where they are at this provider.
    """

    of: str
    key: str
    site: str
    provider: str
    hosts: list[str]
    addresses: dict[str, list[str]]
    ip: str
    tls_policy: str
    policy_problem: str
    limits: list[LimitAnswer]
    learnt: list[str]
    binds: str
    since: str | None
    until: str | None
    ceiling: int | None
    warmup: list[WarmupAnswer]
    sentence: str
