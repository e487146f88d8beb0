"""Rows from the ingest process into the spool, a batch at a time, while the first of them are already being sent.

The next batch is asked for while the last one is being stored, so reading and storing overlap; never more than one
batch waits, so memory stays bounded. Rows that may be duplicates are stored but held; when the files have been read
to their end, the process decides each of them exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.campaign import INGEST, Campaign, reading_options
from bulkmail.delivery.background import Once
from bulkmail.delivery.lifecycle.opening import sent_of
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError, OwnFault, Problem, Status, checked, problems_of
from bulkmail.spool import ENDED_BY, Spool
from bulkmail.workers import DATABASE, Worker, WorkerDiedError, WorkerLateError

_log = Logger("bulkmail")

_ROWS = 5000
_FIRST_ROWS = 100  # a small first batch puts the first message on the wire sooner
_SETTLED = 5000
_TRY_AGAIN = 5.0
_COMPARED_WITHIN = 60.0

Kept = TypeVar("Kept")


class Importing:
    """Imports one campaign's recipient files. ``stored(rows)`` is called after each batch is durable."""

    def __init__(
        self,
        *,
        reactor: Any,
        spool: Spool,
        run: Run,
        job: dict[str, Any],
        wall: Callable[[], float],
        stored: Callable[[Run], None],
    ) -> None:
        self._worker = Worker.start(reactor, INGEST, further=DATABASE)
        self._reactor = reactor
        self._spool = spool
        self._run = run
        self._job = job
        self._wall = wall
        self._stored = stored
        self._stopped = False

    async def open(self) -> list[Problem]:
        """Open the files; what the operator should know about them. Raises Refused, and OwnFault."""
        answer = await self._ask(("open", self._job))
        return problems_of(answer[2])

    async def import_all(self) -> None:
        """Read to the end. Raises Refused when a file is not what it was, and OwnFault."""
        try:
            await self._rows()
            await self._held()
        finally:
            self.close()

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    async def _ask(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        return checked(await self._worker.ask(job, None))

    def stop(self) -> None:
        """End after the batch at hand; a later run resumes behind it."""
        self._stopped = True

    async def _rows(self) -> None:
        run = self._run
        batch: Deferred[Any] = self._worker.ask(("next", _FIRST_ROWS), None)
        try:
            done = False
            while not done and not self._stopped:
                _, rows, state, done = checked(await batch)
                if done:
                    self._tell(state.get("told", ()))
                if not done and not self._stopped:
                    batch = self._worker.ask(("next", _ROWS), None)
                if rows or done:
                    await self._kept(lambda: self._spool.add_rows(run.id, rows, state, done, self._wall()))  # noqa: B023
                    self._count(rows)
                    run.input_rows += len(rows)
                    self._stored(run)
        finally:
            batch.addErrback(lambda _: None)  # after an early end the batch that was asked for ahead is not read

    def _tell(self, notices: Iterable[tuple[Any, ...]]) -> None:
        """Tell what the list, now read to its end, says of who may not be mailed, unless it was told at the start."""
        for file, line, column, message in notices:
            text, place = str(Problem(file, line, column, message)), str(Problem(file, line, column, ""))
            known = self._run.notices
            if text not in known:
                known[:] = [*(one for one in known if not one.startswith(place)), text]  # it knew the first rows only
                _log.warn("{notice}", notice=text, campaign=self._run.name)

    async def _held(self) -> None:
        run = self._run
        done = False
        while not done and not self._stopped:
            _, settled, done, state = await self._ask(("settle", _SETTLED))
            if settled:
                fresh = await self._kept(lambda: self._spool.settle_held(run.id, settled, self._wall()))  # noqa: B023
                run.add_to_totals(Counter({("", str(Status.DUPLICATE), ""): fresh}))
            await self._kept(lambda: self._spool.add_rows(run.id, [], state, True, self._wall()))  # noqa: B023
            if done:
                run.import_done = True
            self._stored(run)

    async def _kept(self, write: Callable[[], Deferred[Kept]]) -> Kept:
        """Return what ``write`` gives, tried again while the disk does not take it. Raises OwnFault when stopped."""
        failed = Once(_log.error)
        while True:
            try:
                return await write()
            except OwnFault as fault:
                if self._stopped:
                    raise
                words = "reading the recipients waits: {text}; it is tried again every 5 s"
                failed(str(fault), words, campaign=self._run.name)
            await deferLater(self._reactor, _TRY_AGAIN)

    def _count(self, rows: list[tuple[Any, ...]]) -> None:
        counted: Counter[tuple[str, str, str]] = Counter()
        for row in rows:
            found = ENDED_BY.get(row[6])
            if found is not None:
                counted["", str(found[0]), str(found[1] or "")] += 1
        if counted:
            run = self._run
            run.add_to_totals(counted)


def reading_job(campaign: Campaign, skip: int, resume: Any, suppress: Sequence[str], scratch: str) -> dict[str, Any]:
    """Return what the ingest process is told: to go on behind row ``skip``, where reading stands at ``resume``.

    ``suppress``: the operator's own lists; ``scratch``: a folder for what is too much for the memory.
    """
    return {
        **reading_options(campaign, suppress),
        "lenient": True,
        "skip": skip,
        "resume": resume,
        "scratch": scratch,
    }


def elsewhere(run: Run) -> str:
    """Say what a list that was changed would do in a campaign of another name."""
    got = sent_of(run.totals)
    if not got:
        return ""
    return (
        f"; in a campaign of another name it would go again to the {got:,} who have it, unless these are left out "
        f"there (`suppress: {{got: {run.name}}}`), or it goes to the rest alone (`recipients: {{rest_of: {run.name}}}`)"
    )


async def changed_lists(reactor: Any, lists: Sequence[Any], reading: Any) -> list[str]:
    """Return a finished campaign's lists that are not as they were read, by name; none where that takes over a minute.

    ``lists`` are plain data of `ListPath`, ``reading`` the state that was stored. Raises Refused where one is gone.
    """
    worker = Worker.start(reactor, INGEST, further=DATABASE)
    try:
        names: list[str] = checked(await worker.ask(("changed", list(lists), reading), _COMPARED_WITHIN))[1]
    except (WorkerDiedError, WorkerLateError):
        return []
    finally:
        await worker.close()
    return names


async def read_to_the_end(run: Run, importing: Importing, stored: Callable[[Run], None]) -> None:
    """Read a campaign's recipients to the end; a list that cannot be read leaves the run broken."""
    try:
        await importing.import_all()
    except BulkmailError as error:
        _log.error("{campaign}: reading the recipients was stopped: {reason}", campaign=run.name, reason=error)
        run.broken = True
    except Exception:  # noqa: BLE001 - whatever it is: a campaign that is never read to its end would never end
        _log.failure("reading the recipients failed", campaign=run.name)
        run.broken = True
    stored(run)
