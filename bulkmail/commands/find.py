"""``bulkmail find``: all that is known of an address, over all campaigns of the spool."""

from __future__ import annotations

import argparse
import os
from typing import Any

from bulkmail.commands.terminal import Commands, add_json, add_settings, progress, say, say_json
from bulkmail.control import find_recipients
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.settings import load_settings
from bulkmail.spool import open_reader


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    find = commands.add_parser("find", help="all that is known of an address, over all campaigns")
    find.add_argument("address", metavar="ADDRESS", help="a mail address; capitals do not matter")
    add_settings(find)
    add_json(find)
    find.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a line or an object for each row with the address; status 1 where there is none. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    reader = open_reader(settings.spool)
    try:
        with progress(f"looking for {given.address}", len(reader.campaigns()), unit="campaigns") as bar:
            found = find_recipients(reader, given.address, bar.update)
    finally:
        reader.close()
    if given.json:
        say_json(found)
    else:
        for one in found:
            say(_line(one))
        if not found:
            whole = "" if "@" in given.address else "; give the whole address, such as ann@example.com"
            say(f"no campaign of the spool has {given.address}{whole}")
    return DONE if found else REFUSED


def _line(one: dict[str, Any]) -> str:
    words = f"{one['campaign']}, row {one['row']}: {one['status']}"
    if one["category"]:
        words += f" ({one['category']})"
    times = f", attempts {one['attempts']}" if one["attempts"] else ""
    if one["completed_at"]:
        times += f", at {one['completed_at']}"
    for name, what in (("late_at", "came back"), ("unsubscribed_at", "unsubscribed"), ("complained_at", "complained")):
        if one[name]:
            times += f", {what} at {one[name]}"
    if one["next_attempt_at"]:
        times += f", next try {one['next_attempt_at']}"
    said = one["note"] if not one["reply"] else f"{one['smtp_code'] or ''} {one['reply']}".strip()
    where = f" ({one['mx_host']})" if one["mx_host"] and one["reply"] else ""
    return f"{words}{times}" + (f": {said}{where}" if said else "")
