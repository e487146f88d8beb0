"""``bulkmail remove``: remove an ended campaign from the spool; its report stays in its folder."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from bulkmail.commands.asking import add_name, steered
from bulkmail.commands.terminal import Commands, add_json, add_settings, progress
from bulkmail.settings import load_settings
from bulkmail.spool import remove_campaign

if TYPE_CHECKING:
    from tqdm import tqdm


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    remove = commands.add_parser("remove", help="remove an ended campaign from the spool; its report stays")
    add_name(remove)
    remove.add_argument(
        "--without-report", action="store_true", help="also where its last report was not written to its end"
    )
    add_settings(remove)
    add_json(remove)
    remove.set_defaults(run=run, what="remove")


def run(given: argparse.Namespace) -> int:
    """Remove it by the service, or from the spool. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())

    def step(bar: tqdm[Any]) -> None:
        bar.update()

    def alone() -> None:
        with progress(f"removing {given.name}", unit="steps") as bar:
            remove_campaign(settings.spool, given.name, lambda: step(bar), without_report=given.without_report)

    order = {"without_report": True} if given.without_report else {}
    return steered(given, settings, order, alone, "removed from the spool; its report stays in its folder")
