"""What travels through the delivery room: queues of a campaign's domains, and the messages claimed from them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkmail.mail import AddressError, address_in
from bulkmail.spool import Claimed

if TYPE_CHECKING:
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.run import Run


@dataclass(slots=True, eq=False)
class Queue:
    """The recipients of one campaign at one domain, as far as they are open for sending in this process.

    ``told_at``: when the other machines of a shared spool were last told that its site rests.
    """

    id: int
    run: Run
    domain: str
    lane: Lane | None = None
    claiming: bool = False
    told_at: float = float("-inf")


class Queues:
    """A lane's queues, served in turn. With a relay they are all there are, so nothing here looks at each of them.

    ``claiming``: so many of them have been claimed from and the answer is not there yet.
    """

    __slots__ = ("_ring", "claiming")

    def __init__(self) -> None:
        self.claiming = 0
        self._ring: OrderedDict[Queue, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ring)

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._ring)

    def __contains__(self, queue: Queue) -> bool:
        return queue in self._ring

    def add(self, queue: Queue) -> None:
        """It is the last in line."""
        self._ring[queue] = None

    def discard(self, queue: Queue) -> None:
        """It has no place in line any more."""
        self._ring.pop(queue, None)

    def clear(self) -> None:
        """Nobody has."""
        self._ring.clear()

    def next(self) -> Queue:
        """The first in line, which is the last from now on. Raises StopIteration where there is none."""
        queue = next(iter(self._ring))
        self._ring.move_to_end(queue)
        return queue


@dataclass(slots=True, eq=False)
class Message:
    """One claimed recipient on its way: first without, then with its bytes, until its outcome is recorded."""

    claimed: Claimed
    queue: Queue
    run: Run
    lane: Lane  # the one that claimed it; its queue may be at another by now
    wire: bytes = b""
    size: int = 0
    sender: str = ""
    began: float = 0.0
    free_tries: int = 0
    dotted: bool = False  # its dot is in the journal, and nothing that says what became of it

    @property
    def recipient(self) -> str:
        """The address for RCPT in its one form, the domain as its queue has it."""
        try:
            local = address_in(self.claimed.email).local
        except AddressError:  # taken in by a version with other rules
            local, _, _ = self.claimed.email.strip(" \t").rpartition("@")
        return f"{local}@{self.queue.domain}"
