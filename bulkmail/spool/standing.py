"""Reading how a campaign stands: its counts, what came back of it, what is planned and what is left."""

from __future__ import annotations

from typing import NamedTuple

from bulkmail.mail import ClickCount
from bulkmail.spool.arrivals import LateCounts, read_clicks, read_late_counts
from bulkmail.spool.campaigns import ENDED, read_plan
from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import CampaignRow, Outlook, StoredPlan


class CampaignStanding(NamedTuple):
    """How a campaign stands. ``totals``: as `Reading.totals` gives them; ``outlook``: of one that is not over."""

    totals: dict[tuple[str, str, str], int]
    late: LateCounts
    clicks: list[ClickCount]
    plan: StoredPlan | None
    outlook: Outlook


class StandingReading:
    """What can be read of how a campaign stands; each call is one short transaction. Raises OwnFault."""

    _db: Statements
    _version: int
    _knows_clicks: int  # the version of a spool from which on it has the table

    @property
    def _knows_late(self) -> bool:
        raise NotImplementedError

    def totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        """Return ``{(provider, status, category): count}``; the counts sum to the rows read so far."""
        with self._db.transaction("begin_reading"):
            return self._totals(campaign_id)

    def _totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        return {tuple(row[:3]): row[3] for row in self._db.execute("totals", (campaign_id,)).fetchall()}

    def late_counts(self, campaign_id: int) -> LateCounts:
        """Return what has come back of a campaign."""
        with self._db.transaction("begin_reading"):
            return self._late_counts(campaign_id)

    def _late_counts(self, campaign_id: int) -> LateCounts:
        return read_late_counts(self._db, campaign_id) if self._knows_late else LateCounts()

    def clicks(self, campaign_id: int) -> list[ClickCount]:
        """Return how often the links of a campaign were followed; see `arrivals.ClickStore.clicks`."""
        with self._db.transaction("begin_reading"):
            return self._clicks(campaign_id)

    def _clicks(self, campaign_id: int) -> list[ClickCount]:
        return read_clicks(self._db, campaign_id) if self._version >= self._knows_clicks else []

    def plan(self, campaign_id: int) -> StoredPlan | None:
        """Return what was planned of a campaign, None where nothing was."""
        with self._db.transaction("begin_reading"):
            return read_plan(self._db, campaign_id)

    def standing(self, campaign: CampaignRow) -> CampaignStanding:
        """Return how a campaign stands, read at once."""
        identity = campaign.id
        with self._db.transaction("begin_reading"):
            return CampaignStanding(
                totals=self._totals(identity),
                late=self._late_counts(identity),
                clicks=self._clicks(identity),
                plan=read_plan(self._db, identity),
                outlook=Outlook(new_rows=False, next_due=None) if campaign.state in ENDED else self._outlook(identity),
            )

    def outlook(self, campaign_id: int) -> Outlook:
        """Return what is left to send of a campaign."""
        with self._db.transaction("begin_reading"):
            return self._outlook(campaign_id)

    def _outlook(self, campaign_id: int) -> Outlook:
        new_rows = self._db.execute("new_rows_left", (campaign_id,)).fetchone()[0]
        next_due = self._db.execute("next_due", (campaign_id,)).fetchone()
        return Outlook(bool(new_rows), None if next_due is None else next_due[0])
