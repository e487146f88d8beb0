"""The operations of the API: what is asked for by which method and path. Dispatch and OpenAPI are made of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from bulkmail.control.campaign_models import (
    AcceptedAnswer,
    BestAnswer,
    CampaignAnswer,
    DomainsAnswer,
    OverTimeAnswer,
    RecentAnswer,
    RecipientAnswer,
    RepliedAnswer,
    RowsAnswer,
    SteeredAnswer,
    TriedAnswer,
    VariantsAnswer,
)
from bulkmail.control.event_models import EventsAnswer, TraceAnswer
from bulkmail.control.models import (
    HealthAnswer,
    ReloadedAnswer,
    SuppressedAnswer,
    SuppressionAnswer,
)
from bulkmail.control.orders import (
    AcceptOrder,
    ApproveOrder,
    CancelOrder,
    ChooseOrder,
    ForgetAddressesOrder,
    ForgetOrder,
    Order,
    PaceOrder,
    PauseOrder,
    ReloadOrder,
    RemoveOrder,
    ResumeOrder,
    SuppressOrder,
    TryNowOrder,
    UnsuppressOrder,
)
from bulkmail.control.problems import RequestProblem
from bulkmail.control.site_models import (
    ExplanationAnswer,
    HostAnswer,
    ProviderAnswer,
    SiteAnswer,
    SiteSteeredAnswer,
    UnfetchedAnswer,
)
from bulkmail.mail import Status

_PARAMETERS = {
    "name": "the campaign's name",
    "status": f"a status of rows: {', '.join(Status)}",
    "provider": "a provider, such as google; `other`: all sites of none",
    "wording": "the name of a wording, as it is in the replies of `recent`",
}
_MOST_UNFETCHED = {"most": "so many of them at the most (default: 100; no more than 1000 are kept)"}
_BEFORE = {"before": "only rows above this one of the list, which is `next` of an earlier answer"}


class Operation(NamedTuple):
    """One operation. ``path`` is behind `/api/v1`; a part in braces is a parameter.

    ``answer``: the model of a 200; ``order``: that of the body of a POST. ``query``: name -> what it means; all of them
    are required. ``optional``: the same of those that are not; each is a whole number.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: Any
    order: type[Order] | None = None
    query: Mapping[str, str] = {}
    optional: Mapping[str, str] = {}

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Return the path's parameters where these parts of a path are meant by it, else None."""
        own = self.path.strip("/").split("/")
        if len(own) != len(parts):
            return None
        pairs = list(zip(own, parts, strict=True))
        if any(want != got for want, got in pairs if not want.startswith("{")):
            return None
        return {want.strip("{}"): got for want, got in pairs if want.startswith("{")}

    @property
    def parameters(self) -> dict[str, str]:
        """The path's parameters, each with what it means."""
        return {name: _PARAMETERS[name] for part in self.path.split("/") if (name := part.strip("{}")) != part}


def _steering(name: str, summary: str, order: type[Order]) -> Operation:
    return Operation(name, "POST", f"/campaigns/{{name}}/{name}", summary, SteeredAnswer, order)


