"""What the report needs to know of a campaign beside its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bulkmail.report.timeline import Bucket

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A campaign at one moment. All of it is plain data: ``Facts(**a_dict)`` is how it comes out of a pipe.

    ``by_status`` may leave out ``pending``: what the other statuses do not account for. ``by_provider`` and
    ``by_domain`` are counts by status for each provider (``""``: all that belong to none) and domain.
    """

    campaign: str
    state: str
    now: float  # when this was true, epoch seconds
    input_rows: int
    input_complete: bool
    by_status: Counts
    by_category: Counts = field(default_factory=dict)
    by_provider: Mapping[str, Counts] = field(default_factory=dict)
    by_domain: Mapping[str, Counts] = field(default_factory=dict)
    possibly_doubled: int = 0
    rate: float = 0.0  # deliveries a second at this moment; the page shows the average since the start
    started_at: float | None = None
    ended_at: float | None = None
    exit_status: int | None = None
    paused: str = ""  # why it has paused itself
    subject: str = ""
    sender: str = ""
    next_try_at: float | None = None
    rehearsal: bool = False
    via_relay: str = ""  # the host that took everything; "" where mail went straight to the receivers
    timeline: Sequence[Bucket] = ()  # empty: taken from the times the rows were completed at
