"""The last look at who is not mailed: between a composed message and its lane.

A recipient who unsubscribes, complains or returns mail while a campaign is sent must get nothing that is composed
afterwards. So the spool is asked behind the composing and not before it: whatever was written into it before a message
was composed is found, however long the composing took, and whichever process or machine wrote it. What is composed for
nothing is only that of recipients who were suppressed since their rows were read.

Messages that come back while the spool is asked are asked about together, and go on a few in each turn of the event
loop: all at once they would be handed to their connections in one turn, and the replies come in one turn as well. Where
it is known that there is no suppression at all, as a spool in a file knows, nothing is asked.
"""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import Any, Protocol

from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing.composing import Receiver
from bulkmail.mail import Address, Category, OwnFault, Status, local_in
from bulkmail.spool import Spool, Suppression

_log = Logger("bulkmail")

_AT_ONCE = 256  # messages that one question is about
_A_TURN = 3  # messages that go on in one turn of the event loop


class Entrance(Receiver, Protocol):
    """What is behind the gate."""

    stopping: bool


class Gate:
    """Hands composed messages to ``behind``, but for those of suppressed recipients: their rows end here."""

    def __init__(self, reactor: Any, behind: Entrance, *, spool: Spool, ledger: Ledger, pause: Pause) -> None:
        self._reactor = reactor
        self._behind = behind
        self._spool = spool
        self._ledger = ledger
        self._pause = pause
        self._waiting: list[tuple[Message, int]] = []  # each with the edition of its text
        self._asking = False
        self._ask_soon = Wakeup(reactor, self._ask)
        self.unrenderable = behind.unrenderable
        self.not_composed = behind.not_composed

    def composed(self, message: Message) -> None:
        """Take a composed message."""
        if not self._waiting and not self._asking and not self._spool.may_suppress:
            self._behind.composed(message)
            return
        self._waiting.append((message, message.run.edition))
        if not self._asking:
            self._ask_soon.now()

    def _ask(self) -> None:
        if self._waiting and not self._asking:
            self._asking = True
            background(self._ask_all(), "looking up who is not mailed")

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                for run, of_one in groupby(some, lambda one: one[0].run):
                    left = deque(of_one)
                    try:
                        await self._ask_about(left)
                    except Exception:  # noqa: BLE001 - whatever it is: what is left is not sent, and not lost
                        _log.failure("looking up who is not mailed failed", campaign=run.name)
                    self._behind.not_composed([message for message, _ in left])
        finally:
            self._asking = False

    async def _ask_about(self, left: deque[tuple[Message, int]]) -> None:
        """Let messages of one campaign pass, or end; each leaves ``left`` then."""
        run = left[0][0].run
        keys = [_key(message) for message, _ in left]
        try:
            found = await self._spool.suppressed(keys, run.audience)
        except OwnFault as fault:  # what cannot be looked up is not sent
            self._pause.own_fault(str(fault))
            return
        for number, key in enumerate(keys):
            if number and not number % _A_TURN:
                await deferLater(self._reactor, 0)
            message, edition = left.popleft()
            if edition != run.edition:
                self._behind.not_composed([message])
            elif key in found and not run.over and not self._behind.stopping:
                self._end(message, found[key])
            else:
                self._behind.composed(message)

    def _end(self, message: Message, entry: Suppression) -> None:
        """End a row; one of which a copy may have arrived already is `unknown`, as where it is cancelled."""
        claimed = message.claimed
        message.wire, message.size = b"", 0
        message.holder.hold(-1, message.run)
        message.holder.wake()
        status, category = (Status.UNKNOWN, claimed.category) if claimed.doubt else (Status.SUPPRESSED, entry.reason)
        self._ledger.close(
            message, status, Category(category) if category else None, entry.words, provider=claimed.provider
        )


def _key(message: Message) -> str:
    """Return the recipient's `Address.key`."""
    return Address(local_in(message.claimed.email), message.domain).key
