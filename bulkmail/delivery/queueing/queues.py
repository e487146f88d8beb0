"""Queues: the recipients of one campaign at one domain. A lane is supplied from the queues of its site in turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from bulkmail.delivery.lane import Lane
from bulkmail.delivery.run import Run


@dataclass(slots=True, eq=False)
class Queue:
    """The recipients of one campaign at one domain, as far as they are open for sending in this process.

    ``lane``: where its messages go, once it is routed. ``claiming``: a claim is under way. ``told_at``: when the other
    machines of a shared spool were last told that its site is suspended, in seconds on the reactor's clock.
    """

    id: int
    run: Run
    domain: str
    lane: Lane | None = None
    claiming: bool = False
    told_at: float = float("-inf")


class Queues:
    """A ring of queues, served in turn. With a relay all queues are in one ring, so no operation looks at each."""

    __slots__ = ("_ring",)

    def __init__(self) -> None:
        self._ring: OrderedDict[Queue, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ring)

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._ring)

    def __contains__(self, queue: Queue) -> bool:
        return queue in self._ring

    def add(self, queue: Queue) -> None:
        """Append a queue."""
        self._ring[queue] = None

    def discard(self, queue: Queue) -> None:
        """Remove a queue, if present."""
        self._ring.pop(queue, None)

    def clear(self) -> None:
        """Remove all queues."""
        self._ring.clear()

    def next(self) -> Queue:
        """Return the first queue and move it to the end. Raises StopIteration where there is none."""
        queue = next(iter(self._ring))
        self._ring.move_to_end(queue)
        return queue
