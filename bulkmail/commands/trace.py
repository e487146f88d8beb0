"""``bulkmail trace``: what is said to a receiver, as it is said, without the messages."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from bulkmail.commands.terminal import Commands, add_json, add_settings, say, tell
from bulkmail.control import Client
from bulkmail.exit_status import DONE
from bulkmail.mail import UnitError, count_of, printable, read_duration
from bulkmail.settings import load_settings

_EVERY = 0.5  # seconds between two looks
_SIGNS = {"command": ">", "reply": "<", "message": ">", "note": "*"}


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("trace", help="what is said to a receiver, live, without the messages")
    parser.add_argument(
        "of", metavar="DOMAIN", help="a domain, an address, a site as `status --sites` names it, a provider"
    )
    parser.add_argument("--for", dest="lasts", type=_duration, default=60.0, help="ends after this time (default: 1m)")
    parser.add_argument("--lines", type=_count, default=1000, help="ends after so many lines (default: 1000)")
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def _duration(text: str) -> float:
    try:
        return read_duration(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines, such as 100")
    return int(text)


def run(given: argparse.Namespace) -> int:
    """Print it until its time or its lines are over. Raises BulkmailError."""
    client = Client(load_settings(given.settings, os.getcwd()).place)
    show = partial(_print, json.dumps if given.json else plain)
    with contextlib.suppress(KeyboardInterrupt):
        follow(lambda after: client.get("trace", of=given.of, after=str(after)), show, given.lasts, given.lines)
    return DONE


def follow(
    ask: Callable[[int], Any],
    show: Callable[[Iterable[Any]], Any],
    lasts: float,
    most: int,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Show the lines that are told from now on, and return how many. ``ask(after)``: the answer of the API."""
    begun, count = now(), 0
    found = ask(0)
    after = found["newest"]
    tell(f"what is said to {printable(found['site'])} from now on, for {lasts:g} s or {most:,} lines; Ctrl-C ends it")
    while count < most and (left := begun + lasts - now()) > 0:
        sleep(min(_EVERY, left))
        found = ask(after)
        if found["newest"] < after:  # begun anew: what is known is of another trace
            found = ask(0)
        if found["dropped"]:
            tell(f"{count_of(found['dropped'], 'line is', 'lines are')} missing here: more was said than is kept")
        lines = found["lines"][: most - count]
        show(lines)
        count += len(lines)
        after = found["newest"]
    return count


def _print(form: Callable[[Any], str], lines: Iterable[Any]) -> None:
    for line in lines:
        say(form(line))
    sys.stdout.flush()  # also on a pipe they are shown as they are said


def plain(line: Any) -> str:
    """Return a line for a person."""
    ip = f"[{line['ip']}]" if line["ip"] else ""
    where = f"{line['at'][11:23]} #{line['connection']} {line['host']}{ip}"
    return printable(f"{where} {_SIGNS.get(line['what'], '*')} {_text(line)}")


def _text(line: Any) -> str:
    return f"(message, {line['text']})" if line["what"] == "message" else str(line["text"])
