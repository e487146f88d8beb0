"""``bulkmail cancel``: end a campaign; every row that was not sent becomes cancelled."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.at_rest import cancel_at_rest
from bulkmail.commands.asking import add_name, add_reason, steered, who
from bulkmail.commands.event_loop import in_event_loop
from bulkmail.commands.terminal import Commands, tell
from bulkmail.settings import load_settings


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    cancel = commands.add_parser("cancel", help="end a campaign: what was not sent is not sent any more; no way back")
    add_name(cancel)
    add_reason(cancel)
    cancel.set_defaults(run=run, what="cancel")


def run(given: argparse.Namespace) -> int:
    """Cancel it by the service, or settle its rows and write its report here. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())

    def alone() -> None:
        written = in_event_loop(
            lambda reactor: cancel_at_rest(
                reactor,
                settings,
                given.name,
                wall=time.time,
                monotonic=time.monotonic,
                reason=given.reason,
                who=who(given),
            )
        )
        if not written:
            tell("its last report could not be written; the next start of a service with this spool writes it")

    return steered(given, settings, {"reason": given.reason, "who": who(given)}, alone, "cancelled")
