"""What the processes that read a campaign's lists are told, as plain data: the same for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bulkmail.campaign.files import ListPath
from bulkmail.campaign.variants import shares

if TYPE_CHECKING:
    from bulkmail.campaign.model import Campaign

INGEST = "bulkmail.listing:Ingest"
"""The worker that reads a campaign's lists, as a process is started with it."""

LEFT_OUT = frozenset({"suppressed", "no-consent", "hold-out", "unsubscribed", "complained", "bounced-before", "listed"})
"""The verdicts of rows that could be mailed and are not to be."""


def reading_options(campaign: Campaign, suppress: Sequence[str] = ()) -> dict[str, Any]:
    """Return the options of the job ``open`` (`bulkmail.campaign.ingest`) that the campaign decides.

    ``suppress``: the operator's own lists.
    """
    return {
        "files": [path.plain for path in campaign.recipient_paths],
        "suppress": [*(path.plain for path in campaign.suppress_paths), *suppress],
        "suppressions": campaign.suppressions,
        **_rules(campaign),
    }


def intake_options(campaign: Campaign, suppress: Sequence[str] = ()) -> dict[str, Any]:
    """Return the same for an `Intake` in this process, which has made the lists of earlier campaigns."""
    return {
        "files": campaign.recipient_paths,
        "suppress": [*campaign.suppress_paths, *map(ListPath.of, suppress)],
        **_rules(campaign),
    }


def _rules(campaign: Campaign) -> dict[str, Any]:
    groups = shares(campaign.variants)
    held_out = {"hold_out": groups} if any(group[2] for group in groups) else {}
    return {
        "encoding": campaign.encoding,
        "pick": {
            "where": campaign.where or "",
            "sample": campaign.sample,
            "limit": campaign.limit or 0,
            "order_by": campaign.order_by or "",
            **held_out,
        },
        "consent": campaign.consent,
    }
