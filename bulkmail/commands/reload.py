"""``bulkmail reload``: have the running service read its settings again."""

from __future__ import annotations

import argparse
import os

from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.control import Client, NotRunningError
from bulkmail.exit_status import DONE
from bulkmail.mail import BulkmailError
from bulkmail.settings import load_settings


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    reload = commands.add_parser("reload", help="have the running service read its settings again")
    add_settings(reload)
    add_json(reload)
    reload.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Ask the service whose spool these settings name, and say what it uses now. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    try:
        answer = Client(settings.place).post("reload")
    except NotRunningError:
        words = f"no service runs with {settings.place}, so the next start reads the settings"
        hint = "; where `spool` or `machine.folder` is another one than the service was started with, restart it"
        raise BulkmailError(words + hint) from None
    if given.json:
        say_json(answer)
    else:
        for sentence in answer["sentences"]:
            say(sentence)
    return DONE
