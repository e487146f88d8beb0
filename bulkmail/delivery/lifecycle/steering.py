"""Pause, resume, cancel and hold campaigns: the one owner of what keeps a campaign of this process from being sent.

Each hold is a row of the spool first of all, so that it survives the process, and every machine of a shared spool
obeys it: a change notifies them (`look`), and no process claims rows of a campaign that is held as a whole. In this
process a hold counts from the turn of the event loop in which it was asked for, before it is written; where it cannot
be written it counts no longer, and the one who asked is told. A release counts once it is written.

What a hold does: the campaign's queues (at that provider) close, what is ready goes back to the spool without an
attempt, and what comes from the compose workers, or comes back untried from a connection, follows. What is on a
connection ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable

from twisted.logger import Logger

from bulkmail.campaign import check_no_pause_file
from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.holds import Holds
from bulkmail.delivery.lifecycle.trying import Trying
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError, OwnFault, WrongState, check_name
from bulkmail.spool import (
    CANCELLED,
    CANCELLING,
    CampaignRow,
    CancelRequest,
    HeldTime,
    Hold,
    Spool,
    check_held,
    check_not_ended,
    check_removable,
    named,
)

_log = Logger("bulkmail")

_AGAIN = 5.0  # seconds until the spool is asked again after a fault
_LOOK_AT_THE_CLOCK = 60.0  # seconds: the time of day may have been set meanwhile
_BY_PEOPLE = ("paused", "rule")  # the kinds that `resume` releases


class Steering:
    """Holds campaigns of this process and of the spool. ``providers``: the names there are.

    ``changed(run)`` is called when what holds a campaign in this process has changed.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        feeder: Feeder,
        clocks: Clocks,
        providers: Collection[str],
        changed: Callable[[Run], None],
    ) -> None:
        self._spool = spool
        self._feeder = feeder
        self._clocks = clocks
        self._providers = providers
        self.trying = Trying(spool, feeder, clocks, providers)
        self._changed = changed
        self._until = Wakeup(clocks.reactor, self._lift_soon)
        self._looking = self._again = self._closed = False
        self._ruled: Callable[[Run, str], None] = lambda *_: None
        self._cancelled: Callable[[Run], None] = lambda _: None
        self._cancelled_at_rest: Callable[[CampaignRow], object] = lambda _: None
        feeder.withholding.on_paused(self._own_fault)

    def tell(
        self,
        cancelled: Callable[[Run], None],
        at_rest: Callable[[CampaignRow], object],
        ruled: Callable[[Run, str], None],
    ) -> None:
        """Call ``cancelled(run)`` for a cancelled campaign that is sent here, ``at_rest(row)`` for one that is not.

        ``ruled(run, why)``: when a rule has stopped one that is sent here, whichever machine found that out.
        """
        self._cancelled, self._cancelled_at_rest, self._ruled = cancelled, at_rest, ruled

    # what people ask for; each raises UnknownName, WrongState or OwnFault

    async def pause(
        self, name: str, *, provider: str | None = None, until: float | None = None, reason: str = "", who: str = ""
    ) -> Hold:
        """Let nothing of a campaign leave (to a provider), until ``until`` in epoch seconds or `resume`."""
        return await self.hold(name, "paused", provider=provider, until=until, reason=reason, who=who)

    async def resume(self, name: str, *, provider: str | None = None, who: str = "") -> list[Hold]:
        """Release pauses by people and stops by rules; without a provider those at all providers. Returns them.

        Refused with WrongState while the file PAUSE lies in the campaign's folder.
        """
        row = named(await self._spool.campaigns(), name)
        check_not_ended(row, "resumed")
        await self._spool.lift_due(self._clocks.wall())
        mine = [hold for hold in await self._spool.holds() if hold.campaign_id == row.id]
        wanted = [hold for hold in mine if hold.kind in _BY_PEOPLE and provider in (None, hold.provider)]
        if not wanted:
            check_held(row, mine, "paused", provider or "")
        for hold in wanted:
            if hold.kind == "paused" and not hold.provider:
                check_no_pause_file(row.folder, name)
            await self._lift(hold, row.name, who)
        return wanted

    async def hold(
        self,
        name: str,
        kind: str,
        *,
        provider: str | None = None,
        until: float | None = None,
        reason: str = "",
        who: str = "",
    ) -> Hold:
        """Hold a campaign; see `spool.Hold` and HOLD_KINDS. A hold of that kind at that provider is replaced."""
        if provider is not None:
            check_name("provider", provider, self._providers)
        now = self._clocks.wall()
        if until is not None and until <= now:
            raise WrongState(f"{name} cannot be {kind} until a time that has passed")
        run = self._run(name)
        if run is None:
            row = named(await self._spool.campaigns(), name)
            check_not_ended(row, kind)
        hold = Hold(row.id if run is None else run.id, kind, reason, now, provider or "", who, until)
        if run is None:
            await self._spool.hold(hold)
        else:
            await self._hold_here(run, hold)
        _log.info("{campaign} is {words}", campaign=name, words=hold.words)
        return hold

    async def release(self, name: str, kind: str, *, provider: str | None = None, who: str = "") -> None:
        """Release the hold of that kind at that provider, or of the campaign as a whole."""
        row = named(await self._spool.campaigns(), name)
        holds = await self._spool.holds()
        check_held(row, holds, kind, provider or "")
        for hold in holds:
            if (hold.campaign_id, hold.kind, hold.provider) == (row.id, kind, provider or ""):
                await self._lift(hold, row.name, who)

    async def cancel(self, name: str, *, reason: str = "", who: str = "") -> None:
        """End a campaign for good: its unsent rows become `cancelled`, what is on a connection ends first.

        Nothing new leaves here from this turn of the event loop on, unless the request cannot be written.
        """
        run = self._run(name)
        if run is not None:
            soon = Hold(run.id, "paused", "it is about to be cancelled", self._clocks.wall())
            self._apply(run, [*run.holds.active, soon], run.holds.over)
        try:
            row = await self._request_cancel(name, reason, who)
        except BaseException:
            if run is not None:
                self._apply(run, [hold for hold in run.holds.active if hold is not soon], run.holds.over)
            raise
        _log.info(
            "{campaign} is being cancelled{by}", campaign=name, by=f" by {who}: {reason}" if who or reason else ""
        )
        self._cancel_here(row)

    async def is_cancelled(self, name: str) -> bool:
        """Return whether a campaign of the spool was cancelled, and its rows are settled."""
        row = await self._spool.campaign(name)
        return row is not None and row.state == CANCELLED

    async def remove(self, name: str, *, without_report: bool = False) -> None:
        """Remove a campaign that has ended from the spool; its report stays.

        The report must be whole: unless ``without_report``, or its folder is gone. Of a shared spool that is not known.
        """
        row = named(await self._spool.campaigns(), name)
        gone = self._spool.leases is None and not _is_there(row.folder)
        whole = await self._spool.has_whole_report(row.id)
        check_removable(row, whole_report=whole, without_report=without_report or gone)
        while not await self._spool.remove_campaign(row.id):
            pass
        _log.info("{campaign} is removed from the spool", campaign=name)

    # what the process tells

    async def begin(self, run: Run) -> None:
        """Take in what holds a campaign that is about to be sent, or helped with; a fault of its content was mended.

        Call it right before the campaign is the feeder's. Raises OwnFault.
        """
        await self._spool.lift_due(self._clocks.wall())
        if not run.helped:
            for kind in ("fault", "folder"):
                await self._spool.lift(run.id, kind, "", self._clocks.wall())
        await self._load(run)

    def look(self) -> None:
        """Read all holds again: another process may have changed them."""
        if self._closed:
            return
        if self._looking:
            self._again = True
            return
        self._looking = True
        background(self._look(), "looking what holds campaigns")

    def close(self) -> None:
        """Stop: the spool is about to be closed."""
        self._closed = True
        self._until.cancel()

    def _run(self, name: str) -> Run | None:
        """Return a campaign that is being sent here."""
        return next((run for run in self._feeder.runs.values() if run.name == name and not run.over), None)

    async def _hold_here(self, run: Run, hold: Hold) -> None:
        """Hold a campaign that is being sent here: at once, and durably; not at all where it cannot be written."""
        same = [one for one in run.holds.active if (one.kind, one.provider) == (hold.kind, hold.provider)]
        others = [one for one in run.holds.active if one not in same]
        self._apply(run, [*others, hold._replace(since=same[0].since) if same else hold], run.holds.over)
        try:
            await self._spool.hold(hold)
        except BaseException:
            others = [one for one in run.holds.active if (one.kind, one.provider) != (hold.kind, hold.provider)]
            self._apply(run, [*others, *same], run.holds.over)
            raise
        await self._load(run)  # what was read meanwhile did not have it yet

    async def _request_cancel(self, name: str, reason: str, who: str) -> CampaignRow:
        row = named(await self._spool.campaigns(), name)
        check_not_ended(row, "cancelled")
        if any(run.id == row.id and run.over for run in self._feeder.runs.values()):
            raise WrongState(f"{name} is about to end, and cannot be cancelled any more")
        await self._spool.request_cancel(CancelRequest(row.id, reason, who, self._clocks.wall()))
        return row

    def _cancel_here(self, row: CampaignRow) -> None:
        run = self._feeder.runs.get(row.id)
        if run is None or run.helped:
            self._cancelled_at_rest(row)
        else:
            self._cancelled(run)

    def _own_fault(self, run: Run, hold: Hold) -> None:
        background(self._write_own_fault(run, hold), "writing that a campaign holds itself")
        self._changed(run)

    async def _write_own_fault(self, run: Run, hold: Hold) -> None:
        try:
            await self._spool.hold(hold)
        except OwnFault as fault:
            _log.error("that a campaign holds itself could not be written: {fault}", fault=fault, campaign=run.name)

    async def _lift(self, hold: Hold, name: str, who: str) -> None:
        if await self._spool.lift(hold.campaign_id, hold.kind, hold.provider, self._clocks.wall()):
            by = f" by {who}" if who else ""
            _log.info("{campaign} is released{by}; it was {words}", campaign=name, by=by, words=hold.words)
        run = self._feeder.runs.get(hold.campaign_id)
        if run is not None:
            await self._load(run)

    async def _look(self) -> None:
        try:
            holds = await self._spool.holds()
            for row in await self._spool.campaigns():
                if row.state == CANCELLING:
                    self._cancel_here(row)
            for run in list(self._feeder.runs.values()):
                if not run.over and set(run.holds.active) != {one for one in holds if one.campaign_id == run.id}:
                    await self._load(run)
        except OwnFault as fault:
            _log.error("what holds campaigns could not be read: {fault}", fault=fault)
            self._again = True
        finally:
            self._looking = False
        if self._again and not self._closed:
            self._again = False
            self._clocks.reactor.callLater(1.0, self.look)

    async def _load(self, run: Run) -> None:
        over = await self._spool.held_times(run.id)
        active = [hold for hold in await self._spool.holds() if hold.campaign_id == run.id]
        self._apply(run, active, over)

    def _apply(self, run: Run, active: Iterable[Hold], over: Iterable[HeldTime]) -> None:
        before, run.holds = run.holds, Holds(active, over)
        fresh = run.holds.providers - before.providers
        if run.guard is not None:
            run.guard.held(before.by_rule, run.holds.by_rule)
        if run.id in self._feeder.runs:
            for provider in [""] if "" in fresh else fresh:
                self._feeder.take_back(run, provider)
            if before.providers - run.holds.providers:
                self._feeder.open_queues.unpark(run)
            if before.providers != run.holds.providers and not run.holds.whole:  # what is held is found, and parked
                self._feeder.rescan()
            for provider in run.holds.by_rule - before.by_rule:
                self._ruled(run, next(h.reason for h in run.holds.active if (h.kind, h.provider) == ("rule", provider)))
            self._changed(run)
        self._plan([run, *self._feeder.runs.values()])

    # the one timer

    def _plan(self, runs: Iterable[Run]) -> None:
        ends = [hold.until for run in runs for hold in run.holds.active if hold.until is not None]
        if ends and not self._closed:
            left = max(0.0, min(ends) - self._clocks.wall())
            self._until.at(self._clocks.now() + min(left + 0.001, _LOOK_AT_THE_CLOCK))

    def _lift_soon(self) -> None:
        background(self._lift_due(), "releasing what was held until now")

    async def _lift_due(self) -> None:
        try:
            gone = await self._spool.lift_due(self._clocks.wall())
            for run in list(self._feeder.runs.values()):
                if any(hold.campaign_id == run.id for hold in gone):
                    _log.info("{campaign} goes on: it was held until now", campaign=run.name)
                    await self._load(run)
        except BulkmailError as error:
            _log.error("what was held until now could not be released: {error}", error=error)
            if not self._closed:
                self._until.at(self._clocks.now() + _AGAIN)
            return
        self._plan(self._feeder.runs.values())


def _is_there(path: str) -> bool:
    return os.path.lexists(path)
