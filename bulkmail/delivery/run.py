"""One campaign while it is being sent: what it is, how far it is, and when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkmail.campaign import RowZones
from bulkmail.delivery.guard import Guard
from bulkmail.delivery.holds import Holds
from bulkmail.delivery.resting import Resting
from bulkmail.mail import Status, envelope_id, token
from bulkmail.shaping import AHEAD, OTHER, SMALL, WEIGHTS, Allowance
from bulkmail.spool import Audience, Claimed, Kind, LateCounts, StoredPlan

Key = tuple[str, str, str]
_NOT_FINAL = frozenset({str(Status.PENDING), str(Status.DEFERRED)})


@dataclass(eq=False)
class Run:
    """A campaign in this process. ``totals`` counts (provider, status, category); pending rows are the rest.

    ``shared``: other machines send it too, so that only the spool can count (`counted`). ``helped``: another machine
    reads its input and writes its report. ``held``, ``queues`` and ``routing``: how many messages are claimed here, how
    many queues are open here, and how many of these are being routed.
    """

    id: int
    name: str
    folder: str
    content: dict[str, Any]
    on_unknown: str
    started_at: float
    input_rows: int = 0
    import_done: bool = False
    totals: Counter[Key] = field(default_factory=Counter)
    final: int = 0
    over: bool = False
    broken: bool = False  # its input cannot be read to the end
    doubted: bool = False  # single rows of it do not come back from being composed; none is claimed meanwhile
    holds: Holds = field(default_factory=Holds)
    allowance: Allowance | None = None  # where its schedule has a rate, or messages a day
    guard: Guard | None = None  # unless campaign.yaml says `canary: none`
    resting: Resting | None = None  # while its variants are tried, and the others wait
    row_zones: RowZones | None = None  # where each row goes by the clocks of its own zone
    delivered: int = 0
    next_try_at: float | None = None
    edition: int = 0  # how often its content was changed while it is sent
    shared: bool = False
    helped: bool = False
    plan: StoredPlan | None = None  # once it was made
    late: LateCounts = field(default_factory=LateCounts)  # what has come back, as of a second ago
    list_name: str = ""  # "": its own name
    kind: Kind = "marketing"
    notices: list[str] = field(default_factory=list)  # what the operator should know of its lists
    held: int = 0
    queues: int = 0
    routing: int = 0

    def token(self, number: int) -> str:
        """Return the token of a row, as it stands in its message; of row 0 that of a message which all get."""
        mark: str = self.content.get("token_mark", "")  # of a test message
        return mark + token(self.content["key"], number)

    def envelope_id(self, numbers: Sequence[int]) -> str:
        """Return what a report is to repeat of a transaction of these rows, several of one domain."""
        own = "" if self.content.get("token_mark") else envelope_id(self.content["key"], min(numbers), max(numbers))
        return own or self.token(0)

    @property
    def weight(self) -> int:
        """How much it gets beside others (`shaping.WEIGHTS`), by what its content says now, and whether it is small."""
        weight = WEIGHTS[self.content.get("priority", "normal")]
        return weight * AHEAD if self.input_rows <= SMALL and self.import_done else weight

    @property
    def pool(self) -> str:
        """The pool of sources that it is sent from; "": all of them."""
        name: str = self.content.get("sources") or ""
        return name

    @property
    def audience(self) -> Audience:
        """What tells whether a suppression counts for it."""
        return Audience(self.list_name or self.name, self.name, self.kind)

    def add_to_totals(self, counted: Counter[Key]) -> None:
        """Count rows that got a status."""
        if not self.shared:
            self._add(counted)

    def counted(self, counted: Counter[Key]) -> None:
        """Take what the spool has counted, on all machines."""
        self.totals.clear()
        self.final = self.delivered = 0
        self._add(counted)

    def _add(self, counted: Counter[Key]) -> None:
        for (_, status, _), count in counted.items():
            if status not in _NOT_FINAL:
                self.final += count
            if status == Status.DELIVERED:
                self.delivered += count
        self.totals.update(counted)

    def move(self, before: Key | None, after: Key) -> None:
        """Count a row under ``after`` instead of ``before``, which is None for a row that had no status yet."""
        if self.shared:
            return
        if before is not None:
            self.totals[before] -= 1
        self.totals[after] += 1
        if after[1] not in _NOT_FINAL:
            self.final += 1
        if after[1] == "delivered":
            self.delivered += 1

    def overwritten(self, before: Key, after: Key) -> None:
        """Count a row that had ended under another status, by what came back."""
        if self.shared:
            return
        self.totals[before] -= 1
        self.totals[after] += 1
        self.delivered -= before[1] == Status.DELIVERED

    def tried_next(self, at: float, now: float) -> None:
        """Note that a row is tried again at ``at``; ``next_try_at`` is the earliest such time (wall clock)."""
        if self.next_try_at is None or at < self.next_try_at or self.next_try_at < now:
            self.next_try_at = at

    def uncharged(self, claimed: Claimed, provider: str, since: float, now: float) -> float:
        """Return the seconds since ``since`` in which its campaign kept this row from being sent to ``provider``."""
        held = self.holds.seconds(provider, since, now)
        if self.row_zones is None or not claimed.first_attempt_at:
            return held
        return max(held, self.row_zones.of(claimed.file_no, claimed.fields).closed_between(since, now))

    @property
    def puts_off(self) -> bool:
        """Whether some rows of it cannot be sent yet, while others can."""
        return self.row_zones is not None or self.resting is not None

    @property
    def withheld(self) -> bool:
        """Whether none of its recipients is claimed, while those of other campaigns are."""
        return self.doubted or self.holds.whole

    @property
    def paused(self) -> str:
        """Why nothing of it may be sent until that is released, in a line; "" where it may."""
        return self.holds.words

    @property
    def complete(self) -> bool:
        """Whether every input row is known and final."""
        return self.import_done and self.final >= self.input_rows

    @property
    def by_status(self) -> dict[str, int]:
        """Rows by status, every status named; they sum to the input read so far."""
        return self._by(1, {str(status): 0 for status in Status})

    @property
    def by_category(self) -> dict[str, int]:
        """Rows by category, those without one left out."""
        counted = self._by(2, {})
        counted.pop("", None)
        return counted

    @property
    def by_provider(self) -> dict[str, dict[str, int]]:
        """Provider, then status; sites of no known provider under ``other``."""
        counted: dict[str, dict[str, int]] = {}
        for (provider, status, _), count in self.totals.items():
            if count and status not in ("invalid", "duplicate", "suppressed"):
                row = counted.setdefault(provider or OTHER, {})
                row[status] = row.get(status, 0) + count
        return counted

    def _by(self, index: int, counted: dict[str, int]) -> dict[str, int]:
        known = 0
        for key, count in self.totals.items():
            if key[1] == Status.PENDING:
                continue
            known += count
            if count:
                counted[key[index]] = counted.get(key[index], 0) + count
        if index == 1:
            counted[str(Status.PENDING)] = self.input_rows - known
        return counted
