"""What the API answers of the service and of addresses, as the OpenAPI document describes it.

What it answers of campaigns is in `campaign_models`, of sites and providers in `site_models`. Times: RFC 3339 in UTC.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class EventAnswer(Answer):
    """One event of the stream; what it does not have is null (docs/events.md has each field)."""

    seq: int
    at: str
    event: str
    campaign: str
    row: str | None
    email: str | None
    token: str | None
    variant: str | None
    provider: str | None
    site: str | None
    mx_host: str | None
    mx_ip: str | None
    source_ip: str | None
    tls: str | None
    smtp_code: int | None
    enhanced_code: str | None
    category: str | None
    reply: str | None
    stage: str | None
    attempt: int | None
    message_id: str | None
    bytes: int | None


class EventsAnswer(Answer):
    """Events in the order of their numbers. The next are asked for with `after`, the number of the last of these.

    ``oldest`` and ``newest``: the numbers of those that the spool has now; of the next and the last one where it has
    none. Where ``oldest`` is beyond the one that would be next, those between are gone.
    """

    events: list[EventAnswer]
    oldest: int
    newest: int


class HealthAnswer(Answer):
    """The service itself. ``fault``: what keeps it from sending, "" where nothing does."""

    version: str
    machine: str
    process: int
    started_at: str
    fault: str
    fault_since: str | None
    campaigns: int


class ProblemAnswer(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    title: str
    status: int
    detail: str
