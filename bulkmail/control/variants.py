"""How the variants of a campaign compare: what its report counted of each, and which one the rest gets."""

from __future__ import annotations

from typing import Any

from bulkmail.mail import REST, Status, clicks_by_variant
from bulkmail.report import Place, reported_variants
from bulkmail.spool import Reading


def variants(reader: Reading, name: str) -> dict[str, Any] | None:
    """Return it as `campaign_models.VariantsAnswer` has it; None where there is no such campaign. Raises OwnFault.

    Counted is what summary.json says, so that the page and the report tell the same. Where its folder is not on this
    machine nothing is.
    """
    campaign = reader.campaign(name)
    if campaign is None:
        return None
    told = reported_variants(Place(campaign.folder), name)
    links = reader.clicks(campaign.id) if told.counts else []
    clicks = clicks_by_variant(links)
    return {
        "campaign": name,
        "written_at": told.written_at,
        "variants": [
            {
                "variant": variant,
                "by_status": {str(one): counts[one] for one in Status if counts.get(one)},
                "clicked": clicks.get("" if variant == REST else variant, 0) if links else None,
                "unsubscribed": counts.get("unsubscribed", 0),
                "complained": counts.get("complained", 0),
            }
            for variant, counts in told.counts.items()
        ],
        "winner": {"variant": told.winner, "why": told.why} if told.winner else None,
    }
