"""The rows of a campaign's lists, read by the process that reads them for the sending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from bulkmail.campaign import INGEST, Campaign, reading_options
from bulkmail.mail import Problem, checked, problems_of
from bulkmail.workers import DATABASE, Worker

_ROWS = 2000

Recipient = tuple[int, int, int, str, str, str, str, str]
"""Number, file number, row in its file, address as written, domain, cells as JSON, verdict, note."""


@dataclass(frozen=True)
class Begun:
    """How far the lists of a campaign that was started were read: ``reading`` as the spool has it, ``rows`` stored."""

    reading: Any
    rows: int


class Reading:
    """One pass over the lists of a campaign. Raises Refused, and OwnFault."""

    def __init__(self, reactor: Any, campaign: Campaign, suppress: list[str]) -> None:
        self._worker = Worker.start(reactor, INGEST, further=DATABASE)
        self._job = reading_options(campaign, suppress)
        self.told: list[Problem] = []
        """What the lists say of themselves; of who may not be mailed, once all rows were read."""
        self._ahead: Deferred[Any] | None = None
        self._settled = False

    async def open(self, resume: object = None, skip: int = 0) -> None:
        """Open the lists; ``resume`` and ``skip`` as the spool has them prove that what was read is unchanged."""
        answer = await self._ask(("open", {**self._job, "resume": resume, "skip": skip}))
        self.told = problems_of(answer[2])
        self._ahead = self._worker.ask(("next", _ROWS), None)

    async def rows(self) -> list[Recipient] | None:
        """Return the next rows, in order; None behind the last. The next ones are read meanwhile."""
        if self._ahead is None:
            return None
        _, rows, state, done = checked(await self._ahead)
        self._ahead = None if done else self._worker.ask(("next", _ROWS), None)
        if done:
            self.told += problems_of(state.get("told", ()))
        return list(rows)

    async def repeated(self) -> list[tuple[int, str]] | None:
        """Return further rows that repeat the address of an earlier one, and what is said of each; None at the end.

        It may be asked once all rows were read.
        """
        if self._settled:
            return None
        _, settled, self._settled, _ = await self._ask(("settle", _ROWS))
        return [(number, words) for number, is_duplicate, words in settled if is_duplicate]

    async def close(self) -> None:
        """End the process."""
        if self._ahead is not None:
            self._ahead.addErrback(lambda _: None)
        await self._worker.close()

    async def _ask(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        return checked(await self._worker.ask(job, None))
