"""What is asked of the API and what it answers, as the OpenAPI document describes it. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from bulkmail.mail import UnitError, parse_duration


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except UnitError as error:
        raise ValueError(str(error)) from None
    return text


Words = Annotated[str, Field(max_length=500)]
Name = Annotated[str, Field(max_length=100)]
Duration = Annotated[str, Field(max_length=20, examples=["2h", "30m"]), AfterValidator(_duration)]
Counts = dict[str, int]


class Order(BaseModel):
    """What comes in; an unknown member is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PauseOrder(Order):
    """``for_`` (`for` in JSON): for how long; without it until it is resumed. ``who``: who asked for it."""

    provider: Name = ""
    for_: Duration | None = Field(None, alias="for")
    reason: Words = ""
    who: Name = ""


class ResumeOrder(Order):
    """``provider`` as in the pause that is ended; without one all pauses end, and stops by rules too."""

    provider: Name = ""
    who: Name = ""


class CancelOrder(Order):
    """``reason`` and ``who`` are kept with the campaign."""

    reason: Words = ""
    who: Name = ""


class ApproveOrder(Order):
    """``who``: who has approved it."""

    who: Name = ""


class ChooseOrder(Order):
    """``variant``: the one that the rest gets; ``who``: who has chosen it."""

    variant: Name
    who: Name = ""


class AcceptOrder(Order):
    """``who``: who asks for it."""

    who: Name = ""


class RemoveOrder(Order):
    """``without_report``: also where its last report was not written to its end."""

    without_report: bool = False


Address = Annotated[str, Field(max_length=320, examples=["ann@example.com", "@example.com"])]
Scope = Annotated[str, Field(max_length=120, examples=["everything", "list:newsletter", "campaign:spring-sale"])]
Reason = Literal["complained", "unsubscribed", "bounced-before", "listed"]


class SuppressionEntry(Order):
    """One address or domain ("@" before it). ``since``: RFC 3339; without it now."""

    address: Address
    scope: Scope = "everything"
    reason: Reason = "listed"
    source: Name = ""
    since: AwareDatetime | None = None


class SuppressOrder(Order):
    """Who is not to be mailed."""

    entries: list[SuppressionEntry]


class UnsuppressOrder(Order):
    """Of whom suppressions are removed; without a scope or a reason those of any."""

    addresses: list[Address]
    scope: Scope | None = None
    reason: Reason | None = None


class ForgetAddressesOrder(Order):
    """Of whom only the hashes are kept."""

    addresses: list[Address]


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
    """``last``: of the newest attempts to this provider, at most 50; ``delivered`` of them were."""

    provider: str
    last: int
    delivered: int


class ReplyAnswer(Answer):
    """One wording of the receivers, by an example, with how often it was met."""

    provider: str
    category: str
    reply: str
    count: int


class RecentAnswer(Answer):
    """What was said to the newest ``attempts`` of a campaign. ``whole``: these are all that there were."""

    campaign: str
    attempts: int
    whole: bool
    providers: list[RecentProviderAnswer]
    replies: list[ReplyAnswer]


class SteeredAnswer(Answer):
    """What was done; ``situation`` is how the campaign stands behind it, null where it is gone."""

    campaign: str
    done: str
    situation: SituationAnswer | None


class AcceptedAnswer(SteeredAnswer):
    """``taken``: whether the change is taken now; else the process that has the campaign's files takes it, or the next

    start. ``changes``: what was changed, in sentences; empty where the files are on another machine. ``sent`` of
    ``rows`` rows were sent as it was before.
    """

    taken: bool
    changes: list[str]
    sent: int
    rows: int


class ReloadOrder(Order):
    """Nothing is given: what is read is the file that the service was started with."""


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


class RecipientAnswer(Answer):
    """One row of one campaign with the address that was asked for, and its last reply."""

    campaign: str
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
