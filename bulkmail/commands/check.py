"""``bulkmail check``: whether a campaign can be sent, and what is odd about it."""

from __future__ import annotations

import argparse
import os

from bulkmail.commands.terminal import DONE, Commands, add_settings, say, tell
from bulkmail.delivery import prepare
from bulkmail.settings import load_settings


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    check = commands.add_parser("check", help="check a campaign as a start would, and send nothing")
    check.add_argument("campaign", help="the campaign.yaml, or its folder")
    add_settings(check)
    check.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Check the files; print what is odd on stderr, the verdict on stdout. Raises Refused."""
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    if given.settings is None and settings.file is not None:
        tell(f"the settings are those of {settings.file.path}")
    prepared = prepare(os.path.abspath(given.campaign), settings, whole=True)
    notices = (*settings.warnings, *prepared.notices)
    for notice in notices:
        tell(f"{notice}")
    found = "nothing wrong was found" if not notices else f"it can be sent; look at the {_notices(len(notices))} first"
    say(f"{prepared.campaign.name}: {found}")
    return DONE


def _notices(count: int) -> str:
    return "notice" if count == 1 else f"{count} notices"
