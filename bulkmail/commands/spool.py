"""``bulkmail spool``: what is done to a whole spool."""

from __future__ import annotations

import argparse
import os
import time

from bulkmail.commands.terminal import Commands, add_settings, say, tell
from bulkmail.exit_status import DONE
from bulkmail.mail import count_of
from bulkmail.settings import load_settings
from bulkmail.spool import back_up_spool, copy_spool, has_password, public


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    spool = commands.add_parser("spool", help="copy a whole spool: into PostgreSQL or back, or as a backup")
    actions = spool.add_subparsers(required=True, metavar="ACTION")
    copy = actions.add_parser("copy", help="copy it, or go on with a copy; the old one cannot be sent from any more")
    copy.add_argument("source", metavar="FROM", help="a spool's folder, or its postgresql:// address")
    copy.add_argument("target", metavar="TO", help="the same, not in use and empty")
    copy.set_defaults(run=_copy)
    backup = actions.add_parser("backup", help="copy it as it is now, also while it is sent from")
    backup.add_argument("target", metavar="FOLDER", help="where the copy goes; it is made")
    add_settings(backup)
    backup.set_defaults(run=_back_up)


def _back_up(given: argparse.Namespace) -> int:
    settings = load_settings(given.settings, os.getcwd())
    held = back_up_spool(settings.spool, given.target, time.time())
    paused = count_of(held, "campaign is", "campaigns are")
    say(f"{given.target} holds the spool as it is now; in the copy {paused} paused, until resumed")
    return DONE


def _copy(given: argparse.Namespace) -> int:
    if has_password(given.source) or has_password(given.target):
        tell(
            "warning: every user of this machine can read a password in an argument while the command runs; leave it "
            "out and keep it in ~/.pgpass (mode 600), or in the environment variable PGPASSWORD"
        )
    count = copy_spool(given.source, given.target, tell)
    say(f"{count_of(count, 'recipient is', 'recipients are')} in {public(given.target)} now; set `spool` to it")
    return DONE
