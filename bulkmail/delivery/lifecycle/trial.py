"""A trial: one row's message to other addresses, as a campaign of its own that leaves no trace in the real one.

Its list holds the row once for each address, with the address in the place of the row's own. Everything else that
enters a message is the campaign's. What is different is plainly so: the subject begins with ``[test]``, and each token
with ``test-``, which no real one does, so that the page behind the unsubscribe link can tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bulkmail.campaign import load_campaign
from bulkmail.delivery.lifecycle.opening import Prepared

SUBJECT_MARK = "[test] "
TOKEN_MARK = "test-"  # noqa: S105 - the beginning of a public token

_PRIVATE = 0o600


def trial_of(prepared: Prepared, file: int, cells: Sequence[str], addresses: Sequence[str], folder: str) -> Prepared:
    """Return the trial of a campaign that was checked; its files are written into ``folder``, which is empty.

    ``file`` and ``cells``: the row's list, from 0, and what stands in it. Raises OSError and Refused.
    """
    campaign, columns = prepared.campaign, prepared.columns[file]
    at = columns.index("email")
    rows = [[*cells[:at], address, *cells[at + 1 :]] for address in addresses]
    text = "".join(",".join(map(quoted, row)) + "\r\n" for row in [columns, *rows])
    _write(os.path.join(folder, "recipients.csv"), text)
    _write(os.path.join(folder, "body.txt"), "The content is the campaign's.\n")
    attached = [f"attachment-{number}" for number in range(len(campaign.fixed_attachments))]
    for name in attached:
        _write(os.path.join(folder, name), "The content is the campaign's.\n")
    values = {
        "name": campaign.name,
        "from": campaign.sender,
        "subject": "test",
        "template": {"text": "body.txt"},
        "recipients": "recipients.csv",
        "attachments": attached,
    }
    _write(os.path.join(folder, "campaign.yaml"), json.dumps(values, ensure_ascii=False) + "\n")
    locales = prepared.content.get("locales")
    if locales is not None:
        marked = {tag: _marked(letter) for tag, letter in locales["letters"].items()}
        locales = {**locales, "letters": marked}
    content = {
        **_marked(prepared.content),
        **({} if locales is None else {"locales": locales}),
        "columns": [columns],
        "schedule": None,  # somebody waits for it
        "token_mark": TOKEN_MARK,
    }
    return replace(
        prepared, campaign=load_campaign(folder), content=content, columns=[columns], input_bytes=len(text), notices=()
    )


def _marked(letter: dict[str, Any]) -> dict[str, Any]:
    return {**letter, "subject": SUBJECT_MARK + letter["subject"]}


def quoted(cell: str) -> str:
    """Return a cell of a CSV file in quotes (RFC 4180 2.7)."""
    return '"' + cell.replace('"', '""') + '"'


def _write(path: str, text: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8", newline=""
    ) as out:
        out.write(text)
