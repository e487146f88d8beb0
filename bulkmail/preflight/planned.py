"""The plan of a campaign: its recipients by provider and site, how fast each takes them, and when all are through.

The rows are read as the sending reads them, and the domains looked up as it looks them up; nothing is composed or sent.
Where a preflight has done that, the plan is made of what it has found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bulkmail.campaign import LEFT_OUT, Campaign, canary_rules, schedule_from
from bulkmail.mail import count_of, provider_behind
from bulkmail.preflight.counting import USABLE
from bulkmail.preflight.domains import Domain, Domains
from bulkmail.preflight.reading import Reading
from bulkmail.preflight.resolving import Ask
from bulkmail.preflight.result import Preflight
from bulkmail.routing import RouteFailure, Site, relays_of, router_of
from bulkmail.settings import Settings
from bulkmail.shaping import (
    DAY,
    DEFAULT_PLAN,
    OTHER,
    SECONDS_A_MESSAGE,
    Budget,
    Demand,
    Flow,
    Limits,
    Provider,
    Schedule,
    WarmupDay,
    days_of,
    limits_for,
    plan_flow,
    warmup_plans,
)
from bulkmail.zones import zone

_DNS_WITHIN = 180.0  # seconds for the domains, once all rows are read
_NAMED = 12  # destinations that are named; the others are counted together
Warm = Mapping[tuple[str, str], WarmupDay]
"""Where sources that warm up were last: (source, provider) -> day."""
COMPOSED = 1000.0
"""Messages a second that one compose process is assumed to make."""


@dataclass(frozen=True)
class Means:
    """What a plan is made with. ``now``: epoch seconds. ``ask``: the resolver, None to look up no domain.

    ``processes``: how many compose. ``told(done, total)``: domains that were looked up. ``warm``: where sources that
    warm up are.
    """

    settings: Settings
    providers: Mapping[str, Provider]
    now: float
    processes: int
    ask: Ask | None = None
    told: Callable[[int, int], None] = lambda *_: None
    warm: Warm = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Of ``rows``, ``mailed`` are to be sent to. ``unroutable``: rows at domains that take no mail now or ever.

    ``fault``: why domains could not be looked up. ``schedule``: without a schedule one that is always open. ``notes``:
    sentences about what the flow does not show.
    """

    campaign: str
    now: float
    rows: int
    mailed: int
    suppressed: int
    invalid: int
    duplicates: int
    unroutable: int
    domains: int
    fault: str
    own_zones: bool
    schedule: Schedule
    flow: Flow
    notes: tuple[str, ...] = ()


async def plan_campaign(reactor: Any, campaign: Campaign, content: Mapping[str, Any], means: Means) -> Plan:
    """Plan a campaign whose files were checked. Raises Refused where a list cannot be read, and OwnFault."""
    relay = means.settings.relay
    done = [0]

    def looked_up() -> None:
        done[0] += 1
        means.told(done[0], len(domains.known))

    router = None
    if means.ask is not None and relay is None:
        router = router_of(means.settings, means.ask, reactor.seconds, means.providers, size=1)
    domains = Domains(router, looked_up)
    reading = Reading(reactor, campaign, list(means.settings.suppress))
    counts = _Counts()
    try:
        await reading.open()
        while (rows := await reading.rows()) is not None:
            counts.rows += len(rows)
            for row in rows:
                if row[6] in USABLE:
                    domains.add(row[4], row[0], held=row[6] == "held")
                elif row[6] in LEFT_OUT:
                    counts.suppressed += 1
                else:
                    counts.invalid += 1
        while (repeated := await reading.repeated()) is not None:
            counts.duplicates += len(repeated)
            for number, _ in repeated:
                domains.repeated(number)
        late = reactor.callLater(_DNS_WITHIN, domains.stop)
        await domains.drain()
        if late.active():
            late.cancel()
    finally:
        domains.stop()
        await reading.close()
    counts.beyond, counts.fault = domains.beyond, domains.fault
    return _planned(campaign, content, means, counts, domains.known)


