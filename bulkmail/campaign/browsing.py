"""The rows of a campaign's lists, read as the import reads them, for looking at them: nothing is kept.

What the lists say of a row is in its verdict: ``ok``, ``invalid``, ``bad-row``, ``suppressed``, ``no-consent``, or
``held``, which means that it may be a duplicate; `ListRows.duplicates` tells. ``look_up`` judges rows further, as the
import has them judged (`bulkmail.suppressing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from bulkmail.campaign.intake import Intake, LookUp, Recipient
from bulkmail.campaign.jobs import intake_options
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.reading import OperatorSettings

_AT_ONCE = 2000


class ListRows:
    """All rows, in the order of the report. Used in ``with``, and iterated over once. Raises Refused and OwnFault."""

    def __init__(self, campaign: Campaign, settings: OperatorSettings, look_up: LookUp | None = None) -> None:
        self._intake = Intake(**intake_options(campaign, settings.suppress), look_up=look_up)

    def __enter__(self) -> Self:
        """Open the lists."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the lists."""
        self._intake.close()

    def __iter__(self) -> Iterator[Recipient]:
        """Iterate over the rows: (number, file, row of the file, cell, domain, cells as JSON, verdict, note)."""
        done = False
        while not done:
            _, rows, _, done = self._intake.next(_AT_ONCE)
            yield from rows

    def duplicates(self) -> dict[int, str]:
        """Return why each row that was ``held`` and is a duplicate is one. All rows must have been read."""
        found: dict[int, str] = {}
        done = False
        while not done:
            _, settled, done, _ = self._intake.settle(_AT_ONCE)
            found.update({number: note for number, is_one, note in settled if is_one})
        return found
