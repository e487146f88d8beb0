"""How the parts between the spool and the connections are wired: the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from typing import NamedTuple

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.connector import Connector
from bulkmail.delivery.lane import Lane, MxAttempts
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.limits import Limiters
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing import Feeder
from bulkmail.delivery.relay import Smarthost
from bulkmail.delivery.run import Run
from bulkmail.delivery.site_facts import KeptFactors
from bulkmail.routing import RouteFailure, Site
from bulkmail.settings import Settings
from bulkmail.shaping import Limits, Provider, SiteFacts, limits_for
from bulkmail.spool import Spool
from bulkmail.workers import Pool


class Assembly(NamedTuple):
    """The parts that others speak to."""

    ledger: Ledger
    limiters: Limiters
    feeder: Feeder


def limits_by_provider(
    settings: Settings, providers: Mapping[str, Provider], relay: Smarthost | None
) -> Callable[[str], Limits]:
    """Return what gives a provider's limits ("": the default's); with a relay they are the relay's for all."""
    if relay is not None:
        limits = relay.limits
        return lambda _: limits
    default = Limits.of(settings.shaping.default)
    return lambda provider: limits_for(provider, providers, default)


def assemble(
    *,
    spool: Spool,
    clocks: Clocks,
    pause: Pause,
    settings: Settings,
    providers: Mapping[str, Provider],
    connections: int,
    facts: SiteFacts,
    connector: Connector,
    compose: Pool,
    route: Callable[[str], Awaitable[Site | RouteFailure]],
    changed: Callable[[Run], None],
    rng: Random,
    relay: Smarthost | None = None,
) -> Assembly:
    """Build everything between the spool and the connections.

    ``connections``: of the whole process, at most. ``route(domain)`` gives a Site or a RouteFailure, or raises
    OwnFault. ``changed(run)`` is called after each outcome.
    """
    ledger = Ledger(spool=spool, retry=settings.retry, pause=pause, clocks=clocks, rng=rng, changed=changed)
    kept = KeptFactors(facts, clocks.wall)
    limiters = Limiters(limits_by_provider(settings, providers, relay), connections, kept.factors_of, kept.keep_factors)
    attempts = MxAttempts(connector=connector, limiters=limiters, clocks=clocks, pause=pause, relay=relay)

    new_lane = partial(
        Lane,
        clocks=clocks,
        pause=pause,
        limiters=limiters,
        attempts=attempts,
        ledger=ledger,
        facts=facts,
        settings=settings,
        rng=rng,
        relay=relay,
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
    )
    return Assembly(ledger, limiters, feeder)