OPERATIONS = (
    Operation(
        "campaigns",
        "GET",
        "/campaigns",
        "All campaigns of the spool, oldest first",
        list[CampaignAnswer],
        optional={
            "ended": "of the campaigns that have ended only so many, the newest",
            "skip": "so many of the newest that have ended are left out before",
        },
    ),
    Operation("campaign", "GET", "/campaigns/{name}", "One campaign", CampaignAnswer),
    Operation(
        "recent",
        "GET",
        "/campaigns/{name}/recent",
        "What receivers have said to the last attempts of a campaign, by provider and in their words",
        RecentAnswer,
    ),
    Operation(
        "over_time",
        "GET",
        "/campaigns/{name}/over-time",
        "What came of the attempts of a campaign over time",
        OverTimeAnswer,
    ),
    Operation(
        "over_time_of",
        "GET",
        "/campaigns/{name}/over-time/{provider}",
        "What came of the attempts of a campaign to one provider over time",
        OverTimeAnswer,
    ),
    Operation(
        "rows",
        "GET",
        "/campaigns/{name}/rows/{status}",
        "The recipients of a campaign that have one status, and why: the last of the list first, at most 100",
        RowsAnswer,
        optional=_BEFORE,
    ),
    Operation(
        "rows_of",
        "GET",
        "/campaigns/{name}/rows/{status}/{provider}",
        "Those of them at one provider",
        RowsAnswer,
        optional=_BEFORE,
    ),
    Operation(
        "replied",
        "GET",
        "/campaigns/{name}/replies/{provider}/{wording}",
        "Whom a provider has answered in one wording, of the last attempts: the last of them first",
        RepliedAnswer,
        optional={
            "skip": "so many of them are left out before, which is `next` of an earlier answer",
            "most": "so many at the most (default: 100; there are never more than 5000)",
        },
    ),
    Operation(
        "domains",
        "GET",
        "/campaigns/{name}/domains/{provider}",
        "The domains of a campaign at one provider, with how many of their rows wait and what came of the others",
        DomainsAnswer,
    ),
    Operation(
        "best",
        "GET",
        "/campaigns/{name}/best",
        "The minute and the hour of a campaign in which the most messages were accepted, by its report",
        BestAnswer,
    ),
    Operation(
        "bests",
        "GET",
        "/best",
        "The minute and the hour of each campaign in which the most messages were accepted, the oldest campaign first",
        list[BestAnswer],
        optional={"ended": "of the campaigns that have ended only so many, the newest"},
    ),
    Operation(
        "variants",
        "GET",
        "/campaigns/{name}/variants",
        "How the variants of a campaign compare, by its report, and which one the rest gets",
        VariantsAnswer,
    ),
    _steering("pause", "Send nothing of a campaign, or nothing of it to one provider, until it is resumed", PauseOrder),
    _steering("resume", "End the pause", ResumeOrder),
    _steering("cancel", "End a campaign: every unsent row becomes cancelled. It cannot be undone", CancelOrder),
    _steering("approve", "Let a campaign be sent that waits for approval", ApproveOrder),
    _steering("choose", "Choose the variant that those get who wait for the better one", ChooseOrder),
    Operation(
        "accept",
        "POST",
        "/campaigns/{name}/accept",
        "Take what was changed in a campaign's files, for the rows that are not sent yet",
        AcceptedAnswer,
        AcceptOrder,
    ),
    Operation(
        "try_now",
        "POST",
        "/campaigns/{name}/try-now",
        "Try the deferred recipients of a campaign at once. Limits, holds and suspended sites count as before",
        TriedAnswer,
        TryNowOrder,
    ),
    _steering("remove", "Remove an ended campaign from the spool; its report stays in its folder", RemoveOrder),
    Operation("providers", "GET", "/providers", "The known providers with their limits", list[ProviderAnswer]),
    Operation(
        "sites",
        "GET",
        "/sites",
        "The sites that are being sent to now, the busiest first",
        list[SiteAnswer],
        optional={"most": "only so many of them"},
    ),
    Operation(
        "sites_of",
        "GET",
        "/providers/{name}/sites",
        "The sites of a provider that are being sent to now, the busiest first",
        list[SiteAnswer],
        optional={"most": "only so many of them"},
    ),
    Operation(
        "hosts_of",
        "GET",
        "/providers/{name}/hosts",
        "The addresses of a provider that were spoken to since the start of this process, the last met first",
        list[HostAnswer],
        optional={"most": "so many of them at the most (default: 100)"},
    ),
    Operation(
        "unfetched",
        "GET",
        "/policies/unfetched",
        "The receivers' own policies (MTA-STS) that this process could not fetch at the last try, the last first",
        list[UnfetchedAnswer],
        optional=_MOST_UNFETCHED,
    ),
    Operation(
        "unfetched_of",
        "GET",
        "/providers/{name}/unfetched",
        "Of the policies (MTA-STS) that this process could not fetch those of domains with hosts of a provider",
        list[UnfetchedAnswer],
        optional=_MOST_UNFETCHED,
    ),
    Operation(
        "pace",
        "POST",
        "/sites/pace",
        "Send to a site or provider no faster than that, for a time",
        SiteSteeredAnswer,
        PaceOrder,
    ),
    Operation(
        "forget",
        "POST",
        "/sites/forget",
        "Forget what was learnt of a site or provider",
        SiteSteeredAnswer,
        ForgetOrder,
    ),
    Operation(
        "recipients",
        "GET",
        "/recipients",
        "All rows of all campaigns with one address",
        list[RecipientAnswer],
        query={"email": "the address"},
    ),
    Operation(
        "events",
        "GET",
        "/events",
        "The stream of events behind a number, in order",
        EventsAnswer,
        optional={
            "after": "the number of the last event that is known already (default: 0)",
            "most": "so many events at the most (default: 100; no more than 1000 are given)",
        },
    ),
    Operation(
        "explain",
        "GET",
        "/explain",
        "Why a destination is not sent to faster",
        ExplanationAnswer,
        query={"of": "a domain, an address or a site"},
    ),
    Operation(
        "suppressions",
        "GET",
        "/suppressions",
        "Why an address is not mailed: its suppressions, and those of its domain",
        list[SuppressionAnswer],
        query={"address": "an address, or @ and a domain"},
    ),
    Operation(
        "suppress",
        "POST",
        "/suppressions/add",
        "Mail some addresses or domains no more, from now on",
        SuppressedAnswer,
        SuppressOrder,
    ),
    Operation(
        "unsuppress", "POST", "/suppressions/remove", "Remove suppressions of some", SuppressedAnswer, UnsuppressOrder
    ),
    Operation(
        "forget_addresses",
        "POST",
        "/suppressions/forget",
        "Keep only the hashes of some addresses; they stay suppressed",
        SuppressedAnswer,
        ForgetAddressesOrder,
    ),
    Operation(
        "trace",
        "GET",
        "/trace",
        "What is said to a receiver: the first look begins it, and it ends 10 seconds after the last one",
        TraceAnswer,
        query={"of": "a domain, an address, a site or a provider"},
        optional={"after": "the number of the last line that is known already (default: 0)"},
    ),
    Operation(
        "reload",
        "POST",
        "/reload",
        "Read the settings again and use what has changed, as far as that needs no restart",
        ReloadedAnswer,
        ReloadOrder,
    ),
    Operation("health", "GET", "/health", "The service itself", HealthAnswer),
    Operation("openapi", "GET", "/openapi.json", "This document", dict[str, Any]),
)


def find(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """Return the operation for a request and its path's parameters. Raises RequestProblem: 404, or 405 with ``allow``.

    ``path`` is behind `/api/v1`, still percent-encoded.
    """
    parts = [unquote(part, errors="replace") for part in path.strip("/").split("/")]
    matches = [(operation, found) for operation in OPERATIONS if (found := operation.match(parts)) is not None]
    if not matches:
        raise RequestProblem(404, f"there is no resource /{'/'.join(parts)}")
    for operation, found in matches:
        if operation.method == method or (method == "HEAD" and operation.method == "GET"):
            return operation, found
    allowed = sorted({operation.method for operation, _ in matches})
    raise RequestProblem(405, f"/{'/'.join(parts)} takes {' and '.join(allowed)} only", allow=allowed)
