"""The end of a campaign that is cancelled: every row that is not settled is ended, some thousand at a time.

Its state in the spool keeps all processes from claiming rows of it. The list is read to its end first, so that the
report has every row of the input, and what the reading says of a row (invalid, suppressed, a duplicate) stands. What is
on a connection ends, here and on other machines: what comes of it is settled as always, and what comes back is ended
too. A row of which a copy may have arrived becomes `unknown`, all others `cancelled`. What breaks this off, the next
start of the campaign goes on with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.campaign import sender_domain
from bulkmail.delivery.background import Once, background, until
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.holds import Holds
from bulkmail.delivery.lifecycle.comparing import with_winner
from bulkmail.delivery.lifecycle.importing import Importing, reading_job
from bulkmail.delivery.lifecycle.joining import Joining
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.run import Run
from bulkmail.exit_status import STOPPED
from bulkmail.mail import BulkmailError, OwnFault, Status
from bulkmail.report import Place
from bulkmail.spool import CANCELLED, CANCELLING, CampaignRow, Spool

_log = Logger("bulkmail")

_ROWS = 2000  # in one transaction: outcomes of other campaigns are written in between
_LOOK_AGAIN = 0.05  # seconds, while rows are claimed
_TRY_AGAIN = 5.0


async def settle_rest(
    run: Run, *, spool: Spool, clocks: Clocks, stopping: Callable[[], bool], changed: Callable[[Run], None]
) -> bool:
    """End all rows of a campaign whose list is read; return whether all are ended, which ``stopping()`` may prevent.

    ``changed(run)`` is called after each batch; the figures of ``run`` are the spool's then.
    """
    run.shared = True  # only the spool can count from here on
    claimed, failed = True, Once(_log.error)
    while not stopping():
        try:
            # In this order: a row that is claimed no longer may wait again, and a batch waits for claims under way.
            ended = await spool.cancel_rows(run.id, _ROWS, clocks.wall())
            if not ended and not claimed:
                return True
            claimed = await spool.still_claimed(run.id)
            totals = await spool.totals(run.id)
        except OwnFault as fault:
            words = "{campaign}: cancelling waits: {text}; it is tried again every 5 s"
            failed(str(fault), words, campaign=run.name)
            await deferLater(clocks.reactor, _TRY_AGAIN)
            continue
        run.counted(Counter({key: count for key, count in totals.items() if key[1] != Status.PENDING}))
        changed(run)
        if not ended and claimed:
            await deferLater(clocks.reactor, _LOOK_AGAIN)
    return False


async def run_of(spool: Spool, row: CampaignRow) -> Run:
    """Return a campaign that is not being sent, with the spool's figures."""
    totals, winner = await spool.totals(row.id), await spool.winner(row.id)
    content = await spool.content(row.id)
    run = Run(
        id=row.id,
        name=row.name,
        folder=row.folder,
        content=content if winner is None else with_winner(content, winner.variant, winner.why),
        on_unknown=row.on_unknown,
        started_at=row.started_at or row.created_at,
        input_rows=row.input_rows,
        import_done=row.import_done,
        plan=await spool.plan(row.id),
        holds=Holds(hold for hold in await spool.holds() if hold.campaign_id == row.id),
    )
    run.counted(Counter({key: count for key, count in totals.items() if key[1] != Status.PENDING}))
    return run


