"""The order of a lane's ready messages: as they came while one campaign has some, else by campaigns' turns."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from operator import attrgetter

from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run
from bulkmail.shaping import Turns

_TURN = attrgetter("turn")


class InTurn:
    """Adds messages to ``ready``, from whose left end others take them.

    A message's place is found as it comes, so that taking one costs nothing more. While all of them are of one campaign
    (``only``) nothing is counted: further ones of it may as well be appended.
    """

    __slots__ = ("_ready", "_turns", "only")

    def __init__(self, ready: deque[Message]) -> None:
        self._ready = ready
        self.only: Run | None = None
        self._turns: Turns[Run] = Turns()

    def add(self, message: Message) -> None:
        """Add a message behind those of its campaign, and among those of others where its turn is."""
        if message.run is self.only:
            self._ready.append(message)
        elif not self._ready:
            self.only, self._turns = message.run, Turns()
            self._ready.append(message)
        else:
            self._insert(message)

    def _insert(self, message: Message) -> None:
        ready, turns = self._ready, self._turns
        if self.only is not None:
            self.only = None
            for other in ready:
                other.turn = turns.use(other.run)
        turns.reached = max(turns.reached, ready[0].turn)
        message.turn = turns.use(message.run)
        ready.insert(bisect_right(ready, message.turn, key=_TURN), message)
