"""The connections that one lane is opening: one at a time at first, more as the first ones work."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from bulkmail.delivery.seats import SOON
from bulkmail.delivery.walk import Walk

if TYPE_CHECKING:
    from bulkmail.delivery.gates import SharedGate
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.seats import Seats
    from bulkmail.delivery.street import Street

_REST_AFTER_REFUSED_CONNECTION = 60.0
_FIRST_PAUSE = 1.0  # a server may count a connection for a moment longer than it lasts
_FULL = (
    1.0  # so long it is not tried again where an address was full and none could be used, unless it tells of a place
)


class Openings:
    """Walks under way. A lane that may not open one now is woken when it may."""

    def __init__(self, lane: Lane, street: Street, gate: SharedGate, seats: Seats) -> None:
        self._lane = lane
        self._street = street
        self._gate = gate
        self._seats = seats
        self._walks: set[Walk] = set()
        self._no_more_before = 0.0
        self._none_before = 0.0
        self._pause = _FIRST_PAUSE
        self._worked_at = float("-inf")
        self._full: list[SharedGate] = []  # addresses without a place, as the last walk found
        self._full_until = 0.0

    def __len__(self) -> int:
        """Connections being opened."""
        return len(self._walks)

    def more(self, now: float) -> None:
        """Open one where one is missing, if the gates allow."""
        lane, walks = self._lane, self._walks
        if len(lane.ready) <= len(walks) or len(walks) > lane.connections:
            return
        if (now < self._no_more_before and lane.connections) or self._in_line(now):
            return
        if now < self._none_before:
            lane.wake_at(self._none_before)
            return
        at = self._gate.gate.may_open(now)
        if at is None:
            if not lane.connections:
                self._gate.wait(lane)
            return
        if at > now + SOON:
            lane.wake_at(at)
            return
        full = self._seats.lacking()
        if full is not None:
            full.wait(lane)
            return
        self._seats.opened(now)
        walk = Walk(lane, self._street)
        walks.add(walk)
        walk.start()

    def rest(self, now: float) -> None:
        """Others work and one more was refused: that is a limit, not to be tried again soon."""
        self._no_more_before = now + self._street.scaled(_REST_AFTER_REFUSED_CONNECTION)

    def closed(self, now: float) -> None:
        """A connection that worked is gone."""
        self._worked_at = now

    def pause(self, now: float) -> bool:
        """None is left and the next one was refused: come again in a moment, each time later. False: too long ago."""
        street = self._street
        if now > self._worked_at + street.scaled(_REST_AFTER_REFUSED_CONNECTION):
            return False
        self._none_before = now + street.scaled(self._pause)
        self._pause *= 2
        self._lane.wake_at(self._none_before)
        return True

    def ended(self, walk: Walk) -> None:
        """It has its connection."""
        self._walks.discard(walk)
        self._pause = _FIRST_PAUSE

    def given_up(self, walk: Walk) -> None:
        """It ended without one."""
        self._walks.discard(walk)
        self._seats.given_up()
        if self._lane.closed:
            return
        if walk.again_at < inf:
            self._lane.wake_at(walk.again_at)
        if not walk.full:
            return
        if any(address.room for address in walk.full):
            # There is a place by now: another host took its time. A gate may even have been dropped meanwhile, and who
            # stood in the line of that one would never be told.
            self._lane.wake()
            return
        self._full, self._full_until = walk.full, min(self._street.now() + _FULL, walk.again_at)
        if not self._lane.connections:
            for address in walk.full:
                address.wait(self._lane)

    def _in_line(self, now: float) -> bool:
        """Whether no address could be used a moment ago, and none of those that were full has told of a place since."""
        if now >= self._full_until:
            return False
        return bool(self._lane.connections) or all(address.waits(self._lane) for address in self._full)

    def stop(self) -> None:
        """Give up all of them."""
        for walk in list(self._walks):
            walk.stop()
