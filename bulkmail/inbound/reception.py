"""What all connections of the server share."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from bulkmail.inbound.limits import Gate, Limits, Room
from bulkmail.inbound.lines import Lines
from bulkmail.inbound.octets import Spill
from bulkmail.inbound.received import Accepts, Take
from bulkmail.net import Certificate

_log = Logger("bulkmail")

_FAULT_LINES_A_SECOND = 3  # a disk that is full is so for each message


@dataclass
class Reception:
    """``hostname``: our name; ``wall``: seconds since the epoch; ``taken``, ``refused``: lines for the log;
    ``faults``: those about our own faults; ``spill``: makes a file for a message that is not kept in memory.

    ``live`` are the connections that were let in.
    """

    reactor: Any
    hostname: str
    accepts: Accepts
    take: Take
    limits: Limits
    wall: Callable[[], float]
    taken: Lines
    refused: Lines
    spill: Spill
    certificate: Certificate | None = None
    stopping: bool = False
    live: set[Protocol] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make what is counted."""
        self.faults = Lines(_error, self.reactor.seconds, _FAULT_LINES_A_SECOND)
        self.gate = Gate(self.limits)
        self.room = Room(self.limits.memory)
        self._numbers = itertools.count(int(self.wall() * 1_000_000))

    def new_id(self) -> str:
        """Return a name for a message that no other has, in 11 or so characters."""
        return _in_letters(next(self._numbers))

    def tls_ready(self) -> bool:
        """Return whether STARTTLS can be offered; the certificate is the newest then."""
        if self.certificate is None:
            return False
        self.certificate.look()
        return True


def _error(text: str) -> None:
    _log.error("{text}", text=text)


def _in_letters(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return digits
