"""The minute and the hour of a campaign in which the most messages were accepted, as its report counted them."""

from __future__ import annotations

from typing import Any

from bulkmail.report import Place, reported_best
from bulkmail.spool import CampaignRow, Reading


def best(reader: Reading, name: str) -> dict[str, Any] | None:
    """Return it as `campaign_models.BestAnswer` has it; None where there is no such campaign. Raises OwnFault.

    It is read from summary.json; where its folder is not on this machine nothing is known.
    """
    campaign = reader.campaign(name)
    return None if campaign is None else _reported(campaign)


def bests(reader: Reading, ended: int | None) -> list[dict[str, Any]]:
    """Return it for all campaigns, the oldest first; of those that have ended for the newest ``ended``.

    Raises OwnFault.
    """
    return [_reported(campaign) for campaign in reader.campaigns(ended)]


def _reported(campaign: CampaignRow) -> dict[str, Any]:
    return {"campaign": campaign.name, **reported_best(Place(campaign.folder), campaign.name)}
