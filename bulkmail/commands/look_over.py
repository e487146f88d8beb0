"""What is looked at before an approval, made by a process of the service's: ``python -m bulkmail.commands.look_over``.

It is the check, the preview, the plan and the test messages, as the commands of these names make them, and takes
``--settings FILE``, ``--to ADDRESS`` for each who gets a test message, and the campaign's folder. The lists are read,
and the domains looked up, once: by the check, from which the preview takes its rows and the plan its figures.

Each file is written as soon as it can be: check.csv and PROBLEMS.txt, preview/, plan.txt, and then the test messages
are sent. Where the check finds errors, nothing follows it. At the end one JSON object is printed, with the status 0:
``errors``, the findings that block a start, and ``untested``, by address why it got no test message. Any other status
means that something could not be made; the last line of stderr says why.

A service that stops kills this process, and the kernel its children with it. A template without an end is their
matter: each step composes in processes of its own, with deadlines and bounded memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bulkmail.campaign import PLAN_FILE, write_beside
from bulkmail.commands.check import look_at, note_refused, opened, text_of
from bulkmail.commands.plan import plan_means
from bulkmail.commands.preview import NOTHING_TO_SEND, letters_of, preview_of, problem
from bulkmail.commands.terminal import add_settings, say, tell
from bulkmail.delivery import Prepared
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import BulkmailError, Refused, Status
from bulkmail.preflight import (
    DEFAULT_ROWS,
    Finding,
    Row,
    RowChooser,
    Wanted,
    plain_finding,
    plan_checked,
    plan_lines,
)
from bulkmail.settings import Settings, load_settings


def main() -> int:
    """Make it for the campaign that the arguments name; return the exit status."""
    parser = argparse.ArgumentParser(prog="bulkmail")
    add_settings(parser)
    parser.add_argument("--to", action="append", default=[])
    parser.add_argument("folder")
    given = parser.parse_args()
    try:
        answer = _looked_over(given.folder, load_settings(given.settings, os.getcwd(), given.folder), given.to)
    except BulkmailError as error:
        tell(error)
        return REFUSED
    say(json.dumps(answer))
    return DONE


def _looked_over(folder: str, settings: Settings, to: Sequence[str]) -> dict[str, Any]:
    """Make everything, in this order; return the answer. Raises Refused, BulkmailError."""
    try:
        prepared, ahead = opened(folder, settings)
        wanted = Wanted(kinds=DEFAULT_ROWS)
        chooser = RowChooser(wanted, prepared.campaign.recipients, random.Random())  # noqa: S311 - none is chosen by it

        def look(rows: Sequence[Row]) -> None:
            for row in rows:
                chooser.look(row)

        found = look_at(prepared, settings, ahead, read=look)
    except Refused as refused:
        return _answer(note_refused(folder, refused))
    if found.errors:
        return _answer(found.errors)
    campaign, letters = prepared.campaign, letters_of(prepared.content, None)
    chosen = chooser.chosen()
    if not chosen:
        raise BulkmailError(NOTHING_TO_SEND)
    shown, _ = preview_of(campaign, letters, chosen, {})
    for one in shown:
        if isinstance(one.message, str):
            raise BulkmailError(str(problem(campaign, one.one, one.message)))
    plan = plan_checked(campaign, prepared.content, plan_means(settings), found)
    write_beside(campaign.folder, PLAN_FILE, "\n".join([text_of(found, ahead), "", *plan_lines(plan), ""]))
    first = min(one.row for one in chosen)
    return _answer((), _tested(prepared, settings, letters, first, to))


def _answer(errors: Sequence[Finding], untested: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    return {"errors": [plain_finding(finding) for finding in errors], "untested": dict(untested)}


def _tested(
    prepared: Prepared, settings: Settings, letters: list[tuple[str, dict[str, Any]]], row: Row, to: Sequence[str]
) -> dict[str, str]:
    """Send the test messages; return by address why it got none. What was made before stands, whatever they meet."""
    if not to:
        return {}
    from bulkmail.commands.test import line_of, send_test  # noqa: PLC0415 - what sends; the check is first

    try:
        sent = send_test(prepared, settings, letters, row, to)
    except Exception as error:  # noqa: BLE001 - as above
        if not isinstance(error, BulkmailError):
            traceback.print_exc()
        return dict.fromkeys(to, str(error) or type(error).__name__)
    return {one.email: line_of(variant, one) for variant, one in sent if one.status != Status.DELIVERED}


if __name__ == "__main__":
    sys.exit(main())
