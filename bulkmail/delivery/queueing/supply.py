"""How one lane is supplied: from which queues, in which turn, and how many messages are claimed ahead."""

from __future__ import annotations

from collections.abc import Callable

from bulkmail.delivery.lane import Lane
from bulkmail.delivery.queueing.queues import Queue, Queues

FIRST_TARGET = 8  # messages
LARGEST_TARGET = 1024  # messages of one lane: a claim takes as long as the disk does, and meanwhile nothing comes
_WIDEST = 512  # queues of one lane claimed from at once: with a relay all small domains are in one lane


class Supply:
    """The queues of ``lane``; what the lane calls (`lane.Supplier`) goes to the feeder.

    ``target``: messages to hold for the lane. It doubles when the lane ran dry while claims were under way.
    ``queues_per_claim``: so many queues are claimed from at once; it doubles when queues run empty (a hoster's thousand
    small domains) and halves while they are deep. ``claims``: those under way.
    """

    def __init__(
        self,
        new_lane: Callable[[Supply], Lane],
        *,
        hold: Callable[[int], None],
        wanted: Callable[[Supply], None],
        suspended: Callable[[Supply], None],
    ) -> None:
        self.queues = Queues()
        self.target = FIRST_TARGET
        self.queues_per_claim = 1
        self.claims = 0
        self.hold = hold  # by the lane for each message: no call in between
        self._wanted = wanted
        self._suspended = suspended
        self.lane = new_lane(self)

    def __repr__(self) -> str:
        return f"<Supply of {self.lane.site.name} target={self.target} queues={len(self.queues)}>"

    @property
    def wanted(self) -> int:
        """Messages that the lane could take now."""
        lane = self.lane
        return 0 if lane.closed or lane.suspended or not self.queues else max(0, self.target - lane.held)

    # what the lane tells

    def below_target(self) -> None:
        """Ask the feeder for messages once at least half of the target is missing."""
        backlog = self.lane.backlog
        if self.queues and self.target - backlog.held > self.target // 2 and not backlog.closed:
            self._wanted(self)

    def suspended(self) -> None:
        """Tell the feeder that the lane sends nothing for a while."""
        self._suspended(self)

    # what the feeder does

    def next_queues(self, limit: int) -> list[tuple[Queue, int]]:
        """Return the queues to claim from next, and how many messages from each, ``limit`` in all."""
        found: list[tuple[Queue, int]] = []
        each = max(2, limit // self.queues_per_claim)  # one more than a row that stands alone: the claim shows that
        for _ in range(len(self.queues)):
            if limit <= 0:
                break
            queue = self.queues.next()
            if not queue.claiming:
                found.append((queue, min(limit, each)))
                limit -= min(limit, each)
        return found

    def claim_ended(self) -> None:
        """End one claim; with the last of a round it shows whether the lane ran dry meanwhile."""
        self.claims -= 1
        if not self.claims and self.lane.starved:
            self.target = min(LARGEST_TARGET, self.target * 2)

    def spread(self, *, emptied: bool) -> None:
        """Claim from more queues at once where a claim has ``emptied`` its queue, else from fewer."""
        if emptied:
            self.queues_per_claim = min(_WIDEST, self.queues_per_claim * 2)
        else:
            self.queues_per_claim = max(1, self.queues_per_claim // 2)
