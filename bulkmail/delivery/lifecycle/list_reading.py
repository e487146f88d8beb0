"""The lists of the campaigns that are being sent: opened, read into the spool, stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.lifecycle.importing import Importing, changed_lists, elsewhere, read_to_the_end, reading_job
from bulkmail.delivery.lifecycle.opening import Opened, Prepared
from bulkmail.delivery.run import Run
from bulkmail.spool import Spool

_log = Logger("bulkmail")


class ListReading:
    """Reads the lists of campaigns, each campaign's in a process of its own.

    ``suppress``: the operator's own lists; ``scratch``: a folder for what is too much for the memory of these
    processes. ``stored(run)`` is called after each batch that is durable, and at the end.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        spool: Spool,
        wall: Callable[[], float],
        suppress: list[str],
        scratch: str,
        stored: Callable[[Run], None],
    ) -> None:
        self._reactor = reactor
        self._spool = spool
        self._wall = wall
        self._suppress = suppress
        self._scratch = scratch
        self._stored = stored
        self._imports: dict[int, Importing] = {}
        self._reading: dict[int, Deferred[None]] = {}

    def apply(self, suppress: list[str]) -> None:
        """Use other lists of the operator for campaigns that are opened from now on."""
        self._suppress = suppress

    async def changed(self, prepared: Prepared) -> bool:
        """Return whether a campaign is finished and its lists are not as they were read: then new rows are sent to."""
        row = await self._spool.campaign(prepared.campaign.name)
        if row is None or row.state != "finished":
            return False
        lists = [path.plain for path in prepared.campaign.recipient_paths]
        changed = await changed_lists(self._reactor, lists, await self._spool.import_state(row.id))
        for name in changed:
            _log.info(
                "{list} has changed since {campaign} was finished; new rows are sent to", list=name, campaign=row.name
            )
        return bool(changed)

    async def open(self, prepared: Prepared, opened: Opened) -> Importing:
        """Open a campaign's lists, to be read on from where it stands. Raises Refused, OwnFault."""
        run = opened.run
        importing = Importing(
            reactor=self._reactor,
            spool=self._spool,
            run=run,
            job={
                **reading_job(prepared.campaign, opened.row.input_rows, opened.reading, self._suppress, self._scratch),
                "elsewhere": elsewhere(run),
            },
            wall=self._wall,
            stored=self._stored,
        )
        try:
            for notice in await importing.open():
                _log.warn("{notice}", notice=notice, campaign=run.name)
        except BaseException:
            importing.close()
            raise
        return importing

    def begin(self, run: Run, importing: Importing) -> None:
        """Begin to read the lists that were opened."""
        self._imports[run.id] = importing
        self._reading[run.id] = background(read_to_the_end(run, importing, self._stored), "importing")

    def stop(self, run: Run) -> None:
        """Stop reading a campaign's lists after the batch at hand; a later run resumes behind it."""
        if run.id in self._imports:
            self._imports[run.id].stop()

    def stop_all(self) -> None:
        """Stop reading all lists after the batches at hand."""
        for importing in self._imports.values():
            importing.stop()

    async def ended(self, run: Run) -> None:
        """Wait until a campaign's lists are read to their end, or as far as they were stopped."""
        await self._reading[run.id]

    def forget(self, run: Run) -> None:
        """Forget a campaign that has ended here."""
        del self._imports[run.id], self._reading[run.id]