class AtRest:
    """Ends campaigns that are not being sent: in the service that has their spool open, or in a command.

    ``suppress`` and ``scratch`` as for sending: the rest of a list is read as it would be for sending.
    ``check(folder)`` checks a campaign's folder, and raises BulkmailError. ``joining``: on a spool that machines share.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        spool: Spool,
        clocks: Clocks,
        reporting: Reporting,
        suppress: Sequence[str],
        scratch: str,
        stopping: Callable[[], bool] = lambda: False,
        check: Callable[[str], Awaitable[Prepared]] | None = None,
        joining: Joining | None = None,
    ) -> None:
        self._reactor = reactor
        self._spool = spool
        self._clocks = clocks
        self._reporting = reporting
        self._suppress = suppress
        self._scratch = scratch
        self._stopping = stopping
        self._check = check
        self._joining = joining
        self._busy: set[int] = set()
        self._opening: set[str] = set()

    def apply(self, suppress: Sequence[str]) -> None:
        """Read lists with other lists of the operator's from now on."""
        self._suppress = suppress

    @contextmanager
    def opening(self, name: str) -> Iterator[None]:
        """Leave a campaign alone that is about to be sent, until it is `opened`, or was not."""
        self._opening.add(name)
        try:
            yield
        finally:
            self._opening.discard(name)

    async def opened(self, run: Run) -> bool:
        """Take note that the feeder has a campaign now; return whether its end was asked for meanwhile."""
        self._opening.discard(run.name)
        row = await self._spool.campaign(run.name)
        return row is not None and row.state == CANCELLING

    def asked(self, row: CampaignRow) -> None:
        """End a cancelled campaign that is not being sent; one that is being opened is looked at when it is."""
        if row.name not in self._opening:
            self.begin(row)

    def begin(self, row: CampaignRow, prepared: Prepared | None = None) -> None:
        """End a campaign, once however often it is asked for; ``prepared``: its folder, where that was checked."""
        if row.id not in self._busy and not self._stopping():
            self._busy.add(row.id)
            background(self._end(row, prepared), "cancelling a campaign")

    async def finish(self, row: CampaignRow, prepared: Prepared) -> None:
        """End a campaign that is "cancelling", and wait until that is over; one that is "cancelled" stays as it is."""
        if row.state == CANCELLING:
            self.begin(row, prepared)
        await self.over(row)

    async def over(self, row: CampaignRow | None = None) -> None:
        """Wait until it is over with this campaign, or with all, whether or not they have ended."""
        await until(self._reactor, lambda: not self._busy if row is None else row.id not in self._busy)

    async def _end(self, row: CampaignRow, prepared: Prepared | None) -> None:
        try:
            if self._joining is None:
                await self.end(row, prepared or await self._checked(row))
            elif not await self._joining.take_over(row.name):  # else it is another machine's, which was notified
                try:
                    await self.end(row, prepared or await self._checked(row))
                finally:
                    await self._joining.give_up(row.name)
        except OwnFault as fault:
            _log.error(
                "{campaign} is not cancelled yet: {fault}; the next start goes on", campaign=row.name, fault=fault
            )
        finally:
            self._busy.discard(row.id)

    async def _checked(self, row: CampaignRow) -> Prepared | None:
        if self._check is None:
            return None
        try:
            return await self._check(row.folder)
        except BulkmailError as error:
            _log.warn("{campaign}: the rest of its list is not read: {error}", campaign=row.name, error=error)
            return None

    async def end(self, row: CampaignRow, prepared: Prepared | None) -> bool:
        """End a campaign that is "cancelling", and write its report; return whether both were done.

        ``prepared``: its folder, checked; where there is none, rows that were not read yet stay unread.
        """
        spool, wall = self._spool, self._clocks.wall
        run = await run_of(self._spool, row)
        folder = Place(row.folder, known=None if prepared is None else prepared.campaign.opened.id)
        files = [(name, columns) for _, name, columns in await spool.input_files(row.id)]
        self._reporting.open(run, folder, files, sender_domain(run.content["from"]), row.report_position)
        if prepared is not None:
            await self._read(run, row, prepared)
        settled = await self.settle(run)
        state, now = (CANCELLED, wall()) if settled else (CANCELLING, None)
        if settled:
            await spool.set_state(row.id, CANCELLED, wall(), exit_status=STOPPED)
        written = await self._reporting.finish(run, state, STOPPED, now)
        if settled and written:
            await spool.report_is_whole(row.id)
        counts = ", ".join(f"{status} {count:,}" for status, count in run.by_status.items() if count)
        _log.info("{campaign}: {state}, {counts}", campaign=row.name, state=state, counts=counts or "no recipients")
        return settled and written

    async def settle(self, run: Run) -> bool:
        """End all rows of a campaign whose list is read; return whether that was done before the process stopped."""
        changed = self._reporting.changed
        return await settle_rest(run, spool=self._spool, clocks=self._clocks, stopping=self._stopping, changed=changed)

    async def _read(self, run: Run, row: CampaignRow, prepared: Prepared) -> None:
        """Read the rest of the list; where it cannot be read, the log says so, and what is read must do."""
        run.import_done = False
        importing = Importing(
            reactor=self._reactor,
            spool=self._spool,
            run=run,
            job=reading_job(
                prepared.campaign, row.input_rows, await self._spool.import_state(row.id), self._suppress, self._scratch
            ),
            wall=self._clocks.wall,
            stored=lambda _: importing.stop() if self._stopping() else None,
        )
        try:
            await importing.open()
            await importing.import_all()
        except BulkmailError as error:
            _log.error("{campaign}: the rest of its list was not read: {reason}", campaign=run.name, reason=error)
        finally:
            importing.close()
