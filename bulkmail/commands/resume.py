"""``bulkmail resume``: end the pauses of a campaign, and what a rule has stopped."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.campaign import check_no_pause_file
from bulkmail.commands.asking import add_by, add_name, add_provider, steered, who
from bulkmail.commands.terminal import Commands, add_json, add_settings
from bulkmail.settings import load_settings
from bulkmail.spool import lift_hold, named, open_reader

_BY_PEOPLE = ("paused", "rule")  # the kinds of holds that are released


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    resume = commands.add_parser("resume", help="end the pauses of a campaign, and what a rule has stopped")
    add_name(resume)
    add_provider(resume, "only the pause at this provider")
    add_by(resume)
    add_settings(resume)
    add_json(resume)
    resume.set_defaults(run=run, what="resume")


def run(given: argparse.Namespace) -> int:
    """Resume it by the service, or in the spool. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())

    def alone() -> None:
        reader = open_reader(settings.spool)
        try:
            row = named(reader.campaigns(), given.name)
            holds = [hold for hold in reader.holds() if hold.campaign_id == row.id and hold.kind in _BY_PEOPLE]
        finally:
            reader.close()
        for hold in holds:
            if given.provider is None and (hold.kind, hold.provider) == ("paused", ""):
                check_no_pause_file(row.folder, row.name)
        wanted = [(hold.kind, hold.provider) for hold in holds if given.provider in (None, hold.provider)]
        for kind, provider in wanted or [("paused", given.provider or "")]:  # without one it is refused with its reason
            lift_hold(settings.spool, given.name, now=time.time(), kind=kind, provider=provider)

    return steered(given, settings, {"provider": given.provider, "who": who(given)}, alone, "resumed")
