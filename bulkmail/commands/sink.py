"""``bulkmail sink``: the rehearsal's world alone."""

from __future__ import annotations

import argparse

from bulkmail.commands.terminal import Commands


def add(commands: Commands) -> None:
    """Add the command to the parser; its own options are the rehearsal's, which ``run`` gets unread."""
    words = "run the rehearsal's world alone: DNS and mail servers on loopback; --help says with which options"
    commands.add_parser("sink", help=words, add_help=False).set_defaults(run=run, takes_rest=True)


def run(given: argparse.Namespace) -> int:
    """Run it until it is ended; return its exit status."""
    from bulkmail.rehearsal import run as run_world  # noqa: PLC0415 - brings a reactor

    return run_world(given.rest)
