"""What a report that is there already tells: to find out that the spool is older than it.

The report is derived from what the spool had committed, so it can be behind it and never ahead.
"""

from __future__ import annotations

import json
import os

from bulkmail.report.attempts import ATTEMPT_COLUMNS, Position
from bulkmail.report.lines import lines
from bulkmail.report.writer import ATTEMPTS, SUMMARY

_HEADER = lines([ATTEMPT_COLUMNS])
_BLOCK = 1 << 20


def attempts_beyond(folder: str, position: Position) -> int:
    """How many attempts attempts.csv has behind a position that was kept; 0 where there is no such file."""
    try:
        with open(os.path.join(folder, ATTEMPTS), "rb") as file:
            if file.read(len(_HEADER)) != _HEADER:
                return 0
            file.seek(position[0] or len(_HEADER))
            # within a line no cell has a line end: replies and addresses are one line
            found, last = 0, b""
            while block := file.read(_BLOCK):
                found += block.count(b"\r\n") + (last == b"\r" and block.startswith(b"\n"))
                last = block[-1:]
            return found
    except OSError:
        return 0


def campaign_told(folder: str) -> str:
    """The campaign that summary.json is about; "" where it does not say."""
    try:
        with open(os.path.join(folder, SUMMARY), encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return ""
    return str(told.get("campaign", "")) if isinstance(told, dict) else ""
