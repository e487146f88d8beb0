"""The sign of life of this process in the spool, for those who look at it from outside (`bulkmail status`)."""

from __future__ import annotations

from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.pause import Pause
from bulkmail.mail import OwnFault
from bulkmail.spool import Sign, Spool

_log = Logger("bulkmail")

_EVERY = 5.0  # seconds


class Pulse:
    """Writes a sign every few seconds, and at once where a fault begins or ends. ``look`` is called once a second.

    ``machine``: this machine's name; ``process``: the id of this process.
    """

    def __init__(self, spool: Spool, clocks: Clocks, pause: Pause, machine: str, process: int) -> None:
        self._spool = spool
        self._clocks = clocks
        self._pause = pause
        self._machine = machine
        self._process = process
        self._due = 0.0
        self._told: str | None = None
        self._writing = False

    def look(self) -> None:
        """Write a sign if it is time."""
        if not self._writing and (self._clocks.now() >= self._due or self._told != self._pause.recent_fault):
            self._writing = True
            background(self._write(), "writing a sign of life")

    async def _write(self) -> None:
        fault = self._pause.recent_fault
        since = self._pause.fault_since if fault else None
        self._told, self._due = fault, self._clocks.now() + _EVERY
        try:
            await self._spool.give_sign(Sign(self._machine, self._process, self._clocks.wall(), fault, since))
        except OwnFault:
            self._told = None  # what cannot be written is told by those who must write
        finally:
            self._writing = False
