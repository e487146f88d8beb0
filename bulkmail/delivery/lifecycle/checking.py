"""Checking a campaign in a process of its own, with a deadline and a bound on its memory.

A dropped folder is content from outside. Its check compiles templates, reads suppress lists to their end and may take
seconds, or for ever; the event loop must not wait for it, for every other campaign is sent by it. A list that is asked
of a database comes first: that may take minutes, and keeps no other campaign's check waiting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import DeferredSemaphore

from bulkmail.delivery.lifecycle.of_operator import OfOperator
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.mail import OwnFault, Problem, Refused, checked
from bulkmail.preflight import sender_notices
from bulkmail.settings import Settings
from bulkmail.workers import DATABASE, Worker, WorkerDiedError, WorkerLateError

CHECKER = "bulkmail.delivery.lifecycle.checker:Checker"
WITHIN = 60.0
ASKING_WITHIN = 660.0  # seconds for the lists of databases, of which each may take 600
_AT_ONCE = 2


class Checking:
    """Checks campaigns, a few at once, each in a process that ends with its check."""

    def __init__(self, reactor: Any, settings: Settings, hostname: str) -> None:
        """``hostname``: the EHLO name."""
        self._reactor = reactor
        self._hostname = hostname
        self._spool = settings.spool
        self.apply(settings)
        self._turns, self._asking = DeferredSemaphore(_AT_ONCE), DeferredSemaphore(_AT_ONCE)
        self._workers: set[Worker] = set()
        self._stopped = False

    def apply(self, settings: Settings) -> None:
        """Check with these settings from now on."""
        self._of_sender = settings, self._hostname
        self._settings = OfOperator.plain(settings)

    def stop(self) -> None:
        """End the checks that are under way; they and all later ones raise OwnFault."""
        self._stopped = True
        for worker in self._workers:
            worker.kill()

    async def prepare(self, path: str) -> Prepared:
        """Return the campaign in the folder ``path``, checked. Raises Refused, also where it does not end in time.

        OwnFault where it was stopped, WorkerFailedError where the check has an error in itself.
        """
        answer = await self._in_turn(self._turns, "check", path, WITHIN)
        if answer[0] == "to-be-asked":
            answer = await self._in_turn(self._asking, "ask", path, ASKING_WITHIN)
            if answer[0] == "asked":
                answer = await self._in_turn(self._turns, "check", path, WITHIN)
        if answer[0] == "to-be-asked":
            words = "the answer of a database was removed from its folder while it was checked; it is asked again"
            raise OwnFault(words)
        prepared = Prepared.of(checked(answer)[1], path, self._spool, follow=False)
        about_sender = sender_notices(prepared.campaign, *self._of_sender)
        return replace(prepared, notices=(*prepared.notices, *about_sender))

    async def _in_turn(self, turns: DeferredSemaphore, verb: str, path: str, within: float) -> tuple[Any, ...]:
        await turns.acquire()
        try:
            return await self._answer(verb, path, within)
        finally:
            turns.release()

    async def _answer(self, verb: str, path: str, within: float) -> tuple[Any, ...]:
        if self._stopped:
            raise OwnFault("the service is being stopped")
        worker = Worker.start(self._reactor, CHECKER, further=DATABASE)  # for `rest_of`, `got` and copies
        self._workers.add(worker)
        try:
            answer: tuple[Any, ...] = await worker.ask((verb, path, self._settings), within)
        except WorkerLateError:
            words = f"its check took longer than {within:g} s and was ended; make its templates and lists smaller"
            if verb == "ask":
                words = f"its database has not answered the query within {within:g} s; make the query quicker"
            raise Refused([Problem(path, 0, 0, words)]) from None
        except WorkerDiedError as error:
            if self._stopped:
                raise OwnFault("the service is being stopped") from None
            words = f"its check ended the process that made it ({error}); make its templates and lists smaller"
            raise Refused([Problem(path, 0, 0, words)]) from None
        finally:
            self._workers.discard(worker)
            await worker.close()
        return answer
