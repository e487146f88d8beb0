"""``bulkmail choose``: choose the variant that those get who wait for the better one."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.commands.asking import add_by, add_name, steered, who
from bulkmail.commands.terminal import Commands, add_json, add_settings
from bulkmail.settings import load_settings
from bulkmail.spool import choose_winner


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    choose = commands.add_parser("choose", help="choose the variant that those get who wait for the better one")
    add_name(choose)
    choose.add_argument("variant", metavar="VARIANT", help="the variant, as campaign.yaml calls it")
    add_by(choose, "chooses it")
    add_settings(choose)
    add_json(choose)
    choose.set_defaults(run=run, what="choose")


def run(given: argparse.Namespace) -> int:
    """Have it chosen by the service, or choose it in the spool. Raises BulkmailError where nothing is to be chosen."""
    settings = load_settings(given.settings, os.getcwd())
    by = who(given)

    def alone() -> None:
        choose_winner(settings.spool, given.name, given.variant, now=time.time(), who=by)

    return steered(given, settings, {"variant": given.variant, "who": by}, alone, "chosen")
