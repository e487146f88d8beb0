"""``bulkmail approve``: let a campaign be sent that waits for approval."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.commands.asking import add_by, add_name, steered, who
from bulkmail.commands.terminal import Commands, add_json, add_settings
from bulkmail.settings import load_settings
from bulkmail.spool import lift_hold


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    approve = commands.add_parser("approve", help="let a campaign be sent that waits for approval")
    add_name(approve)
    add_by(approve, "approves it")
    add_settings(approve)
    add_json(approve)
    approve.set_defaults(run=run, what="approve")


def run(given: argparse.Namespace) -> int:
    """Approve it by the service, or in the spool. Raises BulkmailError, also where it waits for no approval."""
    settings = load_settings(given.settings, os.getcwd())

    def alone() -> None:
        lift_hold(settings.spool, given.name, now=time.time(), kind="approval")

    return steered(given, settings, {"who": who(given)}, alone, "approved")
