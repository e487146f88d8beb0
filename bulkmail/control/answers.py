"""What answers each operation: it asks the owner of what the operation is about, and says what came of it.

Nothing is decided here. The spool is read by a reader of its own, outside of the event loop; steering goes to the one
that steers; what only this process knows comes from `delivery.Live`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from bulkmail import __version__
from bulkmail.control.campaign_answers import campaign_answers, no_campaign
from bulkmail.control.event_answers import event_answers
from bulkmail.control.explaining import (
    Known,
    destination_of,
    domain_of,
    domain_or_none,
    explain,
    known_destination,
    lost_relay,
    no_route,
)
from bulkmail.control.http import Call
from bulkmail.control.openapi import document
from bulkmail.control.orders import (
    AcceptOrder,
    ApproveOrder,
    CancelOrder,
    ChooseOrder,
    PauseOrder,
    RemoveOrder,
    ResumeOrder,
    TryNowOrder,
)
from bulkmail.control.overview import WAITING_SITES, overview, stamp
from bulkmail.control.problems import RequestProblem
from bulkmail.control.recipients import find_recipients
from bulkmail.control.site_answers import site_answers
from bulkmail.control.suppressions import Suppresses, suppression_answers
from bulkmail.control.trace_answers import trace_answers
from bulkmail.control.trying import tried_answer
from bulkmail.delivery import Asked, Live, LiveSite, SiteSteering, Traces
from bulkmail.mail import AddressError, Problem, Refused, check_name, read_duration
from bulkmail.preflight import families_of
from bulkmail.routing import LostRelay, RouteFailure, Site, Unfetched, providers_of
from bulkmail.settings import Changes, Settings
from bulkmail.shaping import Limits, Provider, limits_for
from bulkmail.spool import Reading, Tried

T = TypeVar("T")


class Steers(Protocol):
    """What steers campaigns, see `delivery.Steering`; each raises BulkmailError where it cannot be done."""

    async def pause(
        self, name: str, *, provider: str | None = None, until: float | None = None, reason: str = "", who: str = ""
    ) -> Any:
        """Send nothing of it."""

    async def resume(self, name: str, *, provider: str | None = None, who: str = "") -> Any:
        """End the pause."""

    async def cancel(self, name: str, *, reason: str = "", who: str = "") -> Any:
        """End it."""

    async def release(self, name: str, kind: str, *, who: str = "") -> Any:
        """Release the hold of that kind."""

    async def remove(self, name: str, *, without_report: bool = False) -> Any:
        """Remove it from the spool."""


class Accepts(Protocol):
    """What takes changes of campaigns' files, see `delivery.Accepting`."""

    async def ask(self, name: str, *, who: str = "", now: float) -> Asked:
        """Take the change, or leave word for those who can; raises BulkmailError where it cannot be taken."""


