"""``bulkmail doctor``: whether this machine can send: its files, limits, clock, resolver, names, port 25 and keys."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator

from bulkmail.commands import machine_checks, network_checks
from bulkmail.commands.checks import Check
from bulkmail.commands.relay_checks import sign_ins
from bulkmail.commands.sender import add_addresses, public_addresses, with_lookup
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.machine import own_name
from bulkmail.mail import OwnFault, Refused
from bulkmail.routing import Lookup
from bulkmail.settings import Settings, load_settings

_WIDTH = 12  # of the column with the names


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    doctor = commands.add_parser(
        "doctor",
        help="check whether this machine can send",
        description=(
            "Check whether this machine can send. To see whether port 25 is open, it connects to a mail server of "
            f"{', '.join(network_checks.WELL_KNOWN)}, reads the greeting and says QUIT. Where the settings have a "
            "relay, it signs in there and says QUIT; nothing is sent."
        ),
    )
    doctor.add_argument("--watch", metavar="FOLDER", help="the folder that is watched: check who may read and write it")
    doctor.add_argument(
        "--server",
        metavar="HOST[:PORT]",
        action="append",
        default=[],
        help="connect to this mail server instead of the well-known ones; may be given several times",
    )
    doctor.add_argument("--no-connect", action="store_true", help="connect to no mail server")
    doctor.add_argument("--no-dns", action="store_true", help="ask no name server, and connect to no mail server")
    add_addresses(doctor)
    add_settings(doctor)
    add_json(doctor)
    doctor.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print each check as it is made; 1 where one of them found an error."""
    made = []
    for check in _checks(given):
        made.append(check)
        if not given.json:
            say(_line(check))
    if given.json:
        say_json([check._asdict() for check in made])
    else:
        errors, warnings = (sum(check.result == result for check in made) for result in ("error", "warning"))
        say(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
    return REFUSED if any(check.result == "error" for check in made) else DONE


def _checks(given: argparse.Namespace) -> Iterator[Check]:
    try:
        settings = load_settings(given.settings, os.getcwd())
    except Refused as refused:
        for problem in refused.problems:
            yield Check("settings", "error", str(problem), "correct it; what follows is by the defaults")
        settings = Settings()
    else:
        yield machine_checks.settings_check(settings)
        yield from machine_checks.risky_files(settings)
    yield from machine_checks.local_checks(settings, time.time())
    if given.watch is not None:
        yield machine_checks.watched_folder(given.watch)
    if not given.no_dns:
        yield from _network(given, settings)
        if not given.no_connect:
            from twisted.internet import reactor

            yield from sign_ins(settings, settings.hostname or own_name(), reactor)


def _network(given: argparse.Namespace, settings: Settings) -> list[Check]:
    hostname = settings.hostname or own_name()
    addresses = public_addresses(settings, given.address)
    servers = None if given.no_connect else list(given.server)

    async def work(lookup: Lookup) -> list[Check]:
        return await network_checks.network_checks(settings, hostname, addresses, servers, lookup)

    try:
        return with_lookup(settings, work)
    except OwnFault as fault:
        remedy = "name one that answers (dns.nameservers, or /etc/resolv.conf)"
        return [Check("resolver", "error", str(fault), remedy)]


def _line(check: Check) -> str:
    remedy = f"; {check.remedy}" if check.remedy else ""
    return f"{check.result:<8} {check.name:<{_WIDTH}} {check.message}{remedy}"


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
