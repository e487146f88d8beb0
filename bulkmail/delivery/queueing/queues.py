"""Queues: the recipients of one campaign at one domain. A lane is supplied from the queues of its site in turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from bulkmail.delivery.lane import Lane
from bulkmail.delivery.run import Run

_WIDEST = 512  # queues of one ring claimed from at once: with a relay all small domains are in one lane


@dataclass(slots=True, eq=False)
class Queue:
    """The recipients of one campaign at one domain, as far as they are open for sending in this process.

    ``lanes``: where its messages go, once it is routed, one for each source that they leave from. ``claiming``: a claim
    is under way. ``told_at``: when the other machines of a shared spool were last told that its site is suspended, in
    seconds on the reactor's clock.
    """

    id: int
    run: Run
    domain: str
    lanes: list[Lane] = field(default_factory=list)
    claiming: bool = False
    told_at: float = float("-inf")


class Ring:
    """The queues of one campaign in a lane, served in turn. With a relay all are in one, so nothing looks at each.

    ``queues_per_claim``: so many queues are claimed from at once; it doubles when queues run empty (a hoster's thousand
    small domains) and halves while they are deep.
    """

    __slots__ = ("_queues", "queues_per_claim")

    def __init__(self) -> None:
        self._queues: OrderedDict[Queue, None] = OrderedDict()
        self.queues_per_claim = 1

    def __len__(self) -> int:
        return len(self._queues)

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues)

    def __contains__(self, queue: Queue) -> bool:
        return queue in self._queues

    def add(self, queue: Queue) -> None:
        """Append a queue."""
        self._queues[queue] = None

    def discard(self, queue: Queue) -> None:
        """Remove a queue, if present."""
        self._queues.pop(queue, None)

    def next(self) -> Queue:
        """Return the first queue and move it to the end. Raises StopIteration where there is none."""
        queue = next(iter(self._queues))
        self._queues.move_to_end(queue)
        return queue

    def next_claims(self, limit: int) -> list[tuple[Queue, int]]:
        """Return the queues to claim from next, and how many messages from each, ``limit`` in all."""
        found: list[tuple[Queue, int]] = []
        each = max(2, limit // self.queues_per_claim)  # one more than a row that stands alone: the claim shows that
        for _ in range(len(self._queues)):
            if limit <= 0:
                break
            queue = self.next()
            if not queue.claiming:
                found.append((queue, min(limit, each)))
                limit -= min(limit, each)
        return found

    def spread(self, *, emptied: bool) -> None:
        """Claim from more queues at once where a claim has ``emptied`` its queue, else from fewer."""
        if emptied:
            self.queues_per_claim = min(_WIDEST, self.queues_per_claim * 2)
        else:
            self.queues_per_claim = max(1, self.queues_per_claim // 2)


class Queues:
    """The queues of one lane: a ring for each campaign that has some (``rings``)."""

    __slots__ = ("rings",)

    def __init__(self) -> None:
        self.rings: dict[Run, Ring] = {}

    def __len__(self) -> int:
        return sum(map(len, self.rings.values()))

    def __bool__(self) -> bool:
        return bool(self.rings)

    def __iter__(self) -> Iterator[Queue]:
        for ring in self.rings.values():
            yield from ring

    def __contains__(self, queue: Queue) -> bool:
        return queue.run in self.rings and queue in self.rings[queue.run]

    def add(self, queue: Queue) -> bool:
        """Append a queue; whether its campaign had none before."""
        ring = self.rings.get(queue.run)
        if ring is None:
            ring = self.rings[queue.run] = Ring()
        ring.add(queue)
        return len(ring) == 1

    def discard(self, queue: Queue) -> bool:
        """Remove a queue, if present; whether its campaign has none any more."""
        ring = self.rings.get(queue.run)
        if ring is None:
            return False
        ring.discard(queue)
        if ring:
            return False
        del self.rings[queue.run]
        return True

    def clear(self) -> None:
        """Remove all queues."""
        self.rings.clear()
