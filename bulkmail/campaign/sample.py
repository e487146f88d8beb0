"""The first rows of a campaign, tried before anything is sent: whether they give messages, and what is wrong if not.

A campaign of which no row can be sent must not end as if all were well. Refused is one whose first rows all fail; where
many do, the operator is told.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from bulkmail.campaign.intake import Recipient
from bulkmail.mail import Problem, Refused

WITHIN = 5.0
"""Seconds for composing them; a template may be endless."""

_MANY = 0.1
_SHOWN = 3
_LINE = re.compile(r"line (\d+): ")
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")


class _Late(BaseException):
    """The time is over. No Exception, since templates may raise any of those."""


class _Failed(NamedTuple):
    file: str
    line: int
    row: int
    reason: str


def try_rows(rows: Sequence[Recipient], content: dict[str, Any], files: Sequence[str]) -> list[Problem]:
    """Return notices about the first ``rows``, as `Intake.next` gave them. Raises Refused where not one can be sent.

    ``content``: the campaign's, checked. ``files``: the lists, as the operator knows them.
    """
    candidates = [row for row in rows if row[6] != "suppressed"]
    if rows and not candidates:
        return [Problem(files[0], 0, 0, f"{_first(len(rows))} on a suppress list, all of them")]
    failed, tried = _tried(candidates, content, files)
    notices = []
    if len(tried) < len(candidates):
        late = candidates[len(tried)]
        words = (
            f"row {late[2]:,}: the first rows were composed for {WITHIN:g} s, and this one did not come back; does a "
            "template loop without end?"
        )
        notices.append(Problem(files[late[1]], 0, 0, words))
    if not failed or len(failed) <= len(tried) * _MANY:
        return notices
    if len(failed) == len(candidates):
        first = failed[0]
        words = f"no row can be sent: of the first {len(failed):,} all fail; {_commonest(failed)}"
        raise Refused([Problem(first.file, first.line, 0, words)])
    words = (
        f"{len(failed):,} of the first {len(tried):,} rows cannot be sent and become `invalid`; {_commonest(failed)}"
    )
    return [Problem(failed[0].file, failed[0].line, 0, words), *notices]


def _tried(
    rows: Sequence[Recipient], content: dict[str, Any], files: Sequence[str]
) -> tuple[list[_Failed], list[Recipient]]:
    """Those that fail, and those that were tried within the time."""
    from bulkmail.content import Composer  # noqa: PLC0415 - the process that reads the lists needs neither Jinja2 nor it

    composer = Composer()
    composer.handle(("load", 0, {**content, "dkim": [], "attachments": []}))  # neither depends on the row
    failed, tried = [], []
    with _deadline():
        for row in rows:
            number, file, n, email, _, cells, verdict, note = row
            line = _LINE.match(note)
            reason = note[line.end() :] if line else note
            if verdict not in {"invalid", "bad-row"}:
                ((_, _, _, error),) = composer.handle(("compose", 0, [(number, number, email, 0.0, file, cells)]))
                reason = error or ""
            tried.append(row)
            if reason:
                failed.append(_Failed(files[file], int(line[1]) if line else 0, n, reason))
    return failed, tried


@contextmanager
def _deadline() -> Iterator[None]:
    """Leave the block when the time is over; where signals cannot be had (another thread), go on to its end."""
    inside = [True]

    def late(*_: object) -> None:
        if inside:  # one that comes while the block is being left is no reason to raise any more
            raise _Late

    try:
        before = signal.signal(signal.SIGALRM, late)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, WITHIN)
    try:
        try:
            yield
        finally:
            inside.clear()
    except _Late:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _commonest(failed: Sequence[_Failed]) -> str:
    """The reason that most of them have, with the places of the first ones."""
    kinds = Counter(_VALUE.sub("", one.reason) for one in failed)
    kind, count = kinds.most_common(1)[0]
    those = [one for one in failed if _VALUE.sub("", one.reason) == kind]
    places = ", ".join(f"line {one.line:,}" if one.line else f"row {one.row:,}" for one in those[:_SHOWN])
    more = ", ..." if count > _SHOWN else ""
    return f"{count:,} of them ({places}{more}): {those[0].reason}"


def _first(count: int) -> str:
    return f"the first {count:,} rows are" if count > 1 else "the first row is"
