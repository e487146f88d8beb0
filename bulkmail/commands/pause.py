"""``bulkmail pause``: send nothing of a campaign, or nothing of it to one provider, until it is resumed."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.commands.asking import add_name, add_provider, add_reason, steered, who
from bulkmail.commands.terminal import Commands
from bulkmail.mail import check_name, read_duration
from bulkmail.routing import provider_names
from bulkmail.settings import load_settings
from bulkmail.spool import hold_campaign


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    pause = commands.add_parser(
        "pause", help="send nothing of a campaign until it is resumed; nothing is charged for it"
    )
    add_name(pause)
    add_provider(pause, "only what goes to this provider, such as google; other: to sites of none")
    pause.add_argument("--for", metavar="TIME", dest="lasts", help="for so long, such as 2h; then it goes on by itself")
    add_reason(pause)
    pause.set_defaults(run=run, what="pause")


def run(given: argparse.Namespace) -> int:
    """Pause it by the service, or in the spool. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    lasts = None if given.lasts is None else read_duration(given.lasts)
    order = {"provider": given.provider, "for": given.lasts, "reason": given.reason, "who": who(given)}

    def alone() -> None:
        if given.provider is not None:
            check_name("provider", given.provider, provider_names(settings))
        now = time.time()
        hold_campaign(
            settings.spool,
            given.name,
            now=now,
            provider=given.provider or "",
            until=None if lasts is None else now + lasts,
            reason=given.reason,
            who=who(given),
        )

    return steered(given, settings, order, alone, "paused")