def plan_checked(campaign: Campaign, content: Mapping[str, Any], means: Means, found: Preflight) -> Plan:
    """Plan a campaign of which the preflight has ``found`` this: no list is read again, and no domain looked up."""
    counts = _Counts(found.rows, found.suppressed, found.unusable, found.repeated, found.beyond, found.fault)
    return _planned(campaign, content, means, counts, found.domains)


@dataclass
class _Counts:
    rows: int = 0
    suppressed: int = 0
    invalid: int = 0
    duplicates: int = 0
    beyond: int = 0  # rows of further domains
    fault: str = ""


def _planned(
    campaign: Campaign, content: Mapping[str, Any], means: Means, counts: _Counts, domains: Mapping[str, Domain]
) -> Plan:
    routed = [(name, domain.count, domain.route) for name, domain in domains.items()]
    found, unroutable = demands(
        routed, means.settings, means.providers, beyond=counts.beyond, pool=campaign.sources or ""
    )
    schedule, shared = schedule_of(content, means.settings), shared_paces(means.settings, means.processes)
    daily = daily_budgets(found, means.settings, means.warm, means.now)
    plain = content.get("schedule")
    return Plan(
        campaign=campaign.name,
        now=means.now,
        rows=counts.rows,
        mailed=counts.rows - counts.suppressed - counts.invalid - counts.duplicates,
        suppressed=counts.suppressed,
        invalid=counts.invalid,
        duplicates=counts.duplicates,
        unroutable=unroutable,
        domains=len(domains),
        fault=counts.fault,
        own_zones=plain is not None and plain["column"] is not None,
        schedule=schedule,
        flow=plan_flow(found, shared, schedule, means.now, daily=daily),
        notes=tuple(notes_of(content, means.settings, counts.rows)),
    )


def notes_of(content: Mapping[str, Any], settings: Settings, rows: int) -> list[str]:
    """Return what a campaign of so many rows is to know of its first messages, and of sources that warm up."""
    rules, notes = canary_rules(content), []
    if rules is not None and rows > rules.first:
        notes.append(
            f"The first {rules.first:,} messages at each provider are answered before the rest is sent there, and it "
            "stops where too many are refused."
        )
    for source in settings.sources:
        if source.warmup is not None:
            budgets = source.warmup.budgets or DEFAULT_PLAN
            first = ", ".join(f"{count:,}" for count in budgets[:3]) + (", …" if len(budgets) > 3 else "")
            notes.append(
                f"Source {source.name} warms up from {source.warmup.start} on: {first} messages a day at each "
                "provider. Where the campaign has sources that do not, the plan counts only those."
            )
    return notes


def schedule_of(content: Mapping[str, Any], settings: Settings) -> Schedule:
    """Return the schedule of a campaign with this content: without one it is always open."""
    plain = content.get("schedule")
    return schedule_from(plain) if plain is not None else Schedule(zone(settings.timezone))


def shared_paces(settings: Settings, processes: int) -> dict[str, float]:
    """Return what all destinations share, each in messages a second; ``processes`` compose."""
    total = settings.shaping.total.connections
    return {"composing": processes * COMPOSED, "shaping.total.connections": total / SECONDS_A_MESSAGE}


class _Senders(NamedTuple):
    """The sources of a pool that send to a destination: so many ``sources``, within the budgets of those ``warming``.

    Where some do not warm up, only these are counted.
    """

    pool: str
    sources: int
    warming: tuple[str, ...]


_SYSTEM = _Senders("", 1, ())  # it chooses the address


def _senders(settings: Settings, pool: str) -> _Senders:
    sources = settings.sources_of(pool)
    warm = [one for one in sources if one.warmup is None]
    return _Senders(pool, len(warm or sources) or 1, () if warm else tuple(one.name for one in sources))


