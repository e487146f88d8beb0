"""Sends a notice about a campaign by mail, as a process of the service's: ``python -m bulkmail.commands.notice``.

It reads one JSON object from its standard input: ``settings`` (a path, or null), ``from``, ``to`` (addresses),
``subject`` and ``text``. The mail goes the way of every other, by the same settings; it is marked as automatic
(RFC 3834 5).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

from bulkmail.commands.once import sent_once
from bulkmail.commands.terminal import tell
from bulkmail.delivery import prepare, quoted
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import BulkmailError, Refused, Status
from bulkmail.settings import load_settings

_WITHIN = 300.0  # seconds


def main() -> int:
    """Send what standard input says; return the exit status: 1 where an address was not accepted."""
    given = json.load(sys.stdin)
    try:
        return _sent(given)
    except (Refused, BulkmailError) as error:
        tell(error)
        return REFUSED


def _sent(given: dict[str, Any]) -> int:
    settings = load_settings(given["settings"], os.getcwd())
    with tempfile.TemporaryDirectory(prefix="bulkmail-notice-") as place:
        prepared = prepare(_folder(place, given), settings)
        (rows,) = sent_once([prepared], settings, place, within=_WITHIN)
    wrong = [row for row in rows if row.status != Status.DELIVERED]
    for row in wrong:
        tell(f"{row.email}: {row.status}: {row.reply or row.note}")
    return REFUSED if wrong else DONE


def _folder(place: str, given: dict[str, Any]) -> str:
    """Write a campaign of one message to some addresses; return its folder."""
    folder = os.path.join(place, "campaign")
    os.mkdir(folder, 0o700)
    values = {
        "name": "notice",
        "from": given["from"],
        "subject": "{{ subject }}",
        "template": {"text": "body.txt"},
        "recipients": "recipients.csv",
        "kind": "transactional",
        "defaults": {"subject": given["subject"], "text": given["text"]},
    }
    listed = "".join(f"{quoted(to)}\n" for to in given["to"])
    files = {"campaign.yaml": json.dumps(values), "body.txt": "{{ text }}\n", "recipients.csv": f"email\n{listed}"}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return folder


if __name__ == "__main__":
    sys.exit(main())
