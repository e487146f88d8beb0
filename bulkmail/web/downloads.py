"""What can be taken away from the page as a file: what receivers said, and who is behind one reply, as CSV."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from bulkmail.control import ATTEMPTS, Ask
from bulkmail.public import Answer
from bulkmail.report import CSV_MARK, csv_lines, guarded, one_line
from bulkmail.web.pages import headers

REPLIES = ("count", "provider", "category", "reply", "last_at")
REPLIED = (
    "row", "email", "status", "category", "provider", "times", "said_at", "said_code", "said", "attempts", "mx_host",
    "next_attempt_at",
)  # fmt: skip

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function beside the event loop: thousands of rows take tens of milliseconds to write."""


async def replies_csv(ask: Ask, in_thread: InThread, name: str) -> Answer:
    """Return what receivers have said to the last attempts of a campaign. Raises what the API raises."""
    found = await ask("recent", {"name": name})
    return await _csv(in_thread, "replies.csv", REPLIES, found["replies"])


async def replied_csv(ask: Ask, in_thread: InThread, name: str, provider: str, wording: str) -> Answer:
    """Return the recipients who were answered in one wording. Raises what the API raises.

    They are those of the newest `ATTEMPTS` attempts, so one answer has them all. Further ones would tell of other
    attempts, when some came meanwhile, and a recipient could stand in two of them.
    """
    path = {"name": name, "provider": provider, "wording": wording}
    found = await ask("replied", path, query={"most": str(ATTEMPTS)})
    return await _csv(in_thread, "recipients.csv", REPLIED, found["rows"])


async def _csv(in_thread: InThread, file: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Answer:
    """Return the rows as a file that a spreadsheet opens, and in which it runs nothing."""
    body = await in_thread(lambda: _lines(columns, rows))
    kind = {b"Content-Type": b"text/csv; charset=utf-8"}
    kind |= {b"Content-Disposition": b'attachment; filename="%s"' % file.encode("ascii")}
    return Answer(200, {**headers(), **kind}, body)


def _lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    cells = [guarded([one_line(_text(row[column])) for column in columns]) for row in rows]
    return CSV_MARK + csv_lines([columns, *cells])


def _text(value: Any) -> str:
    return "" if value is None else str(value)