def demands(
    routed: Iterable[tuple[str, int, Site | RouteFailure | None]],
    settings: Settings,
    known: Mapping[str, Provider],
    *,
    beyond: int = 0,
    more: int = 0,
    pool: str = "",
) -> tuple[list[Demand], int]:
    """Return the recipients by destination, the largest first and small sites together, and those that have none.

    ``routed``: a domain, its rows, its site or why it has none; None where that is not known: it counts as a site of
    its own. ``beyond``: rows of ``more`` domains that are not among them. ``pool``: the sources that are sent from,
    where no route names others. What they send to one provider from different pools are several destinations.
    """
    default = Limits.of(settings.shaping.default)
    if settings.relay is not None:
        rows = sum(rows for _, rows, _ in routed) + beyond
        return [Demand(f"relay {settings.relay.host}", rows, Limits.of(settings.relay))] if rows else [], 0
    unroutable, relays, usual = 0, relays_of(settings), _senders(settings, pool)
    providers: dict[tuple[str, _Senders], list[Any]] = {}
    sites: dict[tuple[str, _Senders], list[Any]] = {}
    for name, count, route in routed:
        if isinstance(route, RouteFailure):
            unroutable += count
            continue
        provider, senders, key, shown = "", usual, name, name
        if route is not None:
            provider, key, shown = route.provider, route.key, route.name
            senders = _senders(settings, route.manner.sources) if route.manner.sources else usual
        if provider in relays:
            senders = _SYSTEM
        of = (provider or key, senders)
        (providers if provider else sites).setdefault(of, [provider or shown, 0, senders])[1] += count

    def demand(name: str, rows: int, senders: _Senders, budget: str, *, limits: Limits = default, n: int = 1) -> Demand:
        named = f"{name} from {senders.pool}" if senders not in (usual, _SYSTEM) else name
        daily = (budget, *senders.warming) if senders.warming else ()
        return Demand(named, rows, limits, sites=n, sources=senders.sources, budget=daily)

    found = [
        demand(name, rows, senders, provider_behind(name), limits=limits_for(name, known, default))
        for name, rows, senders in _largest(providers.values())
    ]
    ordered = _largest(sites.values())
    found += [demand(name, rows, senders, OTHER) for name, rows, senders in ordered[:_NAMED]]
    rest = {usual: [beyond, more]} if beyond else {}
    for _, rows, senders in ordered[_NAMED:]:
        others = rest.setdefault(senders, [0, 0])
        others[0] += rows
        others[1] += 1
    for senders, (rows, n) in rest.items():
        found.append(demand(count_of(max(1, n), "other site"), rows, senders, OTHER, n=max(1, n)))
    return _sharing_budgets(found), unroutable


def _sharing_budgets(found: list[Demand]) -> list[Demand]:
    """Give the destinations at one provider whose pools have a source in common one budget: each source counts once."""
    joined: dict[tuple[str, str], Budget] = {}  # by provider and source
    for budget in dict.fromkeys(demand.budget for demand in found if demand.budget):
        provider, *sources = budget
        known = [name for one in sources for name in joined.get((provider, one), ())[1:]]
        whole = (provider, *dict.fromkeys([*known, *sources]))
        joined |= {(provider, one): whole for one in whole[1:]}
    return [replace(one, budget=joined[one.budget[0], one.budget[1]]) if one.budget else one for one in found]


def daily_budgets(found: Iterable[Demand], settings: Settings, warm: Warm, now: float) -> dict[Budget, list[int]]:
    """Return what the sources of each budget may send in the days from today on; see `plan_flow`."""
    plans, today = warmup_plans(settings.sources), int(now // DAY)
    return {
        budget: days_of([(plans[name], warm.get((name, budget[0]))) for name in budget[1:]], today)
        for budget in {demand.budget for demand in found} - {()}
    }


def _largest(entries: Any) -> Sequence[Any]:
    return sorted(entries, key=lambda entry: (-entry[1], entry[0]))
