"""``bulkmail pace``: send to a site or provider no faster than that, for a time."""

from __future__ import annotations

import argparse
import os

from bulkmail.commands.asking import add_by, who
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.control import Client, NotRunningError
from bulkmail.exit_status import DONE
from bulkmail.mail import BulkmailError, parse_rate, read_duration
from bulkmail.settings import load_settings


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    pace = commands.add_parser("pace", help="send to a site or provider no faster than that, for a time")
    pace.add_argument("of", metavar="SITE", help="a provider, such as google; a site, by its key or its first host")
    pace.add_argument("rate", metavar="RATE", help="messages at the most, such as 5/s or 1000/h")
    pace.add_argument("--for", metavar="TIME", dest="lasts", default="1h", help="for so long (default: 1h)")
    add_by(pace)
    add_settings(pace)
    add_json(pace)
    pace.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Have the running service send slower. Raises BulkmailError where none runs, or that is no slower."""
    settings = load_settings(given.settings, os.getcwd())
    parse_rate(given.rate)
    read_duration(given.lasts)
    order = {"of": given.of, "rate": given.rate, "for": given.lasts, "who": who(given)}
    try:
        answer = Client(settings.place).post("sites", "pace", **order)
    except NotRunningError:
        words = f"no service runs with {settings.place}, so nothing is sent that could be slower"
        raise BulkmailError(f"{words}; limits that last are in the settings (shaping.providers)") from None
    if given.json:
        say_json(answer)
    else:
        say(f"{given.of} is sent to at {given.rate} at most for {given.lasts}; `bulkmail forget` ends that")
    return DONE
