"""``bulkmail try-now``: try the deferred recipients of a campaign at once, instead of when their wait is over."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.commands.asking import add_by, add_name, add_provider, overview_at_rest, who
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.control import Client, NotRunningError, tried_answer, tried_words
from bulkmail.exit_status import DONE
from bulkmail.mail import check_name
from bulkmail.routing import provider_names
from bulkmail.settings import load_settings
from bulkmail.spool import try_now


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    trying = commands.add_parser("try-now", help="try the deferred recipients of a campaign at once")
    add_name(trying)
    add_provider(trying, "only those at this provider, such as google")
    trying.add_argument(
        "--site", metavar="S", default="", help="only those with this domain, or last tried at this MX host"
    )
    add_by(trying)
    add_settings(trying)
    add_json(trying)
    trying.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Have the service try them, or make them due in the spool. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    order = {"provider": given.provider or "", "site": given.site.lower(), "who": who(given)}
    try:
        answer = Client(settings.place).post("campaigns", given.name, "try-now", **order)
    except NotRunningError:
        if given.provider:
            check_name("provider", given.provider, provider_names(settings))
        tried = try_now(settings.spool, given.name, now=time.time(), **order)
        answer = tried_answer(overview_at_rest(settings, given.name), tried, given.provider or "")
    if given.json:
        say_json(answer)
    else:
        for line in tried_words(answer):
            say(line)
    return DONE
