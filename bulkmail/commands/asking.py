"""How the commands that steer reach a campaign: by the running service, else on the spool itself."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Callable
from typing import Any

from bulkmail.commands.terminal import add_json, add_settings, say, say_json
from bulkmail.control import Client, NotRunningError, overview
from bulkmail.exit_status import DONE
from bulkmail.settings import Settings
from bulkmail.spool import open_reader


def add_name(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the name of a campaign to a command, which a shell completes from the spool."""
    more: Any = {"nargs": "?", "help": "only this campaign"} if optional else {"help": "the campaign's name"}
    name: Any = parser.add_argument("name", metavar="NAME", **more)
    name.complete = NAMES


NAMES = {
    "bash": "_bulkmail_names",
    "zsh": "_bulkmail_names",
    "tcsh": "`bulkmail status --names`",
}
"""What completes the name of a campaign, by shell (`shtab`)."""

PREAMBLE = {
    "bash": '_bulkmail_names() { compgen -W "$(bulkmail status --names 2>/dev/null)" -- "$1"; }\n',
    "zsh": '_bulkmail_names() { local -a names; names=(${(f)"$(bulkmail status --names 2>/dev/null)"}); '
    "_describe campaign names }\n",
}
"""What a script of completion needs beside it."""


def add_provider(parser: argparse.ArgumentParser, words: str) -> None:
    """Add the provider that a command is limited to, named as the service names providers; None without it."""
    parser.add_argument("--provider", type=str.lower, metavar="P", help=words)


def add_by(parser: argparse.ArgumentParser, does: str = "asks for it") -> None:
    """Add who ``does`` what the command is for; `who` reads it."""
    parser.add_argument("--by", metavar="WHO", default=None, help=f"who {does} (default: this user)")


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Add what is kept with an order: why, and by whom; and the options of every command."""
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is shown to all who ask")
    add_by(parser)
    add_settings(parser)
    add_json(parser)


def who(given: argparse.Namespace) -> str:
    """Return who asks: as given, else this user's name."""
    if given.by is not None:
        return str(given.by)
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def steered(
    given: argparse.Namespace,
    settings: Settings,
    order: dict[str, Any],
    alone: Callable[[], object],
    done: str,
) -> int:
    """Have the running service do ``given.what`` to a campaign, or do it ``alone`` where none runs; tell how it stands.

    Raises BulkmailError where it cannot be done.
    """
    name = given.name
    try:
        answer = Client(settings.place).post("campaigns", name, given.what, **order)
    except NotRunningError:
        alone()
        answer = {"campaign": name, "done": done, "situation": situation_at_rest(settings, name)}
    if given.json:
        say_json(answer)
    else:
        told = answer["situation"]
        say(f"{name}: {done}" if told is None else f"{name}: {done}. {told['sentence']}")
    return DONE


def situation_at_rest(settings: Settings, name: str) -> Any:
    """Return how a campaign stands by the spool alone, as the API tells it; None where the spool has it no more."""
    found = overview_at_rest(settings, name)
    return found["situation"] if found else None


def overview_at_rest(settings: Settings, name: str) -> Any:
    """Return a campaign by the spool alone, as the API tells it; None where the spool has it no more."""
    reader = open_reader(settings.spool)
    try:
        found = overview(reader, time.time(), name, timezone=settings.timezone)
    finally:
        reader.close()
    return found[0] if found else None
