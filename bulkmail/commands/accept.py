"""``bulkmail accept``: take what was changed in a campaign's files, for the rows that are not sent yet."""

from __future__ import annotations

import argparse
import os

from bulkmail.campaign import changes, digests
from bulkmail.commands.terminal import DONE, Commands, add_json, add_settings, say, say_json
from bulkmail.delivery import MARK, prepare, refusal, sent_of
from bulkmail.mail import BulkmailError, WrongState
from bulkmail.settings import load_settings
from bulkmail.spool import check_not_ended, in_use, named, open_reader


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    accept = commands.add_parser("accept", help="take the changed files of a campaign for the rows not sent yet")
    accept.add_argument("name", metavar="NAME", help="the campaign")
    add_settings(accept)
    add_json(accept)
    accept.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Put the mark into the campaign's folder that a service takes the change by. Raises BulkmailError, Refused."""
    settings = load_settings(given.settings, os.getcwd())
    reader = open_reader(settings.spool)
    try:
        row = named(reader.campaigns(), given.name)
        check_not_ended(row, "changed")
        sent = sent_of(reader.totals(row.id))
    finally:
        reader.close()
    prepared = prepare(row.folder, settings)
    found = changes(row.digests, digests(prepared.campaign, prepared.content))
    refused = refusal(prepared, row, accept_changes=True)
    if refused is not None:
        raise refused
    if not found:
        raise WrongState(f"{row.name}: nothing that enters its messages was changed since it was started")
    _mark(row.folder)
    holder = in_use(settings.place)
    if given.json:
        figures = {
            "campaign": row.name,
            "changes": found,
            "sent": sent,
            "rows": row.input_rows,
            "service": bool(holder),
        }
        say_json(figures)
        return DONE
    say(f"{row.name}: {', '.join(found)}; {sent:,} of {row.input_rows:,} rows were sent as it was before.")
    if holder:
        say("The service takes the change within seconds, for the rows that are not sent yet.")
    else:
        say("The next start takes the change, for the rows that are not sent yet.")
    return DONE


def _mark(folder: str) -> None:
    path = os.path.join(folder, MARK)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        os.write(descriptor, b"by bulkmail accept\n")
        os.close(descriptor)
    except OSError as error:
        raise BulkmailError(f"{path} cannot be written ({error.strerror})") from None
