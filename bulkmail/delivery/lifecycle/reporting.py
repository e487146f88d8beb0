"""The report's two processes, and when they write what.

One process appends attempts.csv and writes summary.json every second; the other writes recipients.csv and index.html,
which takes long for long lists. Both read the spool beside its writer (`bulkmail.reporter`). The event loop only says
when. Neither begins before there is something to write: at a start others need the processor more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.campaign import Campaign
from bulkmail.delivery.background import background
from bulkmail.delivery.lifecycle.opening import Report
from bulkmail.delivery.lifecycle.pulse import Pulse
from bulkmail.delivery.lifecycle.variants import subject_of, variants_of
from bulkmail.delivery.run import Run
from bulkmail.failpoints import failpoint
from bulkmail.mail import BulkmailError, OwnFault, Situation, Standing
from bulkmail.mail import situation as situation_of
from bulkmail.report import ATTEMPTS, Place, Position, refresh_wait
from bulkmail.spool import ENDED, Spool
from bulkmail.workers import DATABASE, Pool, Worker

_log = Logger("bulkmail")

REPORT_WORKER = "bulkmail.reporter:ReportWorker"
_SIGN_EVERY = 5.0  # seconds
_TRIES = 3  # for the last report
_AGAIN = 2.0
_COUNT_WITHIN = 120.0


class Reporting:
    """Says when each campaign's files are written. ``look`` is called once a second.

    ``situation(run, state, ended_at)``: what a campaign is doing now; without it its state says so. ``pulse``: the sign
    of life of this process.
    """

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        spool: Spool,
        spool_path: str,
        wall: Callable[[], float],
        fault: Callable[[str], None],
        rehearsal: bool,
        situation: Callable[[Run, str, float | None], Situation] | None = None,
        via_relay: str = "",
        timezone: str = "UTC",
        pulse: Pulse | None = None,
    ) -> None:
        self._reactor = reactor
        self._spool = spool
        self._spool_path = spool_path
        self._wall = wall
        self._fault = fault
        self._pulse = pulse
        self._situation = situation or self._by_state
        self._rehearsal = rehearsal
        self._via_relay = via_relay
        self._timezone = timezone
        self._quick = Pool(reactor, REPORT_WORKER, 1, DATABASE)
        self._slow = Pool(reactor, REPORT_WORKER, 1, DATABASE)
        self._reports: dict[int, _Report] = {}

    @property
    def folder(self) -> str:
        """The name of the reports' folder in a campaign's."""
        return "rehearsal" if self._rehearsal else "report"

    def report_of(self, campaign: Campaign) -> Report:
        """Return where the report of a campaign is written, and what counts the attempts in an earlier one."""
        place = Place(campaign.folder, self.folder, campaign.opened.id)
        return Report(place, None if self._rehearsal else self.beyond)

    async def beyond(self, place: Place, position: Position) -> int:
        """Count the attempts that the attempts.csv at ``place`` has behind ``position``. Raises OwnFault when late.

        Any program may have written the file, so it is read by a process of its own, with a deadline.
        """
        worker = Worker.start(self._reactor, REPORT_WORKER)
        try:
            count: int = await worker.ask(("beyond", place.plain, tuple(position)), _COUNT_WITHIN)
        except BulkmailError as error:
            words = f"{place.file(ATTEMPTS)}: its attempts could not be counted: {_last_line(error)}"
            raise OwnFault(words) from None
        finally:
            await worker.close()
        return count

    def open(self, run: Run, place: Place, files: list[tuple[str, list[str]]], domain: str, position: Any) -> None:
        """Report on this campaign from now on."""
        report = self._reports[run.id] = _Report(run)
        one_message = bool(run.content.get("same_for_all"))
        subject = (subject_of(run.content), run.content.get("defaults", {}))
        where = ("open", run.id, self._spool_path, place.plain, files, run.content["key"], domain, one_message, subject)
        report.job = (*where, position or (0, 0))
        self._quick.set_up(run.id, report.job)
        self._slow.set_up(run.id, (*where, (0, 0)))

    def look(self) -> None:
        """Write what is due."""
        if self._pulse is not None:
            self._pulse.look()
        now = self._reactor.seconds()
        for report in self._reports.values():
            report.told(self._situation_of(report), now)
            if not report.quick.locked and report.changed:
                background(self._write_quick(report), "writing summary.json and attempts.csv")
            refresh = report.stale and now >= report.next_refresh and report.end is None  # else `finish` does it
            if refresh and not report.slow.locked:
                background(self._write_slow(report), "writing recipients.csv")

    def reports_on(self, campaign_id: int) -> bool:
        """Return whether the files of a campaign are open."""
        return campaign_id in self._reports

    def changed(self, run: Run) -> None:
        """Something of this campaign has changed."""
        report = self._reports.get(run.id)
        if report is not None:
            report.changed = report.stale = True

    async def finish(self, run: Run, state: str, exit_status: int | None, ended_at: float | None) -> bool:
        """Write everything for the last time and close the files; whether all of it could be written."""
        report = self._reports.get(run.id)
        if report is None:
            return True
        report.end = _End(state, exit_status, ended_at)
        await report.settled()
        for left in range(_TRIES - 1, -1, -1):
            await self._write_slow(report)
            # summary.json says that the campaign has ended behind all other files, unless these cannot be written
            await self._write_quick(report, sync=True, end=None if left and report.stale else report.end)
            if not (left and (report.stale or report.changed)):
                break
            await deferLater(self._reactor, _AGAIN)  # a process that died is replaced within this time
        written = not (report.stale or report.changed)
        if self._reports.get(run.id) is report:  # else it was opened again meanwhile, to be sent on
            await self.leave(run)
        return written

    async def leave(self, run: Run) -> None:
        """Close the files as they are: they are finished, or another machine's to write by now."""
        report = self._reports.pop(run.id, None)
        if report is None:
            return
        await report.settled()
        for pool in (self._quick, self._slow):
            pool.tear_down(run.id, ("close", run.id))

    async def close(self) -> None:
        """End the processes."""
        await self._quick.close()
        await self._slow.close()

    async def _write_quick(self, report: _Report, *, sync: bool = False, end: _End | None = None) -> None:
        await report.quick.acquire()
        self._quick.start()
        report.changed = False
        run = report.run
        try:
            position = await self._quick.ask(("attempts", run.id), None)
            report.measure(self._reactor.seconds())
            await self._quick.ask(("live", run.id, self._facts(report, end), sync), None)
            if tuple(position) != report.position:
                report.position = tuple(position)
                report.job = (*report.job[:-1], report.position)
                self._quick.keep(run.id, report.job)
                failpoint("before-position")
                await self._spool.save_report_position(run.id, list(position))
        except BulkmailError as error:
            report.changed = True
            self._fault(f"the report of {run.name} cannot be written: {_last_line(error)}")
        finally:
            report.quick.release()

    async def _write_slow(self, report: _Report) -> None:
        await report.slow.acquire()
        self._slow.start()
        report.stale = False
        run = report.run
        started = self._reactor.seconds()
        try:
            job = ("refresh", run.id, self._facts(report, report.end))
            report.counted = await self._slow.ask(job, None)
        except BulkmailError as error:
            report.stale = True
            self._fault(f"the report of {run.name} cannot be written: {_last_line(error)}")
        finally:
            now = self._reactor.seconds()
            report.next_refresh = now + refresh_wait(run.input_rows, now - started)
            report.slow.release()

    async def by_variant(self, run: Run) -> dict[str, dict[str, int]] | None:
        """Count a campaign anew by variant; None where it cannot be counted now, or is not reported here."""
        report = self._reports.get(run.id)
        if report is None:
            return None
        await self._spool.flushed()
        report.counted = {**report.counted, "by_variant": {}}
        await self._write_slow(report)
        return report.counted["by_variant"] or None

    def _by_state(self, run: Run, state: str, ended_at: float | None) -> Situation:
        """Return what is known of a campaign that is not being sent: its state in the spool."""
        standing = Standing(state=state, alive=True, started_at=run.started_at, ended_at=ended_at)
        return situation_of(standing, self._wall())

    def _situation_of(self, report: _Report, end: _End | None = None) -> Situation:
        state, _, ended_at = end or _GOES_ON
        return self._situation(report.run, state, ended_at)

    def _facts(self, report: _Report, end: _End | None) -> dict[str, Any]:
        run = report.run
        state, exit_status, ended_at = end or _GOES_ON
        return {
            "campaign": run.name,
            "state": state,
            "situation": self._situation_of(report, end).plain(),
            "now": self._wall(),
            "input_rows": run.input_rows,
            "input_complete": run.import_done,
            "by_status": run.by_status,
            "by_category": run.by_category,
            "by_provider": run.by_provider,
            **report.counted,
            "variants": variants_of(run.content),
            "rate": report.rate if ended_at is None else 0.0,
            "started_at": run.started_at,
            "ended_at": ended_at,
            "exit_status": exit_status,
            "report_whole": state in ENDED and not report.stale,
            "subject": subject_of(run.content),
            "sender": run.content["from"],
            "rehearsal": self._rehearsal,
            "via_relay": self._via_relay,
            "timezone": self._timezone,
        }


