"""What the API answers of the service and of addresses, as the OpenAPI document describes it.

What it answers of campaigns is in `campaign_models`, of sites and providers in `site_models`. Times: RFC 3339 in UTC.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SuppressionAnswer(Answer):
    """Why an address is not mailed. ``address`` is null where only its hash is kept."""

    address: str | None
    scope: str
    reason: str
    source: str
    since: str


class SuppressedAnswer(Answer):
    """How many suppressions were changed."""

    changed: int


class ReloadedAnswer(Answer):
    """The keys that have changed. ``live`` are used already; ``anew`` when what is in flight has finished: the service

    closes what is open then, and opens it again. ``restart`` stay as they were until a restart. ``sentences`` say so.
    """

    live: list[str]
    anew: list[str]
    restart: list[str]
    sentences: list[str]


class HealthAnswer(Answer):
    """The service itself. ``fault``: what keeps it from sending, "" where nothing does.

    ``unattributed``: what has come back since its start and belongs to no row for certain, by what it was.
    """

    version: str
    machine: str
    process: int
    started_at: str
    fault: str
    fault_since: str | None
    campaigns: int
    unattributed: dict[str, int]


class ProblemAnswer(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    type: str
    title: str
    status: int
    detail: str
