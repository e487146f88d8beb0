"""How the parts between the spool and the connections are wired: the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from random import Random
from typing import Any, NamedTuple

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.connector import Connector
from bulkmail.delivery.lane import Lane, MxAttempts, Supplier
from bulkmail.delivery.ledger import Judge, Ledger
from bulkmail.delivery.limits import Limiters
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.relay import Destination, Smarthost
from bulkmail.delivery.ruling import Ruling
from bulkmail.delivery.run import Run
from bulkmail.delivery.site_facts import KeptFactors
from bulkmail.delivery.sources import Sources
from bulkmail.delivery.warming import Warming
from bulkmail.routing import RouteFailure, Site, providers_of
from bulkmail.settings import Settings
from bulkmail.shaping import (
    ANY_SOURCE,
    SHIPPED_RULES,
    Judgements,
    Limits,
    Provider,
    RuleBook,
    SiteFacts,
    Source,
    limits_for,
    own_rules,
    warmup_plans,
)
from bulkmail.spool import Spool
from bulkmail.workers import Pool


class LaneMaker:
    """Makes lanes with the settings as they are then; ``parts``: what else a `Lane` is made of."""

    def __init__(self, settings: Settings, *, pause: Pause, relays: Mapping[str, Smarthost], **parts: Any) -> None:
        self.settings = settings
        self._pause, self._relays = pause, relays
        self._parts = parts

    def __call__(self, site: Site, supplier: Supplier, source: Source = ANY_SOURCE) -> Lane:
        """Make the lane of a site that is sent to from a source."""
        relay = self._relays.get(site.provider)
        pause = self._pause if relay is None else relay.pause
        return Lane(Destination(site, source, relay), supplier, settings=self.settings, pause=pause, **self._parts)


class Assembly(NamedTuple):
    """The parts that others speak to, what they are built on, and those that are told of other settings."""

    ledger: Ledger
    limiters: Limiters
    feeder: Feeder
    ruling: Ruling
    connector: Connector
    new_lane: LaneMaker
    clocks: Clocks
    relays: Mapping[str, Smarthost]
    sources: Sources
    warming: Warming
    spool: Spool
    pause: Pause
    compose: Pool

    def apply(self, settings: Settings) -> None:
        """Have all parts use other settings from now on, in one turn of the event loop."""
        self.ledger.apply(settings.retry, judge_of(settings))
        self.ruling.use(rules_of(settings))
        self.connector.apply(settings)
        self.new_lane.settings = settings
        limits_of = limits_by_provider(settings, providers_of(settings), self.relays)
        self.limiters.use(limits_of, self.clocks.now())
        for lane in self.feeder.lanes.values():
            lane.apply(settings, self.limiters.limits_of(lane.site))


def rules_of(settings: Settings) -> RuleBook:
    """Return the rules about certain words: the operator's, then the shipped ones."""
    return RuleBook([*own_rules(settings.shaping.rules), *SHIPPED_RULES])


def judge_of(settings: Settings) -> Judge | None:
    """Return what judges outcomes where the settings have a classification of their own."""
    own = judgements_of(settings)
    return None if own is None else own.judge


def judgements_of(settings: Settings) -> Judgements | None:
    """Return the operator's own classification of replies, None where there is none."""
    return Judgements(settings.classification) if settings.classification else None


def limits_by_provider(
    settings: Settings, providers: Mapping[str, Provider], relays: Mapping[str, Smarthost]
) -> Callable[[str], Limits]:
    """Return what gives a provider's limits ("": the default's). ``relays``: by the providers of their sites."""
    default = Limits.of(settings.shaping.default)
    of_relays = {provider: relay.limits for provider, relay in relays.items()}
    return lambda provider: of_relays.get(provider) or limits_for(provider, providers, default)


def _limiters(
    limits_of: Callable[[str], Limits],
    connections: int,
    facts: SiteFacts,
    clocks: Clocks,
    sources: Sources,
    warming: Warming,
) -> Limiters:
    """Return the limits, by which sources are not used for a site: they rest there, or their day's budget is sent."""
    kept = KeptFactors(facts, clocks.wall)
    limiters = Limiters(
        limits_of, connections, kept.factors_of, kept.keep_factors, sources.all, kept.ruled_of, clocks.speed
    )
    sources.also(lambda source, site: warming.usable(source.name, site.provider) and not limiters.rests(site, source))
    return limiters


def assemble(
    *,
    spool: Spool,
    pause: Pause,
    settings: Settings,
    providers: Mapping[str, Provider],
    connections: int,
    connector: Connector,
    compose: Pool,
    route: Callable[[str], Awaitable[Site | RouteFailure]],
    changed: Callable[[Run], None],
    rng: Random,
) -> Assembly:
    """Build everything between the spool and the connections.

    ``connections``: of the whole process, at most. ``route(domain)`` gives a Site or a RouteFailure, or raises
    OwnFault. ``changed(run)`` is called after each outcome.
    """
    clocks, facts, relays = connector.clocks, connector.facts, connector.relays
    judge = judge_of(settings)
    ledger = Ledger(
        spool=spool, retry=settings.retry, pause=pause, clocks=clocks, rng=rng, changed=changed, judge=judge
    )
    ledger.sites = settings.events.record
    ledger.warming = warming = Warming(warmup_plans(settings.sources), spool, clocks)
    sources = _sources(settings, clocks, pause, relays, rehearsal=connector.rehearsal)
    limits_of = limits_by_provider(settings, providers, relays)
    limiters = _limiters(limits_of, connections, facts, clocks, sources, warming)
    attempts = MxAttempts(connector=connector, limiters=limiters, pause=pause, sources=sources)
    ruling = Ruling(rules_of(settings), clocks, facts)
    new_lane = LaneMaker(
        settings,
        clocks=clocks,
        pause=pause,
        limiters=limiters,
        attempts=attempts,
        ledger=ledger,
        ruling=ruling,
        rng=rng,
        relays=relays,
    )
    feeder = Feeder(
        spool=spool,
        clocks=clocks,
        pause=pause,
        ledger=ledger,
        limiters=limiters,
        compose=compose,
        most_claimed=settings.shaping.total.claimed,
        route=route,
        new_lane=new_lane,
        sources=sources,
    )
    ruling.on_rest(feeder.open_queues.source_lanes.rest)
    return Assembly(
        ledger, limiters, feeder, ruling, connector, new_lane, clocks, relays, sources, warming, spool, pause, compose
    )


def _sources(settings: Settings, clocks: Clocks, pause: Pause, relays: Container[str], *, rehearsal: bool) -> Sources:
    """Return the sources of the settings. A rehearsal's receivers are on loopback, which no other address reaches."""
    given = [
        Source(one.name, "" if rehearsal else one.address, one.hostname or "", one.weight, one.proxy or "")
        for one in settings.sources
    ]
    return Sources(given, settings.pools, clocks=clocks, pause=pause, relays=relays)
