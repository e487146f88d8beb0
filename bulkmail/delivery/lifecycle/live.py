"""What this process knows of what it sends, for all who ask: the reports, the log, the control socket.

Nothing is stored here and nothing decided: each answer is made from the parts when it is asked for.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.connector import Connector
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.lifecycle.late import LateOutcomes
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.delivery.lifecycle.site_steering import SiteSteering
from bulkmail.delivery.limits import Limiters
from bulkmail.delivery.met_hosts import MetHost
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.run import Run
from bulkmail.mail import Situation
from bulkmail.shaping import Limiter


class LiveCampaign(NamedTuple):
    """A campaign that is being sent. ``rate``: outcomes a second since this start; ``seconds_left`` None: not known.

    ``in_flight``: how many messages are on connections, by provider ("" for sites of none).
    """

    situation: Situation
    rate: float
    seconds_left: int | None
    in_flight: Mapping[str, int] = {}


class LiveSite(NamedTuple):
    """A site that is being sent to. Times are epoch seconds; ``why`` is "" where nothing is wrong.

    ``binds``: what keeps it from being faster at this moment: one of `BINDS`. ``source``: what is sent to it from, ""
    where the system chooses. ``complaint``: when it was last slowed down for a reply since this start, and for which.
    """

    site: str
    key: str
    provider: str
    state: str
    why: str
    since: float | None
    until: float | None
    claimed: int
    in_flight: int
    connections: int
    binds: str
    source: str = ""
    complaint: tuple[float, str] | None = None


BINDS = {
    "suspended": "nothing is sent to it for now",
    "fault": "a fault of our own",
    "idle": "nothing is due there",
    "rate": "the rate of messages",
    "connections": "the number of connections",
    "connection-rate": "the rate of new connections",
    "total": "the number of connections of this whole process",
    "receiver": "the receiver's own speed",
    "warm-up": "what its sources may send today, while they warm up",
}
"""What may bind a site, each with its words."""


class Live:
    """Tells what is going on. ``limiters``: of all sites; ``progress``: measures the campaigns.

    ``steering``, ``traces``: whom to ask for what concerns sites, and for what is said to them; for those who reach
    this process by what it tells. ``connector``: what connects to hosts. ``unattributed``: how many messages have come
    back since this start that belong to no row for certain, by what they were.
    """

    def __init__(
        self,
        clocks: Clocks,
        pause: Pause,
        feeder: Feeder,
        limiters: Limiters,
        progress: Progress,
        steering: SiteSteering | None = None,
        connector: Connector | None = None,
        late: LateOutcomes | None = None,
    ) -> None:
        self.unattributed: Mapping[str, int] = {} if late is None else late.strays
        self.progress = progress
        self.steering = steering
        self.traces = None if connector is None else connector.traces
        self._met = None if connector is None else connector.met
        self._clocks = clocks
        self._pause = pause
        self._feeder = feeder
        self._limiters = limiters

    @property
    def fault(self) -> str:
        """The fault of our own that keeps this process from sending; "" without one."""
        return self._pause.recent_fault

    @property
    def fault_since(self) -> float | None:
        """Since when there is that fault, in epoch seconds."""
        return self._pause.fault_since if self._pause.recent_fault else None

    def campaigns(self) -> dict[str, LiveCampaign]:
        """Return the campaigns that are being sent, by name."""
        flying: dict[Run, Counter[str]] = {}
        for lane in self._feeder.open_queues.open_lanes:
            if lane.in_flight:
                for run, count in lane.under_way.by_run().items():
                    flying.setdefault(run, Counter())[lane.site.provider] += count
        return {
            run.name: self._campaign(run, flying.get(run, {})) for run in self._feeder.runs.values() if not run.over
        }

    def _campaign(self, run: Run, in_flight: Mapping[str, int]) -> LiveCampaign:
        progress = self.progress
        return LiveCampaign(progress.situation(run), progress.rate(run), progress.seconds_left(run), in_flight)

    def sites(self, most: int | None = None, provider: str | None = None) -> list[LiveSite]:
        """Return the sites that are being sent to, the busiest first.

        ``most``: only so many; ``provider``: only its own.
        """
        lanes = self._feeder.open_queues.open_lanes
        return self._told([lane for lane in lanes if provider in (None, lane.site.provider)], most)

    def named(self, name: str) -> list[LiveSite]:
        """Return the busiest site that is called so, if there is one: by its name, its key or the host of its key."""
        return self._told([lane for lane in self._feeder.open_queues.open_lanes if name in lane.site.names], 1)

    def of_key(self, key: str) -> list[LiveSite]:
        """Return the busiest of those that stand for the site of this key, one for each source, if there is one."""
        return self._told([lane for lane in self._feeder.open_queues.open_lanes if lane.site.key == key], 1)

    def waiting(self, most: int) -> list[LiveSite]:
        """Return so many of the sites to which nothing may be sent now, the busiest first."""
        return self._told([lane for lane in self._feeder.open_queues.open_lanes if lane.suspended], most)

    def _told(self, lanes: list[Lane], most: int | None) -> list[LiveSite]:
        def busiest(lane: Lane) -> tuple[int, str]:
            return -lane.held, lane.site.name

        first = sorted(lanes, key=busiest) if most is None else heapq.nsmallest(most, lanes, busiest)
        return [self._site(lane) for lane in first]

    def hosts(self, provider: str, most: int) -> list[MetHost]:
        """Return so many of the addresses of a provider that were spoken to since this start, the last met first."""
        return [] if self._met is None else self._met.of(provider, most)

    def limiters(self, key: str) -> list[Limiter]:
        """Return the limiters of this limit key that are in use, one for each source."""
        return self._limiters.limiters(key)

    def _site(self, lane: Lane) -> LiveSite:
        standstill, site = lane.suspension.standstill, lane.site
        return LiveSite(
            site.name,
            site.key,
            site.provider,
            str(standstill.state),
            standstill.why,
            standstill.since,
            standstill.until,
            lane.held,
            lane.in_flight,
            lane.connections,
            self._binds(lane),
            lane.source.name,
            lane.limiter.complaint,
        )

    def _binds(self, lane: Lane) -> str:
        now, site = self._clocks.now(), lane.site
        if self._pause.paused:
            return "fault"
        if lane.suspended:
            return "suspended"
        if not lane.held:
            return "idle"
        limiter = self._limiters.of_site(site.key, site.provider, now, lane.source).limiter
        if limiter.peek(now) > now:
            return "rate"
        if lane.ready and limiter.may_open(now) is None:
            return "connections"
        if lane.ready and (limiter.may_open(now) or 0.0) > now:
            return "connection-rate"
        return "total" if lane.ready and not self._limiters.total.room else "receiver"
