"""``bulkmail plan``: who a campaign goes to, how fast, when it is through, and what binds it. Nothing is sent."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bulkmail.commands.event_loop import in_event_loop
from bulkmail.commands.terminal import Commands, add_json, add_settings, progress, say, say_json, tell
from bulkmail.delivery import prepare
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.machine import compose_processes
from bulkmail.mail import Refused
from bulkmail.preflight import Plan, PlanMeans, Resolving, plain_plan, plan_campaign, plan_lines
from bulkmail.routing import providers_of
from bulkmail.settings import Settings, load_settings
from bulkmail.shaping import WarmupDay
from bulkmail.spool import open_reader


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    plan = commands.add_parser("plan", help="how long a campaign takes, and what limits it; nothing is sent")
    plan.add_argument("campaign", metavar="FOLDER", help="the campaign.yaml, or its folder")
    add_settings(plan)
    add_json(plan)
    plan.add_argument("--no-dns", action="store_true", help="look up no domain; each counts as a site of its own")
    plan.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the plan; the status is 1 where messages would not be sent in time. Raises Refused."""
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    for warning in settings.warnings:
        tell(f"{warning}")
    prepared = prepare(os.path.abspath(given.campaign), settings)

    async def work(reactor: Any) -> Plan:
        resolving = Resolving(reactor, settings)
        bar = progress("looking up the domains", unit="domains")

        def told(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        means = replace(plan_means(settings), ask=None if given.no_dns else resolving.ask, told=told)
        try:
            return await plan_campaign(reactor, prepared.campaign, prepared.content, means)
        finally:
            bar.close()
            await resolving.close()

    plan = in_event_loop(work)
    if given.json:
        say_json(plain_plan(plan))
    else:
        for line in plan_lines(plan):
            say(line)
    return REFUSED if plan.flow.left else DONE


def plan_means(settings: Settings) -> PlanMeans:
    """Return what a plan is made with now, without a resolver."""
    return PlanMeans(
        settings=settings,
        providers=providers_of(settings),
        now=time.time(),
        processes=compose_processes(settings.compose.processes),
        warm=_warm(settings),
    )


def _warm(settings: Settings) -> Mapping[tuple[str, str], WarmupDay]:
    """Return where sources that warm up are, as the spool knows it; {} where nothing was ever sent."""
    if not any(source.warmup for source in settings.sources):
        return {}
    try:
        reader = open_reader(settings.spool)
    except Refused:
        return {}
    try:
        return reader.warmup_days()
    finally:
        reader.close()
