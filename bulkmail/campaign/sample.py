"""The first rows of a campaign, tried before anything is sent: whether they give messages, and what is wrong if not.

A campaign of which no row can be sent must not end as if all were well. Refused is one whose first rows all fail; where
many do, the operator is told.
"""

from __future__ import annotations

import json
import os
import re
import signal
import traceback
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from bulkmail.campaign.intake import Recipient
from bulkmail.campaign.jobs import LEFT_OUT
from bulkmail.mail import Problem, Refused

WITHIN = 5.0
"""Seconds for composing them; a template may be endless."""

_LATE = (
    "the first rows were composed for {seconds:g} s, and this one did not come back; does a template loop without end?"
)
_ENDED = "composing it ended the process that tried it (signal {signal}); such a row becomes `invalid`"
_MANY = 0.1
_SHOWN = 3
_LINE = re.compile(r"line (\d+): ")
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")


class _Failed(NamedTuple):
    file: str
    line: int
    row: int
    reason: str


def try_rows(rows: Sequence[Recipient], content: dict[str, Any], files: Sequence[str]) -> list[Problem]:
    """Return notices about the first ``rows``, as `Intake.next` gave them. Raises Refused where not one can be sent.

    ``content``: the campaign's, checked. ``files``: the lists, as the operator knows them.
    """
    if not rows:
        return [Problem(files[0], 0, 0, "the list has no rows, so nothing will be sent")]
    candidates = [row for row in rows if row[6] not in LEFT_OUT]
    if not candidates:
        what = "left out, by a suppress list or by what they say of consent"
        if all(row[6] == "suppressed" for row in rows):
            what = "on a suppress list"
        return [Problem(files[0], 0, 0, f"{_first(len(rows))} {what}, all of them")]
    failed, tried, why = _try(candidates, content, files)
    notices = []
    if why:
        last = candidates[tried]
        notices.append(Problem(files[last[1]], 0, 0, f"row {last[2]:,}: {why}"))
    if not failed or len(failed) <= tried * _MANY:
        return notices
    if len(failed) == len(candidates):
        first = failed[0]
        words = f"no row can be sent: of the first {len(failed):,} all fail; {_commonest(failed)}"
        raise Refused([Problem(first.file, first.line, 0, words)])
    words = f"{len(failed):,} of the first {tried:,} rows cannot be sent and become `invalid`; {_commonest(failed)}"
    return [Problem(failed[0].file, failed[0].line, 0, words), *notices]


class _Trial(NamedTuple):
    """``failed``: the rows that cannot be sent. ``tried``: how many were tried. ``why`` not all of them: "" if all."""

    failed: list[_Failed]
    tried: int
    why: str


def _try(rows: Sequence[Recipient], content: dict[str, Any], files: Sequence[str]) -> _Trial:
    """Compose the rows in a forked child, which a row may end or keep busy: this process goes on.

    The child is ended by its own alarm (SIGALRM) after `WITHIN` seconds.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, WITHIN)
            _compose_all(rows, content, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = [json.loads(line) for line in pipe if line.endswith(b"\n")]
    _, status = os.waitpid(child, 0)
    if lines and isinstance(lines[-1], dict):
        raise RuntimeError(lines[-1]["fault"])
    failed = []
    for row, reason in zip(rows, lines, strict=False):
        line = _LINE.match(row[7])
        if reason:
            failed.append(_Failed(files[row[1]], int(line[1]) if line else 0, row[2], reason))
    why = ""
    if len(lines) < len(rows):
        number = os.WTERMSIG(status)
        why = _LATE.format(seconds=WITHIN) if number == signal.SIGALRM else _ENDED.format(signal=number)
    return _Trial(failed, len(lines), why)


def _compose_all(rows: Sequence[Recipient], content: dict[str, Any], writing: int) -> None:
    """Write a line of JSON for each row: why it cannot be sent, "" if it can."""
    from bulkmail.content import Composer  # noqa: PLC0415 - the process that reads the lists needs neither Jinja2 nor it

    try:
        composer = Composer()
        composer.handle(("load", 0, {**content, "dkim": [], "attachments": []}))  # neither depends on the row
        for number, file, _, email, _, cells, verdict, note in rows:
            line = _LINE.match(note)
            reason = note[line.end() :] if line else note
            if verdict not in {"invalid", "bad-row"}:
                ((_, _, _, error),) = composer.handle(("compose", 0, [(number, number, email, 0.0, file, cells)]))
                reason = error or ""
            _write(writing, reason)
    except Exception:  # noqa: BLE001 - told to the parent, which raises it
        _write(writing, {"fault": traceback.format_exc()})


def _write(writing: int, value: object) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(writing, data) :]


def _commonest(failed: Sequence[_Failed]) -> str:
    """Return the reason that most of them have, with the places of the first ones."""
    kinds = Counter(_VALUE.sub("", one.reason) for one in failed)
    kind, count = kinds.most_common(1)[0]
    those = [one for one in failed if _VALUE.sub("", one.reason) == kind]
    places = ", ".join(f"line {one.line:,}" if one.line else f"row {one.row:,}" for one in those[:_SHOWN])
    more = ", ..." if count > _SHOWN else ""
    return f"{count:,} of them ({places}{more}): {those[0].reason}"


def _first(count: int) -> str:
    return f"the first {count:,} rows are" if count > 1 else "the first row is"
