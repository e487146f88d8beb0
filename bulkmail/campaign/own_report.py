"""A list that is a report of ours: its columns are told from the input's own, which come back as they were.

recipients.csv and what people make of it in a spreadsheet, take-off.csv and try-again.csv are all valid lists. What the
report has added to a row is not taken for data: it is no template variable, and its `status` says nothing of consent.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bulkmail.mail import OWN_NAME, RECIPIENT_COLUMNS, SELECTION_COLUMNS, Status, count_of, unguarded

_ENOUGH = 8  # of the columns of recipients.csv: people leave some out, and no other list has so many of these names
# as bulkmail.report.cells guards what stands within a cell
_WITHIN = re.compile("([;\t\r\n][\"\\s]*)'('*[-=+@\uff1d\uff0b\uff0d\uff20])")
_NOT_TO_BE_MAILED = (Status.BOUNCED, Status.SUPPRESSED, Status.PENDING, Status.DEFERRED)
_GOT_IT = frozenset({str(Status.DELIVERED), str(Status.DUPLICATE)})
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Row = tuple[int, list[str], str, str]


@dataclass(frozen=True)
class OwnReport:
    """``names``: how the input calls each column, ``""`` for the report's own; ``status_at``: where the status is."""

    names: tuple[str, ...]
    status_at: int

    @property
    def columns(self) -> list[str]:
        """The input's own columns."""
        return [name for name in self.names if name]

    def restored(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows as `Rows.take` gives them, encoded with the input's own cells only."""
        own = [at for at, name in enumerate(self.names) if name]
        address = self.names.index("email") if "email" in self.names else -1
        for line, cells, _, wrong in rows:
            if address >= 0:
                cells[address] = unguarded_cell(cells[address])
            restored = [cells[at] if at == address else unguarded_cell(cells[at]) for at in own]
            yield line, cells, _encode(restored), wrong


def own_report(names: Sequence[str], address_at: int) -> OwnReport | None:
    """Return what a list with these columns is a report of; None where it is a list like any other."""
    behind = len(SELECTION_COLUMNS)
    start = next((at for at in range(len(names)) if tuple(names[at : at + behind]) == SELECTION_COLUMNS), -1)
    if start >= 0:
        ours = set(range(start, start + behind))
        names_of_ours: Sequence[str] = SELECTION_COLUMNS
    elif "status" in names and len(set(names) & set(RECIPIENT_COLUMNS)) >= _ENOUGH:
        ours = {at for at, name in enumerate(names) if name in RECIPIENT_COLUMNS}
        names_of_ours = RECIPIENT_COLUMNS
    else:
        return None
    ours.discard(address_at)
    found = ["" if at in ours else _as_it_was(name, names_of_ours) for at, name in enumerate(names)]
    if 0 <= address_at < len(found):
        found[address_at] = "email"
    return OwnReport(tuple(found), start if start >= 0 else list(names).index("status"))


def _as_it_was(name: str, of_report: Sequence[str]) -> str:
    """Return the input's name of a column that the report had to call otherwise."""
    name = unguarded_cell(name)
    bare = name.removeprefix(OWN_NAME)
    return bare if bare in of_report else name


def unguarded_cell(cell: str) -> str:
    """Return a report's cell as the input had it: without the apostrophes that keep spreadsheets from running it."""
    if "'" not in cell:
        return cell
    return _WITHIN.sub(r"\1\2", unguarded(cell))


def refusal(counts: Mapping[str, int]) -> str:
    """Return why a report with so many rows of each status is not to be sent to; ``""`` where it may be.

    A report as it was written has rows that must not be mailed again. One that was filtered to those who got the
    message is a list like any other.
    """
    rows = sum(counts.values())
    wrong = [str(status) for status in _NOT_TO_BE_MAILED if counts.get(status)]
    if counts.get(Status.DELIVERED) and counts.keys() - _GOT_IT:
        wrong.append(str(Status.DELIVERED))
    if not wrong:
        return ""
    told = ", ".join(f"{counts[status]:,} `{status}`" for status in wrong)
    return (
        f"this is a campaign's report, and of its {rows:,} rows are {told}: these are not to get it (again). To send "
        "to those who did not get it, take try-again.csv of that report, write `recipients: {rest_of: NAME}`, or run "
        "`bulkmail retry NAME`, with the name of that campaign"
    )


def notice(counts: Mapping[str, int]) -> str:
    """Return what the operator should know of a report that is sent to; ``""`` for nothing."""
    unknown = counts.get(Status.UNKNOWN, 0)
    if not unknown:
        return ""
    have = f"{count_of(unknown, 'row is', 'rows are')} `unknown`"
    return f"{have} in this report: the message may have arrived there, and would then come a second time"


def count_statuses(own: OwnReport, rows: Sequence[Row], counts: Counter[str]) -> None:
    """Count the statuses of more rows."""
    at = own.status_at
    counts.update([cells[at].strip() for _, cells, _, wrong in rows if not wrong])
