"""What the report needs to know of a campaign beside its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from bulkmail.mail import Word
from bulkmail.report.timeline import Best, Bucket
from bulkmail.zones import zone

_ON_PURPOSE = frozenset({Word.PAUSED, Word.STOPPED, Word.REFUSED, Word.APPROVAL, Word.SCHEDULED})

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
    late: Counts = field(default_factory=dict)  # how many came back later, unsubscribed, complained
    clicks: Sequence[Mapping[str, Any]] = ()  # by link, as `clicks_of` has them; () where they are not counted
    rate: float = 0.0  # deliveries a second at this moment; the page shows the average since the start
    started_at: float | None = None
    ended_at: float | None = None
    exit_status: int | None = None
    report_whole: bool = False  # it has ended, and all other files of the report are final
    situation: Mapping[str, Any] = field(default_factory=dict)  # what it is doing now: `mail.Situation`, as plain data
    by_variant: Mapping[str, Counts] = field(default_factory=dict)  # as `Stats.by_variant`
    variants: Mapping[str, Any] = field(default_factory=dict)  # see `report.variants`; empty where there are none
    subject: str = ""
    sender: str = ""
    rehearsal: bool = False
    via_relay: str = ""  # the host that took everything; "" where mail went straight to the receivers
    timezone: str = "UTC"  # of the times that people read, a name of the IANA database
    timeline: Sequence[Bucket] = ()  # its attempts over time
    best_minute: Best | None = None  # as of the last refresh, as in `Timeline`
    best_hour: Best | None = None

    @property
    def zone(self) -> tzinfo:
        """The time zone of the times that people read."""
        return zone(self.timezone)

    @property
    def word(self) -> str:
        """What the campaign is doing, in one word."""
        return str(self.situation.get("word", self.state))

    @property
    def sentence(self) -> str:
        """What the campaign is doing, in one sentence; "" where that was not told."""
        return str(self.situation.get("sentence", ""))

    @property
    def paused(self) -> str:
        """Why nothing is sent by the will of a person, a rule or a schedule; "" where something may be."""
        return str(self.situation.get("reason", "")) if self.word in _ON_PURPOSE else ""

    @property
    def fault(self) -> str:
        """The fault of our own that keeps it from being sent; "" without one."""
        return str(self.situation.get("fault", ""))

    @property
    def next_try_at(self) -> float | None:
        """When the next recipient is tried again."""
        return self.situation.get("next_attempt_at")

    @property
    def planned_end_at(self) -> float | None:
        """When it was to end, as planned at its start."""
        return self.situation.get("planned_end_at")

    @property
    def expected_end_at(self) -> float | None:
        """When it ends as it goes now; None where that cannot be told."""
        return self.situation.get("expected_end_at")

    @property
    def alive(self) -> bool | None:
        """Whether a process is there that sends it; None once it has ended."""
        return self.situation.get("alive")
