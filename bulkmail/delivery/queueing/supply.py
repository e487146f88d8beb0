"""How one lane is supplied: from which queues, in which turn, and how many messages are claimed ahead.

Where several campaigns have queues in the lane, each has its share of what is claimed ahead, by its weight. One that
comes to a lane full of others' messages gets its share at once, above the target: it need not wait until these have
been sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from bulkmail.delivery.lane import Lane
from bulkmail.delivery.queueing.queues import Queue, Queues
from bulkmail.delivery.run import Run
from bulkmail.shaping import share_of

FIRST_TARGET = 8  # messages
LARGEST_TARGET = 1024  # messages of one lane: a claim takes as long as the disk does, and meanwhile nothing comes
TURN = 64  # messages: more would save hardly any connection
_TURN_LASTS = 20.0  # seconds: a slow site is not to keep its place for long
_LEAST = 4  # messages of one campaign


class Supply:
    """The queues of ``lane``; what the lane calls (`lane.Supplier`) goes to the feeder.

    ``target``: messages to hold for the lane. It doubles when the lane ran dry while claims were under way.
    ``claims``: those under way. ``part``: the weight of the lane's source, relative to the heaviest one's.
    """

    def __init__(
        self,
        new_lane: Callable[[Supply], Lane],
        *,
        hold: Callable[[int, Run], None],
        wanted: Callable[[Supply, Run], None],
        suspended: Callable[[Supply], None],
        elsewhere: Callable[[Supply, Run], bool] = lambda *_: False,
        part: float = 1.0,
    ) -> None:
        self.part = part
        self._queues = Queues()
        self._below: dict[Run, int] = {}  # each campaign wants more once it holds fewer than this
        self._look_below = 0.0  # none of them does while the lane holds so many
        self._target = max(1, round(FIRST_TARGET * part))
        self.claims = 0
        self._turn_left, self._turn_until = 0, 0.0
        self.hold = hold  # by the lane for each message: no call in between
        self._wanted = wanted
        self._suspended = suspended
        self._elsewhere = elsewhere
        self.lane = new_lane(self)

    def __repr__(self) -> str:
        return f"<Supply of {self.lane} target={self.target} queues={len(self._queues)}>"

    @property
    def target(self) -> int:
        """Messages to hold for the lane, of all campaigns."""
        return self._target

    @target.setter
    def target(self, messages: int) -> None:
        self._target = messages
        self._share()

    # the queues

    def __len__(self) -> int:
        return len(self._queues)

    def __bool__(self) -> bool:
        return bool(self._queues)  # asked for every lane each second: its queues are not counted for that

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues)

    def add(self, queue: Queue) -> None:
        """Supply the lane from this queue too."""
        if self._queues.add(queue):
            self._share()

    def discard(self, queue: Queue) -> None:
        """Supply the lane from this queue no more."""
        if self._queues.discard(queue):
            self._share()

    def clear(self) -> None:
        """Supply the lane from no queue."""
        self._queues.clear()
        self._share()

    # what the lane tells

    def below_target(self) -> None:
        """Ask the feeder for messages of each campaign that lacks at least half of its share."""
        backlog = self.lane.backlog
        if backlog.held < self._look_below and not backlog.closed:
            for run, least in self._below.items():
                if backlog.held_of[run] < least:
                    self._wanted(self, run)

    def suspended(self) -> None:
        """Tell the feeder that the lane sends nothing for a while."""
        self._suspended(self)

    def elsewhere(self, run: Run) -> bool:
        """Return whether what the lane gives back of a campaign can be sent from another source at once."""
        return self._elsewhere(self, run)

    # what the feeder does

    def wanted(self, run: Run) -> int:
        """Messages of this campaign that the lane could take now."""
        lane = self.lane
        if lane.closed or lane.suspended or run not in self._below:
            return 0
        return max(0, self._share_of(run) - lane.backlog.held_of[run])

    def keeps_turn(self, now: float) -> bool:
        """Return whether the lane's turn, which began when it was first fed, goes on."""
        return self._turn_left > 0 and now < self._turn_until

    def use_turn(self, messages: int, now: float) -> None:
        """Note that the lane gets so many messages: in its turn, or at the beginning of another one."""
        if not self.keeps_turn(now):
            self._turn_left, self._turn_until = TURN, now + _TURN_LASTS
        self._turn_left -= messages

    def next_claims(self, run: Run, limit: int) -> list[tuple[Queue, int]]:
        """Return the queues of a campaign to claim from next, and how many messages from each, ``limit`` in all."""
        ring = self._queues.rings.get(run)
        return [] if ring is None else ring.next_claims(limit)

    def claim_ended(self) -> None:
        """End one claim; with the last of a round it shows whether the lane ran dry meanwhile."""
        self.claims -= 1
        most = max(1, int(LARGEST_TARGET * self.part))
        if not self.claims and self.lane.starved and self.target < most:
            self.target = min(most, self.target * 2)

    def spread(self, run: Run, *, emptied: bool) -> None:
        """Claim from more queues of a campaign at once where a claim has ``emptied`` one, else from fewer."""
        ring = self._queues.rings.get(run)
        if ring is not None:
            ring.spread(emptied=emptied)

    def _share_of(self, run: Run) -> int:
        if len(self._below) == 1:
            return self.target
        return share_of(run.weight, sum(one.weight for one in self._below), self.target, _LEAST)

    def _share(self) -> None:
        self._below = dict.fromkeys(self._queues.rings, 0)
        for run in self._below:
            share = self._share_of(run)
            self._below[run] = share - share // 2
        backlog = self.lane.backlog
        backlog.forget_others(self._below)
        shared = len(backlog.held_of.keys() | self._below) > 1
        self._look_below = inf if shared else sum(self._below.values())
