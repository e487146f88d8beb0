"""Rows of a list of which the spool says that they are not mailed, found while the list is read.

The process that reads the list asks the spool itself, as a reader beside its writer: the process that sends has no part
in it. Who is suppressed later is found when the message is composed (`delivery.queueing.gate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bulkmail.mail import OwnFault, Refused, address_in

if TYPE_CHECKING:
    from bulkmail.campaign import Campaign, ListRows, OperatorSettings
    from bulkmail.spool import Reading

Recipient = tuple[int, int, int, str, str, str, str, str]
"""Number, file number, row in its file, address as written, domain, cells as JSON, verdict, note."""

_MAILED = frozenset({"ok", "held"})


class Suppressing:
    """Looks rows up, a batch at a time. ``spool``: its address; ``of``: the campaign's list, name and kind.

    A spool that does not exist yet suppresses no address. Where it cannot be read, Refused or OwnFault is raised; if
    ``lenient``, rows stay as they are, for they are looked up once more before they are sent.
    """

    def __init__(self, spool: str, *of: Any, lenient: bool = False) -> None:
        self._spool = spool
        self._of = of
        self._lenient = lenient
        self._reader: Reading | None = None

    def __call__(self, rows: Sequence[Recipient]) -> list[Recipient]:
        """Return the rows, those that are suppressed with the reason as their verdict and a note that says why."""
        try:
            return self._looked_up(rows)
        except (OwnFault, Refused):
            if not self._lenient:
                raise
            self.close()
            return list(rows)

    def close(self) -> None:
        """Close the spool."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _looked_up(self, rows: Sequence[Recipient]) -> list[Recipient]:
        from bulkmail.spool import Audience, find_reader  # noqa: PLC0415 - where no list is read, none of it is needed

        if self._reader is None and self._spool:
            self._reader = find_reader(self._spool)
        if self._reader is None:
            return list(rows)
        keys = {row[0]: address_in(row[3]).key for row in rows if row[6] in _MAILED}
        found = self._reader.suppressed(keys.values(), Audience(*self._of))
        if not found:
            return list(rows)
        looked_up = []
        for row in rows:
            entry = found.get(keys.get(row[0], ""))
            looked_up.append(row if entry is None else (*row[:6], str(entry.reason), entry.words))
        return looked_up


def mailable_rows(campaign: Campaign, settings: OperatorSettings) -> ListRows:
    """Return all rows of the campaign's lists, judged as the sending judges them."""
    from bulkmail.campaign import ListRows  # noqa: PLC0415 - the process that reads lists does without Pydantic

    return ListRows(campaign, settings, Suppressing(*campaign.suppressions))
