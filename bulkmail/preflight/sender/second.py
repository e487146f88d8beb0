"""Findings about an address of the IP version that is tried second: little mail goes over it, so they stop none."""

from __future__ import annotations

from dataclasses import replace

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.facts import Sender


def of_second(sender: Sender, finding: Finding) -> Finding:
    """Return the finding as a warning at most, with the way out: to send over the other version only."""
    if finding.severity is not Severity.ERROR:
        return finding
    only = "v4" if ":" in sender.second[0] else "v6"
    remedy = f"{finding.remedy}; or write `routing: {{ip: {only}}}`, not to send from it"
    return replace(finding, severity=Severity.WARNING, remedy=remedy.removeprefix("; or "))