class _End(NamedTuple):
    """How a campaign has ended: the state, its exit status, and when."""

    state: str
    exit_status: int | None = None
    ended_at: float | None = None


_GOES_ON = _End("running")


class _Report:
    """One campaign's files: what is written, what is being written, what is due."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.end: _End | None = None  # once no outcome comes any more
        self.job: tuple[Any, ...] = ()
        self.position = (0, 0)
        self.counted: dict[str, Any] = {}  # members of `report.Facts` that a refresh counts
        self.changed = self.stale = True
        self.quick, self.slow = DeferredLock(), DeferredLock()  # held while the one process or the other writes
        self.next_refresh = 0.0
        self._sign_at = 0.0
        self._doing: tuple[str, str] | None = None
        self.rate = 0.0
        self._measured = (0.0, 0)

    def told(self, found: Situation, now: float) -> None:
        """Have the files written where the campaign does something else, and summary.json every few seconds anyway.

        A summary.json that is older than that says that no process writes it any more.
        """
        doing = (str(found.word), found.reason)
        if doing != self._doing:
            self._doing, self.changed, self.stale = doing, True, True
        if now >= self._sign_at:
            self._sign_at, self.changed = now + _SIGN_EVERY, True

    def measure(self, now: float) -> None:
        """Deliveries a second since the last look."""
        then, before = self._measured
        delivered = self.run.delivered
        if then and now > then:
            self.rate = max(0.0, (delivered - before) / (now - then))
        self._measured = (now, delivered)

    async def settled(self) -> None:
        """Wait until nothing of it is being written."""
        for lock in (self.quick, self.slow):
            await lock.acquire()
            lock.release()


def _last_line(error: BulkmailError) -> str:
    return str(error).strip().rpartition("\n")[2]
