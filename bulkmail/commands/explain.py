"""``bulkmail explain``: the limits of a destination, what binds now, and why it is not faster."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bulkmail.commands.event_loop import in_event_loop
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.control import (
    Client,
    Known,
    NotRunningError,
    destination_of,
    domain_of,
    explain,
    known_destination,
    lost_relay,
    no_route,
)
from bulkmail.exit_status import DONE
from bulkmail.mail import Refused, count_of
from bulkmail.preflight import Resolving, families_of
from bulkmail.routing import (
    ENFORCED,
    TESTED,
    LostRelay,
    Policies,
    RouteFailure,
    Site,
    Unfetched,
    providers_of,
    router_of,
)
from bulkmail.settings import Settings, load_settings
from bulkmail.shaping import Provider, WarmupDay
from bulkmail.spool import SiteFact, open_reader

_ASKED = {
    ENFORCED: ": its own policy (MTA-STS) names the hosts, and asks for a valid certificate",
    TESTED: ": its own policy (MTA-STS) is only a test, and changes nothing",
}


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    words = "the limits of a domain, a site or a provider, and why it is not sent to faster"
    parser = commands.add_parser("explain", help=words)
    parser.add_argument(
        "of", metavar="WHAT", help="a domain, an address, a site as `status --sites` names it, a provider"
    )
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print it, as the running service knows it, else by the settings, the spool and the DNS. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    try:
        found = Client(settings.place).get("explain", of=given.of)
    except NotRunningError:
        found = _alone(settings, given.of)
    if given.json:
        say_json(found)
    else:
        say("\n".join(_lines(found)))
    return DONE


def _alone(settings: Settings, of: str) -> dict[str, Any]:
    providers, now = providers_of(settings), time.time()
    facts, warm = _facts(settings, now)
    destination, unfetched, lost = known_destination(of, providers, (), facts), list[Unfetched](), ""
    if destination is None:
        try:
            route, unfetched = _route(settings, providers, domain_of(of))
        except LostRelay as fault:
            destination, lost = lost_relay(of, fault), str(fault)
        else:
            routed = destination_of(of, route)
            if isinstance(routed, RouteFailure):
                return no_route(of, routed)
            destination = routed
    ip = families_of(settings, time.monotonic).describe()
    known = Known(facts, lost=lost, ip=ip, warm=warm, unfetched=unfetched)
    return explain(destination, settings, providers, known, now)


def _facts(settings: Settings, now: float) -> tuple[Sequence[SiteFact], Mapping[tuple[str, str], WarmupDay]]:
    try:
        reader = open_reader(settings.spool)
    except Refused:
        return (), {}  # nothing was ever sent, so nothing was learnt
    try:
        return reader.site_facts(now), reader.warmup_days()
    finally:
        reader.close()


def _route(
    settings: Settings, providers: dict[str, Provider] | Any, domain: str
) -> tuple[Site | RouteFailure, list[Unfetched]]:
    """Return where its mail goes, and the policy of its own that could not be had."""

    async def look_up(reactor: Any) -> tuple[Site | RouteFailure, list[Unfetched]]:
        resolving = Resolving(reactor, settings)
        policies = Policies(resolving.ask, time.time) if settings.routing.mta_sts else None
        try:
            router = router_of(settings, resolving.ask, reactor.seconds, providers, policies=policies)
            return await router.route(domain), router.unfetched(domain)
        finally:
            await resolving.close()

    return in_event_loop(look_up)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [found["sentence"]]
    if not found["site"]:
        return lines
    provider = f", provider {found['provider']}" if found["provider"] else ""
    lines += ["", f"site      {found['site']}{provider}"]
    hosts = [_with_addresses(host, found["addresses"].get(host, ())) for host in found["hosts"]]
    lines += [f"hosts     {', '.join(hosts)}"] if hosts else []
    lines += [f"ip        {found['ip']}"] if found["ip"] else []
    lines += [f"tls       {found['tls_policy']}{_ASKED.get(found['tls_policy'], '')}"] if found["tls_policy"] else []
    lines += [f"policy    {found['policy_problem']}"] if found["policy_problem"] else []
    since = f", since {found['since']}" if found["since"] else ""
    until = f", until {found['until']}" if found["until"] else ""
    lines += [f"binds     {found['binds']}{since}{until}"]
    if found["ceiling"] is not None:
        lines += [f"at most   {count_of(found['ceiling'], 'message')} an hour by the limits"]
    width = max((len(one["limit"]) for one in found["limits"]), default=0)
    lines += ["", "limits"]
    lines += [f"  {one['limit']:<{width}}  {one['value'] or '-'}  ({one['from']})" for one in found["limits"]]
    lines += ["warm-up", *(f"  {one['words']}" for one in found["warmup"])] if found["warmup"] else []
    lines += ["learnt", *(f"  {words}" for words in found["learnt"])] if found["learnt"] else []
    return lines


def _with_addresses(host: str, addresses: Sequence[str]) -> str:
    return f"{host} ({', '.join(addresses)})" if addresses else host
