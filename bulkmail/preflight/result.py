"""What a preflight comes to: figures, and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkmail.mail import Problem
from bulkmail.preflight.domains import Domain
from bulkmail.preflight.findings import Finding, Severity


@dataclass(frozen=True)
class Preflight:
    """What was found of a campaign before its first message.

    Of ``rows`` in the lists, ``unusable`` cannot be sent to (``unusable_rows``: the first ones),
    ``suppressed`` are on a suppress list, ``repeated`` have the address of an earlier row, and ``not_composed`` have no
    message; ``mailed`` are left. ``subject`` is that of the first row. ``mistyped``: rows whose domain looks so, and
    ``mistyped_as`` the first such domains. ``domains``: by name, with their rows and routes; ``beyond``: rows of
    further ones; ``fault``: why domains could not be looked up. ``bytes``: of all messages together; ``largest`` and
    ``largest_html``: bytes of the largest ones. ``seconds``: how long reading and composing took. ``links``: what is
    added to how many links, for people.
    """

    campaign: str
    sender: str
    signed_by: tuple[str, ...]
    subject: str
    rows: int
    mailed: int
    repeated: int
    suppressed: int
    unusable: int
    unusable_rows: tuple[int, ...]
    not_composed: int
    composed: int
    mistyped: int
    mistyped_as: tuple[str, ...]
    bytes: int
    largest: int
    largest_html: int
    domains: Mapping[str, Domain]
    seconds: float
    findings: tuple[Finding, ...]
    links: str = ""
    beyond: int = 0
    fault: str = ""

    @property
    def errors(self) -> list[Finding]:
        """Return what blocks a start."""
        return [finding for finding in self.findings if finding.severity == Severity.ERROR]

    @property
    def warnings(self) -> list[Finding]:
        """Return what is shown and does not block."""
        return [finding for finding in self.findings if finding.severity == Severity.WARNING]

    @property
    def notes(self) -> list[Finding]:
        """Return what is only told."""
        return [finding for finding in self.findings if finding.severity == Severity.NOTE]

    @property
    def rate(self) -> float:
        """Return the rows read and composed a second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it; of the domains only how many there are."""
        return {
            "campaign": self.campaign,
            "ok": not self.errors,
            "from": self.sender,
            "signed_by": list(self.signed_by),
            "subject": self.subject,
            "rows": self.rows,
            "mailed": self.mailed,
            "repeated": self.repeated,
            "suppressed": self.suppressed,
            "unusable": self.unusable,
            "unusable_rows": list(self.unusable_rows),
            "not_composed": self.not_composed,
            "mistyped": self.mistyped,
            "domains": len(self.domains),
            "bytes": self.bytes,
            "largest": self.largest,
            "largest_html": self.largest_html,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rate, 1),
            "links": self.links,
            "findings": [plain_finding(finding) for finding in self.findings],
        }


def of_problem(severity: Severity, code: str, problem: Problem) -> Finding:
    """Return what the check of the files says, in its own words, as a finding."""
    where = str(Problem(problem.file, problem.line, problem.column, "")).removesuffix(": ")
    return Finding(severity, code, where, problem.message)


def plain_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON has it."""
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "where": finding.where,
        "message": finding.message,
        "remedy": finding.remedy,
        "rows": list(finding.rows),
        "count": finding.count,
    }
