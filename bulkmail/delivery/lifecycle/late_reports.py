"""Reports that are written again: those of campaigns that are not being sent, when something has come back of them.

For thirty days after a campaign has ended. Its folder may be gone, or be another campaign's by now: only a report that
is there, and says that it is of this campaign, is written again; the spool has it all in any case. What comes in while
one is written, or soon after, goes into the next one, as for campaigns that are being sent (`report.refresh_wait`).
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.campaign import read_status, sender_domain, write_status
from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.cancelling import run_of
from bulkmail.delivery.lifecycle.joining import Joining
from bulkmail.delivery.lifecycle.progress import NOTICED, figures_in_words
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.run import Run
from bulkmail.mail import OwnFault, Word
from bulkmail.report import NOTHING, Place, refresh_wait, reported_campaign
from bulkmail.spool import ENDED, RUNNING, CampaignRow, LateCounts, Spool

_log = Logger("bulkmail")

KEPT_UP_FOR = 30 * 86400.0  # seconds


class LateReports:
    """Writes reports again, one at a time. ``joining``: on a spool that machines share."""

    def __init__(self, clocks: Clocks, spool: Spool, reporting: Reporting, joining: Joining | None = None) -> None:
        self._reactor = clocks.reactor
        self._spool = spool
        self._reporting = reporting
        self._wall = clocks.wall
        self._joining = joining
        self._asked: set[int] = set()
        self._refused: set[int] = set()  # campaigns that a kill has ended, and that were refused since
        self._not_before: dict[int, float] = {}  # campaign id -> when its report may be written again
        self._closed = False
        self._writing: Deferred[None] | None = None

    def ask(self, campaign_id: int) -> None:
        """Something has come back of a campaign; its report is to tell of it."""
        self._asked.add(campaign_id)

    def refused(self, campaign_id: int) -> None:
        """A campaign that was begun does not go on; its report is to tell of all that the spool knows."""
        self._refused.add(campaign_id)
        self.ask(campaign_id)

    async def look_back(self) -> None:
        """Ask for reports that tell of less than the spool: an earlier process did not come to write them."""
        try:
            for row in await self._spool.campaigns():
                _, last = tuple(row.report_position or NOTHING)
                if row.state not in ENDED or not self._is_kept_up(row):
                    continue
                behind = await self._spool.attempts_after(row.id, last)
                if behind or not await self._spool.has_whole_report(row.id):
                    self.ask(row.id)
        except OwnFault as fault:
            _log.error("which reports are not up to date is not known: {fault}", fault=fault)

    def look(self) -> None:
        """Write a report that is due."""
        if self._writing is not None or self._closed:
            return
        now = self._reactor.seconds()
        due = next((one for one in sorted(self._asked) if self._not_before.get(one, 0.0) <= now), None)
        if due is not None:
            self._asked.discard(due)
            self._writing = Deferred()
            background(self._write(due), "writing a report again")

    async def written(self) -> None:
        """Write all that are asked for now, without a wait."""
        while (self._asked or self._writing is not None) and not self._closed:
            self._not_before.clear()
            self.look()
            if self._writing is not None:
                await self._writing

    async def close(self) -> None:
        """Begin no further one; wait for the one that is being written. The next start finds the others."""
        self._closed = True
        if self._writing is not None:
            await self._writing

    async def _write(self, campaign_id: int) -> None:
        started = self._reactor.seconds()
        rows = 0
        try:
            found = [row for row in await self._spool.campaigns() if row.id == campaign_id]
            if found:
                rows = found[0].input_rows
                await self._write_unless_elsewhere(found[0])
        except OwnFault as fault:
            _log.error("a report could not be written again: {fault}", fault=fault)
            self._asked.add(campaign_id)
        finally:
            now = self._reactor.seconds()
            self._not_before = {one: at for one, at in self._not_before.items() if at > now}
            self._not_before[campaign_id] = now + refresh_wait(rows, now - started)
            writing, self._writing = self._writing, None
            if writing is not None:
                writing.callback(None)

    async def _write_unless_elsewhere(self, row: CampaignRow) -> None:
        if not self._is_kept_up(row):
            return
        place = Place(row.folder, self._reporting.folder)
        if reported_campaign(place) != row.name:
            _log.info(
                "{campaign}: something has come back; its folder is gone, so only the spool has it", campaign=row.name
            )
            return
        if self._joining is None:
            await self._rewrite(row, place)
        elif not await self._joining.take_over(row.name):  # else another machine sends it, and writes its report
            try:
                await self._rewrite(row, place)
            finally:
                await self._joining.give_up(row.name)

    async def _rewrite(self, row: CampaignRow, place: Place) -> None:
        if row.state in ENDED:
            await self._spool.report_is_not_whole(row.id)  # so it is not removed while its rows are read
            if not any(one.id == row.id and one.state in ENDED for one in await self._spool.campaigns()):
                return
        run = await run_of(self._spool, row)
        files = [(name, columns) for _, name, columns in await self._spool.input_files(row.id)]
        domain = sender_domain(run.content["from"])
        refused = row.id in self._refused
        self._refused.discard(row.id)
        if self._reporting.reports_on(run.id):
            if not refused:  # else who has opened it since writes its report
                self._asked.add(row.id)  # it is being opened, or ended, at this moment
            return
        self._reporting.open(run, place, files, domain, row.report_position)
        state = "stopped" if row.state == RUNNING else row.state
        if not await self._reporting.finish(run, state, row.exit_status, row.ended_at):
            self._asked.add(row.id)
            return
        if row.state in ENDED:
            await self._spool.report_is_whole(row.id)
        if row.state == Word.FINISHED:
            self._say(row, run, await self._spool.late_counts(row.id))

    def _say(self, row: CampaignRow, run: Run, late: LateCounts) -> None:
        """Let STATUS.txt of a folder that was watched tell the same figures as the report."""
        lines = read_status(row.folder).split("\n")
        if lines[0] != row.state:
            return
        run.late = late
        notices = lines.index(NOTICED) - 1 if NOTICED in lines else len(lines) - 1
        with suppress(OSError):  # the report is there
            write_status(row.folder, "\n".join([*lines[:4], *figures_in_words(run), *lines[notices:]]))

    def _is_kept_up(self, row: CampaignRow) -> bool:
        if row.state == "stopped" or (row.state == RUNNING and row.id in self._refused):
            return True
        return row.state in ENDED and self._wall() <= (row.ended_at or 0.0) + KEPT_UP_FOR
