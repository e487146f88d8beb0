"""How many rows of a campaign are sent to, and at which domains: its lists read to their ends, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bulkmail.campaign import LEFT_OUT, Campaign, OperatorSettings
from bulkmail.preflight.choosing import Row
from bulkmail.suppressing import mailable_rows


@dataclass
class RowCounts:
    """Rows of the lists: ``total`` of them, of which ``mailed`` are sent to, each under its domain in ``domains``.

    ``first``: the first row that is sent to, as `ListRows` gives it.
    """

    total: int = 0
    mailed: int = 0
    repeated: int = 0
    suppressed: int = 0
    unusable: int = 0
    domains: Counter[str] = field(default_factory=Counter)
    first: Row | None = None


def count_rows(campaign: Campaign, settings: OperatorSettings, read: Callable[[], object] = lambda: None) -> RowCounts:
    """Count the rows as an import would; some seconds for a million. ``read`` is called at each row.

    Raises Refused with every problem of the lists, and OwnFault.
    """
    counts = RowCounts()
    held: dict[int, str] = {}  # rows that may repeat an earlier one, with their domains
    with mailable_rows(campaign, settings) as rows:
        for row in rows:
            number, _, _, _, domain, _, verdict, _ = row
            counts.total += 1
            if verdict in ("ok", "held"):
                counts.first = counts.first or row
                counts.domains[domain] += 1
                if verdict == "held":
                    held[number] = domain
            elif verdict in LEFT_OUT:
                counts.suppressed += 1
            else:
                counts.unusable += 1
            read()
        for number in rows.duplicates():
            counts.repeated += 1
            counts.domains[held[number]] -= 1
    counts.domains = +counts.domains
    counts.mailed = counts.domains.total()
    return counts
