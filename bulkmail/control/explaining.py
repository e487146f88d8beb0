"""Why a destination is not sent to faster: the limits and where each comes from, what was learnt, what binds now.

Pure: the caller has looked up the route, the facts and, in a running service, the lane before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from bulkmail.control.applied import Applied, shown
from bulkmail.control.overview import stamp
from bulkmail.control.warmups import Days, next_day, plain, warmups_at
from bulkmail.delivery import LiveSite
from bulkmail.mail import AddressError, clock, count_of, domain_key
from bulkmail.routing import LostRelay, RouteFailure, Site, Unfetched, first_host, policy_in, tls_policy
from bulkmail.settings import Settings
from bulkmail.shaping import FactKind, Limits, Provider, describe_fact, provider_of, warmup_plans, without_source
from bulkmail.spool import SiteFact

_WORDS = {
    "connections": "connections at once",
    "messages_per_connection": "messages on one connection",
    "rate": "messages",
    "connection_rate": "new connections",
    "idle": "seconds that an idle connection is kept",
    "tls": "TLS",
}


class Destination(NamedTuple):
    """What is explained. ``key`` is its site's, "" where it is a provider as a whole; ``hosts`` are its MX hosts.

    ``addresses``: of each host, as far as it was looked up. ``policy``: the site's, of the receiver.
    """

    of: str
    key: str
    site: str
    provider: str
    hosts: Sequence[str] = ()
    addresses: Mapping[str, Sequence[str]] = MappingProxyType({})
    policy: str = ""


class Known(NamedTuple):
    """What is known beside the settings. ``live``: the site as it is being sent to; ``fault``: of our own.

    ``lost``: why a relay's address is not known. ``ip``: which IP versions mail is sent over, in words. ``warm``: where
    sources that warm up are. ``unfetched``: the domain's policy, where it could not be had.
    """

    facts: Sequence[SiteFact] = ()
    live: LiveSite | None = None
    asked_service: bool = False
    fault: str = ""
    lost: str = ""
    ip: str = ""
    warm: Days = MappingProxyType({})
    unfetched: Sequence[Unfetched] = ()


def known_destination(
    of: str, providers: Mapping[str, Provider], named: Sequence[LiveSite], facts: Iterable[SiteFact]
) -> Destination | None:
    """Return the provider or site that ``of`` names; None where it is to be looked up as a domain (`domain_of`).

    ``named``: the sites called so that are being sent to (`Live.named`).
    """
    name = of.strip().lower()
    provider = name.removeprefix("provider ")
    if provider in providers:
        return Destination(of, "", f"provider {provider}", provider, providers[provider].mx)
    if named:
        site = named[0]
        return Destination(of, site.key, site.site, site.provider, policy=policy_in(site.key))
    for fact in facts:
        key, _ = without_source(fact.site)
        host = first_host(key)
        if name in (key, host):
            return Destination(of, key, key, provider_of([host], providers), [host], policy=policy_in(key))
    return None


def domain_of(of: str) -> str:
    """Return the domain of a domain or an address. Raises AddressError."""
    text = of.strip().rpartition("@")[2]
    if "." not in text:
        raise AddressError(f"{of!r} is neither a domain nor an address, nor a site or provider that is known here")
    return domain_key(text)


def domain_or_none(of: str) -> str:
    """Return the domain of a domain or an address, "" where it is neither."""
    try:
        return domain_of(of)
    except AddressError:
        return ""


def destination_of(of: str, route: Site | RouteFailure) -> Destination | RouteFailure:
    """Return what a route leads to."""
    if isinstance(route, RouteFailure):
        return route
    addresses = {host.name: host.addresses for host in route.hosts}
    return Destination(of, route.key, route.name, route.provider, list(addresses), addresses, route.policy)


def lost_relay(of: str, fault: LostRelay) -> Destination:
    """Return the relay that takes the mail of ``of``, of which no address is known."""
    return Destination(of, "", f"relay {fault.host}", fault.name)


def no_route(of: str, failure: RouteFailure) -> dict[str, Any]:
    """Return the explanation of a domain that mail cannot be sent to, as `site_models.ExplanationAnswer` has it."""
    lasts = "Its recipients bounce" if failure.permanent else "It is tried again"
    told: dict[str, Any] = {
        "of": of,
        "key": "",
        "site": "",
        "provider": "",
        "limits": [],
        "learnt": [],
        "binds": "no route",
    }
    told |= {"hosts": [], "addresses": {}, "ip": "", "tls_policy": "", "policy_problem": "", "warmup": []}
    sentence = f"There is nowhere to send its mail to: {failure.text}. {lasts}."
    return {**told, "since": None, "until": None, "ceiling": None, "sentence": sentence}


def explain(
    destination: Destination, settings: Settings, providers: Mapping[str, Provider], known: Known, now: float
) -> dict[str, Any]:
    """Return the explanation, as `site_models.ExplanationAnswer` has it. ``now``: epoch seconds."""
    domain = domain_or_none(destination.of)
    applied = Applied(settings, providers, destination.provider, domain=domain, hosts=destination.hosts)
    limits = applied.limits
    own = _facts_of(destination, known.facts)
    factor = min((fact.value for fact in own if fact.fact in (FactKind.RATE, FactKind.PACE)), default=1.0)
    each = [fact.value for fact in own if fact.fact == FactKind.MESSAGES]
    ceiling, by = _ceiling(limits, factor, min([float(limits.messages_per_connection), *each]))
    outage = next((fact for fact in own if fact.fact == FactKind.OUTAGE), None)
    binds, since, until = _binding(known, outage, settings.retry.expire_after, by, now)
    sources = applied.sources
    warmups = warmups_at(destination.provider, warmup_plans(sources), known.warm, now)
    again = next_day(warmups, len(sources))
    if again is not None and binds not in ("fault", "suspended"):
        binds, since, until = "warm-up", None, again
    return {
        "of": destination.of,
        "key": destination.key,
        "site": destination.site,
        "provider": destination.provider,
        "hosts": list(destination.hosts),
        "addresses": {host: list(found) for host, found in destination.addresses.items()},
        "ip": known.ip,
        "tls_policy": "" if applied.relay else tls_policy(destination.policy, limits.tls or settings.tls.mode),
        "policy_problem": "; ".join(one.words for one in known.unfetched),
        "limits": applied.rows(),
        "learnt": [_learnt(fact, now) for fact in own],
        "binds": binds,
        "since": stamp(since),
        "until": stamp(until),
        "ceiling": ceiling,
        "warmup": [plain(one) for one in warmups],
        "sentence": _Explained(
            destination,
            known,
            limits,
            source=applied.source,
            sources=len(sources),
            binds=binds,
            until=until,
            ceiling=ceiling,
            by=by,
            factor=factor,
            now=now,
        ).sentence(),
    }


def _facts_of(destination: Destination, facts: Sequence[SiteFact]) -> list[SiteFact]:
    keys = {destination.key, f"provider {destination.provider}" if destination.provider else ""} - {""}
    return [fact for fact in facts if without_source(fact.site)[0] in keys]


def _learnt(fact: SiteFact, now: float) -> str:
    _, source = without_source(fact.site)
    words = f"{describe_fact(fact.fact, fact.value)}; since {clock(fact.learned_at, now)}"
    return f"{words}; from source {source}" if source else words


def _ceiling(limits: Limits, factor: float, each: float) -> tuple[int, str]:
    """Return the most messages an hour, and which limit that is."""
    by_rate = 3600 / limits.rate.interval * factor
    by_connecting = 3600 / limits.connection_rate.interval * each
    return (int(by_rate), "rate") if by_rate <= by_connecting else (int(by_connecting), "connection_rate")


def _binding(
    known: Known, outage: SiteFact | None, expire_after: float, by: str, now: float
) -> tuple[str, float | None, float | None]:
    """Return what binds now, since when and until when."""
    live = known.live
    if live is not None and not known.lost:
        return live.binds, live.since, live.until
    if known.fault or known.lost:
        return "fault", None, None
    if outage is not None and outage.expires_at - 2 * expire_after > now:
        return "suspended", outage.learned_at, outage.expires_at - 2 * expire_after
    return "idle" if known.asked_service else by.replace("_", "-"), None, None


@dataclass(frozen=True, slots=True)
class _Explained:
    """What binds a destination, and the most that it may get.

    ``source(limit)`` says where a limit comes from; ``sources``: how many addresses send to it. ``binds``: until the
    time ``until``. ``ceiling``: messages an hour, by the limit ``by``; ``factor``: the part of the rate that is used
    since the destination complained. Times are epoch seconds.
    """

    destination: Destination
    known: Known
    limits: Limits
    source: Callable[[str], str]
    sources: int
    binds: str
    until: float | None
    ceiling: int
    by: str
    factor: float
    now: float

    def sentence(self) -> str:
        """Return why the destination is not sent to faster."""
        live, site, limits, source = self.known.live, self.destination.site, self.limits, self.source
        most, slowed = self._most(), self._slowed()
        match self.binds:
            case "suspended":
                why = live.why if live is not None and live.why else "it could not be used"
                return f"Nothing is sent to {site} until {self._until()}: {why}."
            case "warm-up":
                words = "its source warms up" if self.sources == 1 else "all sources warm up"
                return f"Nothing is sent to {site} until {self._until()}: {words}, and today's messages are sent."
            case "fault":
                whom, why = ("any site", self.known.fault) if not self.known.lost else (site, self.known.lost)
                return f"Nothing is sent to {whom}, because of a fault of our own: {why or 'see the log'}."
            case "rate" if live is not None:
                return f"Our own limit of the rate binds: {most}.{slowed}"
            case "connections":
                words = f"All {limits.connections} connections that are allowed are in use ({source('connections')})"
                return f"{words}, and each message takes as long as the receiver needs for it; {most}.{slowed}"
            case "connection-rate" if live is not None:
                words = f"New connections are limited to {_limit_words('connection_rate', limits)}"
                return f"{words} ({source('connection_rate')}); {most}.{slowed}"
            case "total":
                words = "All connections that this process may have (shaping.total.connections)"
                return f"{words} are in use by other sites."
            case "receiver" if live is not None:
                wait = count_of(live.connections, "connection waits", "connections wait")
                return f"No limit of ours binds: {wait} for the receiver's replies; {most}."
            case "idle":
                waits = (
                    f"Nothing is due at {site}: none waits, or all that do are held, put off or behind first messages."
                )
                return f"{waits} It would get {most}.{slowed}"
        return f"No service was asked, so what happens now is not known; {site} gets {most}.{slowed}"

    def _most(self) -> str:
        each = f" from each of the {self.sources} sources" if self.sources > 1 else ""
        limit = f"{_limit_words(self.by, self.limits)}; {self.source(self.by)}"
        return f"at most {count_of(self.ceiling, 'message')} an hour{each} ({limit})"

    def _slowed(self) -> str:
        if self.factor >= 1.0:
            return ""
        complaint = self.known.live.complaint if self.known.live is not None else None
        said = "" if complaint is None else f'; at {clock(complaint[0], self.now)} it said "{complaint[1]}"'
        return f" It has complained, so {self.factor:.1%} of that rate is used{said}."

    def _until(self) -> str:
        return clock(self.until or self.now, self.now)


def _limit_words(name: str, limits: Limits) -> str:
    return f"{shown(getattr(limits, name)).partition(',')[0]} {_WORDS[name]}"
