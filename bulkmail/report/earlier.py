"""Reads an earlier report, to find out that the spool is older than it.

The report is derived from what the spool had committed, so it can be behind the spool and never ahead. Its folder
belongs to the campaign's owner, so each name may be anything: only regular files are read, and nothing blocks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkmail.report.attempts import HEADER, Position
from bulkmail.report.files import Place
from bulkmail.report.writer import ATTEMPTS, SUMMARY

_BLOCK = 1 << 20
_MOST = 64 * 1024  # bytes of summary.json


def has_report(place: Place) -> bool:
    """Return whether there is a folder in which a report may be."""
    try:
        place.folder(make=False)
    except OSError:
        return False
    return True


def has_attempts(place: Place) -> bool:
    """Return whether attempts.csv has more than a header. Fast; `attempts_beyond` counts, which may take long."""
    try:
        descriptor = place.folder(make=False).open_file(ATTEMPTS)
    except (OSError, ValueError):
        return False
    with os.fdopen(descriptor, "rb") as file:
        return file.read(len(HEADER)) == HEADER and bool(file.read(1))


def attempts_beyond(place: Place, position: Position) -> int:
    """Count the attempts in attempts.csv behind a position that was kept; 0 where there is no such file."""
    try:
        with os.fdopen(place.folder(make=False).open_file(ATTEMPTS), "rb") as file:
            if file.read(len(HEADER)) != HEADER:
                return 0
            file.seek(position[0] or len(HEADER))
            # within a line no cell has a line end: replies and addresses are one line
            found, last = 0, b""
            while block := file.read(_BLOCK):
                found += block.count(b"\r\n") + (last == b"\r" and block.startswith(b"\n"))
                last = block[-1:]
            return found
    except (OSError, ValueError):
        return 0


def reported_campaign(place: Place) -> str:
    """Return summary.json's campaign; "" where it does not say, or is larger than we write it (64 KB)."""
    return str(_figures(place).get("campaign", ""))


class ReportedVariants(NamedTuple):
    """What summary.json says of variants. ``counts``: of each its rows by status, who unsubscribed, who complained."""

    counts: Mapping[str, Mapping[str, int]] = {}
    winner: str = ""
    why: str = ""
    written_at: str = ""


def reported_variants(place: Place, campaign: str) -> ReportedVariants:
    """Return what summary.json says of the variants of a campaign; nothing where it has none, or is of another one."""
    found = _figures(place)
    if found.get("campaign") != campaign:
        return ReportedVariants()
    winner = _object(found.get("winner"))
    counts = {
        name: {what: count for what, count in _object(of).items() if _is_count(count)}
        for name, of in _object(found.get("by_variant")).items()
        if name
    }
    return ReportedVariants(
        counts, str(winner.get("variant", "")), str(winner.get("why", "")), str(found.get("written_at", ""))
    )


def reported_best(place: Place, campaign: str) -> dict[str, dict[str, Any] | None]:
    """Return what summary.json says of the best ``minute`` and ``hour`` of a campaign: when (``at``), and how many.

    None of either where it has none, or is of another campaign.
    """
    found = _figures(place)
    own = found if found.get("campaign") == campaign else {}
    return {span: _best(_object(own.get(f"best_{span}"))) for span in ("minute", "hour")}


def _best(found: Mapping[str, Any]) -> dict[str, Any] | None:
    at, accepted = found.get("at"), found.get("accepted")
    return {"at": at, "accepted": accepted} if isinstance(at, str) and _is_count(accepted) else None


def _figures(place: Place) -> dict[str, Any]:
    try:
        return _object(json.loads(place.folder(make=False).read(SUMMARY, _MOST)))
    except (OSError, ValueError, RecursionError):
        return {}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 63


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
