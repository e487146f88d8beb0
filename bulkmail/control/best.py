"""The minute and the hour of a campaign in which the most messages were accepted, as its report counted them."""

from __future__ import annotations

from typing import Any

from bulkmail.report import Place, reported_best
from bulkmail.spool import Reading

_REPORT = "report"


def best(reader: Reading, name: str) -> dict[str, Any] | None:
    """Return it as `campaign_models.BestAnswer` has it; None where there is no such campaign. Raises OwnFault.

    It is read from summary.json; where its folder is not on this machine nothing is known.
    """
    campaign = reader.campaign(name)
    if campaign is None:
        return None
    found = reported_best(Place(campaign.folder, _REPORT), name)
    return {"campaign": name, **found}
