"""A campaign is taken up: it is opened in the spool, with what was changed since its start where that was accepted."""

from __future__ import annotations

from collections.abc import Callable

from bulkmail.campaign import sender_domain
from bulkmail.delivery.lifecycle.accepting import Accepting
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.delivery.lifecycle.opening import Opened, Prepared, open_campaign
from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.queueing import Feeder
from bulkmail.spool import Spool


class TakingUp:
    """Opens campaigns that are to be sent, and their reports."""

    def __init__(
        self,
        spool: Spool,
        wall: Callable[[], float],
        feeder: Feeder,
        lists: ListReading,
        reporting: Reporting,
        accepting: Accepting,
        refusals: Refusals,
    ) -> None:
        self.accepting = accepting
        self.refusals = refusals
        self._spool = spool
        self._wall = wall
        self._lists = lists
        self._feeder = feeder
        self._reporting = reporting

    async def open(self, prepared: Prepared, *, accept_changes: bool) -> Opened:
        """Open a campaign in the spool; what kept it from being sent before counts no longer. Raises Refused, OwnFault.

        ``accept_changes``: whatever was changed since its start is taken.
        """
        wanted = await self.accepting.wanted(prepared)
        opened = await open_campaign(
            self._spool,
            prepared,
            now=self._wall(),
            accept_changes=accept_changes or wanted,
            report=self._reporting.report_of(prepared.campaign),
            goes_on=await self._lists.changed(prepared),
        )
        if wanted:
            await self.accepting.opened(opened.row)
        self.accepting.notes.pop(prepared.campaign.folder, None)
        await self.refusals.taken_up(opened.row)
        self._feeder.withholding.begin(opened.run.name)
        opened.run.notices = [str(notice) for notice in prepared.notices]
        return opened

    def report(self, prepared: Prepared, opened: Opened) -> None:
        """Report on a campaign from now on."""
        campaign = prepared.campaign
        place, domain = self._reporting.report_of(campaign).place, sender_domain(campaign.sender)
        self._reporting.open(opened.run, place, prepared.files, domain, opened.row.report_position)
