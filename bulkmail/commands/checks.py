"""One line of what `bulkmail doctor` says."""

from __future__ import annotations

from typing import Literal, NamedTuple

from bulkmail.preflight import Finding, Severity

Result = Literal["ok", "warning", "error", "unknown"]


class Check(NamedTuple):
    """One thing that was looked at: what it is, how it is, and what would be right ("" where it is)."""

    name: str
    result: Result
    message: str
    remedy: str = ""


_RESULTS: dict[Severity, Result] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "ok",
}


def of_findings(name: str, where: str, findings: list[Finding], well: str) -> list[Check]:
    """Return a line for each finding, and one that says ``well`` where there is none. ``where``: what was looked at."""
    if not findings:
        return [Check(name, "ok", f"{where}: {well}")]
    return [
        Check(
            name,
            "unknown" if finding.code.endswith("-unknown") else _RESULTS[finding.severity],
            f"{finding.where}: {finding.message}",
            finding.remedy,
        )
        for finding in findings
    ]
