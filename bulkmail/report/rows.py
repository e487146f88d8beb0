"""The shapes of the rows that are handed in. A reader yields plain tuples in exactly these orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Files = Sequence[tuple[str, Sequence[str]]]
"""The input files in order: their names as a person knows them, and their columns; the address column is ``email``."""


class RecipientRow(NamedTuple):
    """One input row and where it stands. Times are epoch seconds; 0 or None is "not yet"."""

    n: int  # 1-based over all files
    file_no: int  # 0-based
    row_in_file: int  # 1-based data row
    email: str  # as written
    status: str
    category: str
    smtp_code: int | None
    enhanced: str
    reply: str
    stage: str
    mx_host: str
    mx_ip: str
    source_ip: str
    tls: str
    attempts: int
    first_attempt_at: float | None
    completed_at: float | None
    bytes: int | None  # the message's size on the wire; 0 or None while none was composed
    fields: str  # JSON array of the row's cells, in the header order of its file


class AttemptRow(NamedTuple):
    """One delivery attempt. ``id`` only grows, in the order the attempts were settled."""

    id: int
    n: int
    file_no: int
    row_in_file: int
    email: str
    at: float
    attempt: int  # 1-based
    result: str  # delivered, failed, deferred, unknown
    category: str
    smtp_code: int | None
    enhanced: str
    reply: str
    stage: str
    mx_host: str
    mx_ip: str
    source_ip: str
    tls: str
    duration_ms: int
    next_attempt_at: float | None


def file_prefixes(files: Files) -> list[str]:
    """What stands before the row number in the ``row`` column, for each file: nothing when there is only one."""
    return [f"{name}:" for name, _ in files] if len(files) > 1 else [""]
