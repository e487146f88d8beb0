"""``bulkmail accept``: take what was changed in a campaign's files, for the rows that are not sent yet."""

from __future__ import annotations

import argparse
import os
import time
from contextlib import closing
from typing import Any

from bulkmail.campaign import changes, digests
from bulkmail.commands.asking import add_by, add_name, situation_at_rest, who
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.control import Client, NotRunningError
from bulkmail.delivery import prepare, put_mark, refusal, sent_of
from bulkmail.exit_status import DONE
from bulkmail.mail import WrongState
from bulkmail.settings import Settings, load_settings
from bulkmail.spool import check_not_ended, named, open_reader, request_accept

_PATIENCE = 90.0  # seconds: the service checks the campaign anew


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    accept = commands.add_parser("accept", help="take the changed files of a campaign for the rows not sent yet")
    add_name(accept)
    add_by(accept)
    add_settings(accept)
    add_json(accept)
    accept.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Have the service take it, or leave word for the next start. Raises BulkmailError, Refused."""
    settings = load_settings(given.settings, os.getcwd())
    try:
        answer = Client(settings.place, _PATIENCE).post("campaigns", given.name, "accept", who=who(given))
    except NotRunningError:
        answer = _alone(settings, given.name, who(given))
    if given.json:
        say_json(answer)
        return DONE
    name, found = answer["campaign"], answer["changes"]
    so_far = f"{answer['sent']:,} of {answer['rows']:,} rows were sent as it was before"
    say(f"{name}: {', '.join(found)}; {so_far}." if found else f"{name}: {so_far}.")
    if answer["taken"]:
        say("The change is taken for the rows that are not sent yet.")
    elif found:
        say("The change is taken when the campaign goes on, for the rows that are not sent yet.")
    else:
        say("The machine that has its folder takes what was changed there, for the rows that are not sent yet.")
    return DONE


def _alone(settings: Settings, name: str, by: str) -> dict[str, Any]:
    """Leave word: in the campaign's folder, or on a shared spool, whose machines all see it, in the spool."""
    with closing(open_reader(settings.spool)) as reader:
        row = named(reader.campaigns(), name)
        check_not_ended(row, "changed")
        sent = sent_of(reader.totals(row.id))
    found: list[str] = []
    if settings.shared:
        request_accept(settings.spool, name, now=time.time(), who=by)
    else:
        prepared = prepare(row.folder, settings)
        refused = refusal(prepared, row, accept_changes=True)
        if refused is not None:
            raise refused
        found = changes(row.digests, digests(prepared.campaign, prepared.content))
        if not found:
            raise WrongState(f"{row.name}: nothing that enters its messages was changed since it was started")
        put_mark(row.folder, by)
    told = {"campaign": name, "done": "asked for", "situation": situation_at_rest(settings, name)}
    return {**told, "taken": False, "changes": found, "sent": sent, "rows": row.input_rows}
