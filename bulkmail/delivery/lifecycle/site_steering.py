"""What a person asks for of a site, or of a provider: no faster than that for now, and to forget what was learnt.

What is asked for is said by the name of a provider or of a site (its key, or its first host). A pace is a fact, as if a
rule had asked for it: it outlives the process for its time, and is forgotten with the others. It counts on this machine
at once; another machine of a shared spool takes it over with the site.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.limits import Limiters, limit_key
from bulkmail.delivery.queueing import Feeder
from bulkmail.mail import Rate, UnknownName, WrongState, count_of
from bulkmail.routing import first_host
from bulkmail.shaping import Fact, FactKind, SiteFacts, without_source

_log = Logger("bulkmail")

_MOST_NAMED = 50


class SiteSteering:
    """Steers sites of this process."""

    def __init__(self, feeder: Feeder, limiters: Limiters, facts: SiteFacts, clocks: Clocks) -> None:
        self._feeder = feeder
        self._limiters = limiters
        self._facts = facts
        self._clocks = clocks

    def pace(self, of: str, rate: Rate, lasts: float, providers: Collection[str], who: str = "") -> None:
        """Send no faster than ``rate`` for ``lasts`` seconds; it replaces a pace that is in force.

        Raises UnknownName, and WrongState where the limit is lower already.
        """
        (key,) = {limit_key(lane.site.key, lane.site.provider) for lane in self._lanes(of, providers)} or {""}
        key = f"provider {of}" if of in providers else key
        limits = self._limiters.limits_for(key)
        part = limits.rate.interval / rate.interval
        if part >= 1.0:
            raise WrongState(f"{of} is sent to at {limits.rate} at most already; the settings can raise that")
        now, wall = self._clocks.now(), self._clocks.wall()
        for of_source, limiter in self._limiters.of_sources(key):
            self._facts.learn(of_source, Fact(FactKind.PACE, part, wall, wall + lasts))
            if limiter is not None:
                limiter.lift_caps()
                limiter.cap_rate(part, now, now + lasts)
        for lane in self._lanes(of, providers):
            lane.wake()
        self._told(f"{of} is sent to at {rate} at most for {lasts:g} s", who, of, providers)

    def forget(self, of: str, providers: Collection[str], who: str = "", reason: str = "") -> int:
        """Forget what was learnt; return how many facts. Raises UnknownName where nothing is known of it.

        A rest that a rule has asked for ends with it. Who waits for a site that could not be used keeps their time.
        """
        lanes = self._lanes(of, providers, known=lambda: bool(self._keys(of, providers, ())))
        count = 0
        for key in self._keys(of, providers, lanes):
            count += self._facts.forget_all(key)
        for lane in lanes:
            lane.quirks.look_up()
        self._limiters.reset_forgotten(self._clocks.now())
        self._feeder.open_queues.source_lanes.end_rests(self._limiters.rests)
        for lane in lanes:
            lane.wake()
        self._told(
            f"{count_of(count, 'fact')} of {of} {'is' if count == 1 else 'are'} forgotten", who, of, providers, reason
        )
        return count

    def _lanes(self, of: str, providers: Collection[str], known: Callable[[], bool] = lambda: False) -> list[Lane]:
        lanes = self._feeder.open_queues.open_lanes
        if of in providers:
            return [lane for lane in lanes if lane.site.provider == of]
        found = [lane for lane in lanes if of in lane.site.names]
        if not found and not known():
            names = sorted({lane.site.name for lane in lanes[:_MOST_NAMED]} | set(providers))
            raise UnknownName("site or provider", of, names)
        return found

    def _keys(self, of: str, providers: Collection[str], lanes: Collection[Lane]) -> list[str]:
        """Return what facts of it are kept under."""
        wanted = {of} | {lane.site.key for lane in lanes}
        if of in providers:
            wanted = {f"provider {of}"} | {lane.site.key for lane in lanes}

        def is_meant(kept: str) -> bool:
            key = without_source(kept)[0]
            return key in wanted or first_host(key) in wanted

        return [kept for kept in self._facts.sites() if is_meant(kept)]

    @staticmethod
    def _told(words: str, who: str, of: str, providers: Collection[str], reason: str = "") -> None:
        by = f", asked for by {who}" if who else ""
        why = f": {reason}" if reason else ""
        _log.info("{words}{by}{why}", words=words, by=by, why=why, **{"provider" if of in providers else "site": of})
