"""A finding of the preflight: what is wrong, where, for how many rows, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_OF_DNS = ("spf-", "dkim-record-", "ptr-", "from-domain-", "envelope-domain-", "inbound-domain-")


class Severity(StrEnum):
    """An error blocks the start of a campaign; a warning is shown and does not; a note is only told."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    ``code``: a stable name in kebab case, such as ``domain-takes-no-mail``. ``where``: a file with its line, a column
    or a domain. ``message``: what is wrong, one sentence. ``remedy``: what would be right; "" where the message says
    it. ``rows``: the first row numbers that it is true of, as the report counts them. ``count``: of how many rows in
    all; 0 where it is not about rows.
    """

    severity: Severity
    code: str
    where: str
    message: str
    remedy: str = ""
    rows: tuple[int, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        """Return it as one line for a person."""
        rows = ""
        if self.count:
            more = ", …" if self.count > len(self.rows) else ""
            shown = f": {', '.join(map(str, self.rows))}{more}" if self.rows else ""
            rows = f" ({self.count:,} {'row' if self.count == 1 else 'rows'}{shown})"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.where}: {self.message}{rows}{remedy}"


def is_of_dns(code: str) -> bool:
    """Return whether a finding is about the sender's records, published in the DNS and not in the campaign."""
    return code.startswith(_OF_DNS)
