"""What the API answers, as the OpenAPI document describes it. Times are RFC 3339 in UTC."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

Counts = dict[str, int]


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


class SituationAnswer(Answer):
    """What a campaign is doing now; see the documentation of `status`."""

    word: str
    sentence: str
    reason: str
    since: str | None
    next_attempt_at: str | None
    alive: bool | None
    fault: str
    planned_end_at: str | None
    expected_end_at: str | None


class HoldAnswer(Answer):
    """Why nothing of a campaign is sent, to one provider or ("") to any."""

    kind: str
    provider: str
    reason: str
    who: str
    since: str | None
    until: str | None


class SiteWaitAnswer(Answer):
    """A site that cannot be used now."""

    site: str
    why: str
    since: str | None
    until: str | None


class CampaignAnswer(Answer):
    """One campaign. ``rate`` (deliveries a second since this start) and ``seconds_left`` only while it is sent.

    ``report_whole``: it has ended, and its last report was written to its end. ``late``: how many came back later,
    unsubscribed, complained. ``clicks``: of people and of scanners; null where they are not counted.
    """

    campaign: str
    state: str
    situation: SituationAnswer
    folder: str
    input_rows: int
    input_complete: bool
    report_whole: bool
    by_status: Counts
    by_category: Counts
    by_provider: dict[str, Counts]
    possibly_doubled: int
    late: Counts
    clicks: Counts | None
    holds: list[HoldAnswer]
    rate: float | None
    seconds_left: int | None
    waiting_sites: list[SiteWaitAnswer]
    started_at: str | None
    ended_at: str | None
    exit_status: int | None


class RecentProviderAnswer(Answer):
    """``last``: of the newest attempts to this provider, at most 50; ``delivered`` of them were.

    ``accepted_ms``: of those looked at that were delivered, the milliseconds from the begin of the attempt to its
    answer: within the first half of them were accepted, within the second 95 %; null where there are none.
    """

    provider: str
    last: int
    delivered: int
    accepted_ms: tuple[int, int] | None


class ReplyAnswer(Answer):
    """One wording of the receivers, by an example, with how often it was met, and when one of its category was last."""

    provider: str
    category: str
    reply: str
    count: int
    last_at: str


class RecentAnswer(Answer):
    """What was said to the newest ``attempts`` of a campaign. ``whole``: these are all that there were."""

    campaign: str
    attempts: int
    whole: bool
    providers: list[RecentProviderAnswer]
    replies: list[ReplyAnswer]


class BucketAnswer(Answer):
    """What came of the attempts of a span of time; ``accepted_ms`` as in `RecentProviderAnswer`, rounded up."""

    at: str
    delivered: int
    failed: int
    deferred: int
    unknown: int
    accepted_ms: tuple[int, int] | None


class OverTimeAnswer(Answer):
    """The attempts of a campaign over time; ``width``: seconds of a bucket. Without a ``provider`` those to all."""

    campaign: str
    provider: str
    width: int
    buckets: list[BucketAnswer]


class SteeredAnswer(Answer):
    """What was done; ``situation`` is how the campaign stands behind it, null where it is gone."""

    campaign: str
    done: str
    situation: SituationAnswer | None


class SiteSteeredAnswer(Answer):
    """What was done: `paced`, or `forgotten` with the ``count`` of facts."""

    of: str
    done: str
    count: int


class AcceptedAnswer(SteeredAnswer):
    """``taken``: whether the change is taken now; else the process that has the campaign's files takes it, or the next

    start. ``changes``: what was changed, in sentences; empty where the files are on another machine. ``sent`` of
    ``rows`` rows were sent as it was before.
    """

    taken: bool
    changes: list[str]
    sent: int
    rows: int


class ReloadedAnswer(Answer):
    """The keys that have changed. ``live`` are used already; ``anew`` when what is in flight has finished: the service

    closes what is open then, and opens it again. ``restart`` stay as they were until a restart. ``sentences`` say so.
    """

    live: list[str]
    anew: list[str]
    restart: list[str]
    sentences: list[str]


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
    """A site that is being sent to now. ``claimed``: messages in hand for it. ``source``: from where, "" by default."""

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


class AttemptAnswer(Answer):
    """One attempt, or what came back later; ``result`` as in attempts.csv."""

    at: str
    attempt: int
    result: str
    category: str
    smtp_code: int | None
    reply: str
    stage: str
    mx_host: str
    mx_ip: str
    source_ip: str
    tls: str
    duration_ms: int
    next_attempt_at: str | None


class RowAnswer(Answer):
    """One row of a campaign's list, and its last reply."""

    row: str
    email: str
    status: str
    category: str
    attempts: int
    reply: str
    smtp_code: int | None
    enhanced_code: str
    stage: str
    mx_host: str
    first_attempt_at: str | None
    completed_at: str | None
    next_attempt_at: str | None
    late_at: str | None
    unsubscribed_at: str | None
    complained_at: str | None
    note: str


class RecipientAnswer(RowAnswer):
    """A row of the campaign with the address that was asked for.

    ``history``: its attempts, oldest first, at most 100; empty where it is not told (of more than the newest 20 rows).
    """

    campaign: str
    history: list[AttemptAnswer]


class StatusRowAnswer(RowAnswer):
    """A row with the status that was asked for. ``domain``: "" where the address is none."""

    domain: str
    provider: str


class RowsAnswer(Answer):
    """Rows of a campaign's list with one status, its last rows first, at most 100.

    ``next``: the ``before`` of those above them; null where the list begins there. A million rows are looked at for
    one answer at the most, so one with few rows, or with none, may have a ``next``.
    """

    campaign: str
    status: str
    rows: list[StatusRowAnswer]
    next: int | None


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

    ``addresses``: of each MX host, as far as it was looked up; ``ip``: which IP versions mail is sent over.
    ``warmup``: the sources that warm up, with where they are at this provider.
    """

    of: str
    site: str
    provider: str
    hosts: list[str]
    addresses: dict[str, list[str]]
    ip: str
    limits: list[LimitAnswer]
    learnt: list[str]
    binds: str
    since: str | None
    until: str | None
    ceiling: int | None
    warmup: list[WarmupAnswer]
    sentence: str


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