class Owners(NamedTuple):
    """Whom the operations are asked of.

    ``read(work)``: calls ``work(reader)`` outside of the event loop. ``route(domain)``: gives its site, or why there is
    none. ``choose(name, variant, who=…)`` chooses a variant, ``try_now(name, …)`` makes deferred rows due.
    ``unfetched(domain)``: the receivers' policies that could not be had, or ("") of all domains.
    ``settings``: gives them as they are now, ``reload`` reads them again. ``wall``: the time in epoch seconds.
    ``machine``, ``process``, ``started_at``: of this process.
    """

    read: Callable[[Callable[[Reading], Any]], Awaitable[Any]]
    live: Live
    steering: Steers
    accepting: Accepts
    settings: Callable[[], Settings]
    route: Callable[[str], Awaitable[Site | RouteFailure]]
    wall: Callable[[], float]
    machine: str
    process: int
    started_at: float
    suppressions: Suppresses
    reload: Callable[[], Changes]
    choose: Callable[..., Awaitable[None]]
    try_now: Callable[..., Awaitable[Tried]]
    unfetched: Callable[[str], list[Unfetched]] = lambda _domain: []
    sites: SiteSteering | None = None
    traces: Traces | None = None

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers with their limits, as they are now."""
        return providers_of(self.settings())


class Answers:
    """Answers calls; see `http.Answering`."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._others = {
            **suppression_answers(
                owners.read, owners.suppressions, owners.wall, hashed=owners.settings().suppression.hashed
            ),
            **site_answers(owners.sites, lambda: owners.providers, owners.live.hosts, owners.unfetched),
            **event_answers(owners.read),
            **trace_answers(owners.traces, lambda: owners.providers, owners.live.named, owners.route),
            **campaign_answers(owners.read, owners.wall),
        }

    async def __call__(self, call: Call) -> Any:
        """Return the answer as JSON data. Raises RequestProblem, BulkmailError."""
        name = call.operation.name
        return await (self._others.get(name) or getattr(self, f"_{name}"))(call)

    async def _campaigns(self, call: Call) -> Any:
        ended = call.query.get("ended")
        skip = int(call.query.get("skip", "0"))
        return await self._overview(None, ended=None if ended is None else int(ended), skip=skip)

    async def _campaign(self, call: Call) -> Any:
        return await self._one(call.path["name"])

    async def _one(self, name: str) -> dict[str, Any]:
        """Return the overview of one campaign. Raises UnknownName."""
        found = await self._overview(name)
        if not found:
            raise await self._read(lambda reader: no_campaign(reader, name))
        return found[0]

    async def _overview(self, name: str | None, *, ended: int | None = None, skip: int = 0) -> list[dict[str, Any]]:
        live, now, zone = self._owners.live, self._owners.wall(), self._owners.settings().timezone
        campaigns, sites = live.campaigns(), live.waiting(WAITING_SITES)
        return await self._read(lambda reader: overview(reader, now, name, campaigns, sites, zone, ended, skip))

    async def _pause(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, PauseOrder)
        until = None if order.for_ is None else self._owners.wall() + read_duration(order.for_)
        await self._owners.steering.pause(
            name, provider=order.provider or None, until=until, reason=order.reason, who=order.who
        )
        return await self._steered(name, "paused")

    async def _resume(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, ResumeOrder)
        await self._owners.steering.resume(name, provider=order.provider or None, who=order.who)
        return await self._steered(name, "resumed")

    async def _cancel(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, CancelOrder)
        await self._owners.steering.cancel(name, reason=order.reason, who=order.who)
        return await self._steered(name, "cancelled")

    async def _approve(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, ApproveOrder)
        await self._owners.steering.release(name, "approval", who=order.who)
        return await self._steered(name, "approved")

    async def _choose(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, ChooseOrder)
        await self._owners.choose(name, order.variant, who=order.who)
        return await self._steered(name, "chosen")

    async def _accept(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, AcceptOrder)
        changed, taken = await self._owners.accepting.ask(name, who=order.who, now=self._owners.wall())
        told = await self._steered(name, "accepted" if taken else "asked for")
        return {**told, "taken": taken, "changes": changed.changes, "sent": changed.sent, "rows": changed.rows}

    async def _try_now(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, TryNowOrder)
        tried = await self._owners.try_now(name, provider=order.provider, site=order.site, who=order.who)
        return tried_answer(await self._one(name), tried, order.provider)

    async def _remove(self, call: Call) -> Any:
        name, order = call.path["name"], call.order
        assert isinstance(order, RemoveOrder)
        await self._owners.steering.remove(name, without_report=order.without_report)
        return await self._steered(name, "removed")

    async def _steered(self, name: str, done: str) -> dict[str, Any]:
        found = await self._overview(name)
        return {"campaign": name, "done": done, "situation": found[0]["situation"] if found else None}

    async def _providers(self, _call: Call) -> Any:
        return [self._provider(name) for name in sorted(self._owners.providers)]

    def _provider(self, name: str) -> dict[str, Any]:
        owners = self._owners
        limits = limits_for(name, owners.providers, Limits.of(owners.settings().shaping.default))
        limiters = owners.live.limiters(f"provider {name}")  # one for each source: the slowest one's factors
        rate, connections = (min((one.factors[n] for one in limiters), default=1.0) for n in (0, 1))
        return {
            "provider": name,
            "mx": list(owners.providers[name].mx),
            "connections": limits.connections,
            "messages_per_connection": limits.messages_per_connection,
            "rate": str(limits.rate),
            "connection_rate": str(limits.connection_rate),
            "idle": limits.idle,
            "tls": limits.tls,
            "rate_factor": rate,
            "connections_factor": connections,
            "open": sum(one.open for one in limiters),
        }

    async def _sites(self, call: Call) -> Any:
        most = call.query.get("most")
        return [_site(site) for site in self._owners.live.sites(None if most is None else int(most))]

    async def _sites_of(self, call: Call) -> Any:
        most, name = call.query.get("most"), call.path["name"]
        check_name("provider", name, self._owners.providers)
        return [_site(site) for site in self._owners.live.sites(None if most is None else int(most), name)]

    async def _recipients(self, call: Call) -> Any:
        email = call.query["email"]
        return await self._read(lambda reader: find_recipients(reader, email))

    async def _explain(self, call: Call) -> Any:
        owners, of, now = self._owners, call.query["of"], self._owners.wall()
        name, providers = of.strip().lower(), owners.providers
        destination, lost = known_destination(of, providers, (), ()), ""
        if destination is None:  # neither are all sites looked through for a provider, nor what is known of them
            learnt = await self._read(lambda reader: reader.facts_about(name, now) if name.isprintable() else [])
            destination = known_destination(of, providers, owners.live.named(name), learnt)
        if destination is None:
            try:
                routed = destination_of(of, await owners.route(domain_of(of)))
            except AddressError as error:
                raise RequestProblem(404, str(error)) from None
            except LostRelay as error:
                routed, lost = lost_relay(of, error), str(error)
            if isinstance(routed, RouteFailure):
                return no_route(of, routed)
            destination = routed
        key, provider = destination.key, destination.provider
        about = [one for one in (key, f"provider {provider}" if provider else "") if one]
        facts, warm = await self._read(
            lambda reader: ([fact for one in about for fact in reader.facts_about(one, now)], reader.warmup_days())
        )
        sites = owners.live.of_key(key) if key else owners.live.sites(1, provider) if provider else []
        settings = owners.settings()
        ip, lacking = families_of(settings, lambda: now).describe(), owners.unfetched(domain_or_none(of) or of)
        live, fault = next(iter(sites), None), owners.live.fault
        known = Known(facts, live, asked_service=True, fault=fault, lost=lost, ip=ip, warm=warm, unfetched=lacking)
        return explain(destination, settings, providers, known, now)

    async def _reload(self, _call: Call) -> Any:
        try:
            found = self._owners.reload()
        except Refused as refused:
            errors = [{"at": _place(problem), "detail": problem.message} for problem in refused.problems]
            detail = f"nothing was changed, since the settings have mistakes:\n{refused}"
            raise RequestProblem(422, detail, errors=errors) from None
        lists = {"live": found.live, "anew": found.anew, "restart": found.restart, "sentences": found.sentences}
        return {name: list(words) for name, words in lists.items()}

    async def _health(self, _call: Call) -> Any:
        owners = self._owners
        return {
            "version": __version__,
            "machine": owners.machine,
            "process": owners.process,
            "started_at": stamp(owners.started_at),
            "fault": owners.live.fault,
            "fault_since": stamp(owners.live.fault_since),
            "campaigns": len(owners.live.campaigns()),
            "unattributed": dict(owners.live.unattributed),
        }

    async def _openapi(self, _call: Call) -> Any:
        return document()

    async def _read(self, work: Callable[[Reading], T]) -> T:
        found: T = await self._owners.read(work)
        return found


def _place(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}:{problem.column}"


def _site(site: LiveSite) -> dict[str, Any]:
    told = {name: value for name, value in site._asdict().items() if name != "binds"}
    at, complaint = site.complaint or (None, "")
    told |= {"complaint": complaint, "complained_at": stamp(at)}
    return {**told, "since": stamp(site.since), "until": stamp(site.until)}
