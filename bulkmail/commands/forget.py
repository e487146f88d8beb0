"""``bulkmail forget``: what was learnt about a site is learnt anew."""

from __future__ import annotations

import argparse
import contextlib
import os

from bulkmail.commands.terminal import Commands, add_settings, say
from bulkmail.control import Client, NotRunningError
from bulkmail.exit_status import DONE
from bulkmail.mail import BulkmailError, count_of
from bulkmail.settings import load_settings
from bulkmail.spool import forget_sites, public


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    forget = commands.add_parser("forget", help="forget site facts")
    which = forget.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "site", nargs="?", type=str.lower, help="one site, as `status --sites` names it, or its first host; an address"
    )
    which.add_argument("--all", action="store_true", help="all of them")
    add_settings(forget)
    forget.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Have the service forget them, or delete the facts from the spool. Raises BulkmailError where there are none."""
    settings = load_settings(given.settings, os.getcwd())
    if given.site and not settings.shared:  # the machines of a shared spool are notified by it
        with contextlib.suppress(NotRunningError):
            _told(Client(settings.place).post("sites", "forget", of=given.site)["count"])
            return DONE
    count = forget_sites(settings.spool, None if given.all else given.site)
    if not count and not given.all:
        raise BulkmailError(
            f"{public(settings.spool)} remembers nothing of {given.site!r}; see `bulkmail status --sites`"
        )
    _told(count)
    return DONE


def _told(count: int) -> None:
    say(f"{count_of(count, 'fact is', 'facts are')} forgotten")
