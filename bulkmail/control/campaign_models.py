"""What the API answers of campaigns and their rows. Times are RFC 3339 in UTC."""

from __future__ import annotations

from bulkmail.control.models import Answer

Counts = dict[str, int]


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

    ``in_flight``: how many of its messages are on connections of this process now, by provider; null where it is not
    sent.
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
    in_flight: Counts | None
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
    ``next_try_at``: when the first row that waits there is tried again; null where none waits, or where the 1,000
    domains that are due first are all of other providers.
    """

    provider: str
    last: int
    delivered: int
    accepted_ms: tuple[int, int] | None
    next_try_at: str | None


class ReplyAnswer(Answer):
    """One wording of the receivers, by an example, with how often it was met, and when one of its category was last.

    ``wording``: its name, by which `replied` tells who is behind it.
    """

    provider: str
    category: str
    wording: str
    reply: str
    count: int
    last_at: str


class RecentAnswer(Answer):
    """What was said to the newest ``attempts`` of a campaign. ``whole``: these are all that there were.

    ``accepted_ms``: over all providers, as in `RecentProviderAnswer`.
    """

    campaign: str
    attempts: int
    whole: bool
    accepted_ms: tuple[int, int] | None
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


class BestSpanAnswer(Answer):
    """A minute or an hour of the clock that began at ``at``; so many messages were accepted in it."""

    at: str
    accepted: int


class BestAnswer(Answer):
    """The minute and the hour in which the most messages were accepted, by the report; null where none is known."""

    campaign: str
    minute: BestSpanAnswer | None
    hour: BestSpanAnswer | None


class VariantAnswer(Answer):
    """One variant: its rows by status, and what its readers did. ``clicked``: null where clicks are not counted."""

    variant: str
    by_status: Counts
    clicked: int | None
    unsubscribed: int
    complained: int


class WinnerAnswer(Answer):
    """The variant that those in none get, and why it was chosen."""

    variant: str
    why: str


class VariantsAnswer(Answer):
    """The variants of a campaign as its report had them at ``written_at``; none where there are none, or no report."""

    campaign: str
    written_at: str
    variants: list[VariantAnswer]
    winner: WinnerAnswer | None


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


class TriedAnswer(SteeredAnswer):
    """How many deferred ``rows`` are tried at once. ``doubtful``: so many wait on, for a copy may have arrived.

    ``kept_back``: what keeps some of them waiting all the same, in sentences: holds, and sites that cannot be used.
    """

    rows: int
    doubtful: int
    kept_back: list[str]


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


class DomainAnswer(Answer):
    """A domain: its rows that are to be sent, how many of them wait to be tried, and what came of the others.

    ``failed``: those with another final status than delivered. ``rows`` and ``waiting``: null until the list is read.
    """

    domain: str
    rows: int | None
    waiting: int | None
    delivered: int
    deferred: int
    failed: int


class DomainsAnswer(Answer):
    """The domains of a campaign at a provider of which some row was tried, those with the most rows first, at most 50.

    They are looked for among the 1,000 domains of the campaign with the most outcomes; ``whole``: these are all.
    """

    campaign: str
    provider: str
    domains: list[DomainAnswer]
    whole: bool


class RepliedRowAnswer(StatusRowAnswer):
    """A row as it is now, and what was ``said`` to it: so many ``times`` in this wording, the last time ``said_at``."""

    times: int
    said: str
    said_code: int | None
    said_at: str


class RepliedAnswer(Answer):
    """Whom receivers have answered in one wording, the last of them first, at most 100 (or ``most``).

    It is looked for in the newest ``attempts``, as in `RecentAnswer`; ``whole``: these are all that there were.
    ``count`` of them have it, to so many ``recipients``. ``next``: the ``skip`` of those behind these rows; null where
    there are none. ``reply``: an example, "" where no attempt that is looked at has these words.
    """

    campaign: str
    provider: str
    category: str
    reply: str
    attempts: int
    whole: bool
    count: int
    recipients: int
    rows: list[RepliedRowAnswer]
    next: int | None
