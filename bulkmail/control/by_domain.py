"""The domains of a provider in a campaign: how many of their rows wait, and what came of the others."""

from __future__ import annotations

from typing import Any

from bulkmail.spool import CampaignRow, Reading

DOMAINS = 50
"""So many domains are in an answer at the most."""
_KEPT = 5000  # domains whose rows were counted


class ByDomain:
    """Tells it. The rows of a domain are counted once: a list that is read to its end keeps its rows."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._rows: dict[tuple[int, int], int] = {}  # (id of a queue, rows of the whole list) -> rows

    def tell(self, reader: Reading, name: str, provider: str) -> dict[str, Any] | None:
        """Return it as `campaign_models.DomainsAnswer` has it; None where there is no such campaign. Raises OwnFault.

        How many rows a domain has, and so how many of them wait, is known when the whole list is read.
        """
        campaign = reader.campaign(name)
        if campaign is None:
            return None
        found, whole = reader.domains_at(campaign.id, provider, DOMAINS)
        domains: list[dict[str, Any]] = []
        for one in found:
            rows = self._counted(reader, campaign, one.queue_id) if campaign.import_done else None
            told: dict[str, Any] = {"domain": one.domain, "rows": rows}
            told["waiting"] = None if rows is None else max(0, rows - one.delivered - one.failed - one.deferred)
            domains.append({**told, "delivered": one.delivered, "deferred": one.deferred, "failed": one.failed})
        domains.sort(key=lambda one: (-(one["rows"] or 0), one["domain"]))
        return {"campaign": name, "provider": provider, "domains": domains, "whole": whole}

    def _counted(self, reader: Reading, campaign: CampaignRow, queue_id: int) -> int:
        key = (queue_id, campaign.input_rows)
        if key not in self._rows:
            if len(self._rows) >= self._kept:
                self._rows.clear()
            self._rows[key] = reader.rows_of_domain(campaign.id, queue_id)
        return self._rows[key]
