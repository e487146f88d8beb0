"""``bulkmail spool``: what is done to a whole spool."""

from __future__ import annotations

import argparse

from bulkmail.commands.terminal import DONE, Commands, say, tell
from bulkmail.spool import copy_spool, has_password, public


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    spool = commands.add_parser("spool", help="a whole spool from a folder into PostgreSQL, or back")
    actions = spool.add_subparsers(required=True, metavar="ACTION")
    copy = actions.add_parser("copy", help="copy it, or go on with a copy; the old one cannot be sent from any more")
    copy.add_argument("source", metavar="FROM", help="a spool's folder, or its postgresql:// address")
    copy.add_argument("target", metavar="TO", help="the same, not in use and empty")
    copy.set_defaults(run=_copy)


def _copy(given: argparse.Namespace) -> int:
    if has_password(given.source) or has_password(given.target):
        tell(
            "warning: every user of this machine can read a password in an argument while the command runs; leave it "
            "out and keep it in ~/.pgpass (mode 600), or in the environment variable PGPASSWORD"
        )
    count = copy_spool(given.source, given.target, tell)
    say(f"{count:,} recipients are in {public(given.target)} now; set `spool` to it")
    return DONE
