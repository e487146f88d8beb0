"""What comes back, on its way into the store: what is handed in, what is answered, and the contract of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from bulkmail.mail import ClickCount, Found, LateEvent
from bulkmail.shaping import AutoSuppression, Back
from bulkmail.spool.rows import id_range

Key = tuple[str, str, str]
"""How a row is counted: (provider, status, category)."""


Judge = Callable[[LateEvent, str, str], LateEvent]
"""Gives an event its meaning by the operator's words (`shaping.Judgements.judge_late`)."""


class Arrival(NamedTuple):
    """An event, the token that it came with, the rules by which it suppresses, and what judges it, if anything does."""

    token: str
    event: LateEvent
    rules: AutoSuppression
    judge: Judge | None = None

    def judged(self, provider: str, address: str) -> Arrival:
        """Return it as it is about a row of ``provider`` whose `Address.key` is ``address``."""
        if self.judge is None:
            return self
        return self._replace(event=self.judge(self.event, provider, address.rpartition("@")[2]))


class Recorded(NamedTuple):
    """What became of an arrival. ``found`` None: its token is not ours, or stands for no row; nothing was written.

    ``kept``: it is a line of attempts.csv. ``before`` and ``after``: how its row was counted and is now, where its
    status was overwritten. ``waits``: the failure is judged when its row is final. ``suppressed``: how many entries it
    made or, a resubscribe, removed.
    """

    found: Found | None
    kept: bool = False
    before: Key | None = None
    after: Key | None = None
    waits: bool = False
    suppressed: int = 0


class LateCounts(NamedTuple):
    """How many recipients of a campaign returned the message later, unsubscribed, complained."""

    returned: int = 0
    unsubscribed: int = 0
    complained: int = 0


def read_late_counts(database: Any, campaign_id: int) -> LateCounts:
    """Within a transaction: return what has come back of a campaign. ``database``: `contract.Statements`."""
    return LateCounts(*database.execute("late_counts", id_range(campaign_id)).fetchone())


class LateStore(Protocol):
    """What comes back after messages were accepted. Each method is one transaction, durable on return.

    ``rules``: those by which the outcomes of attempts suppress, in the transaction that stores them; None: not at all.
    """

    rules: AutoSuppression | None

    def token_key(self) -> bytes:
        """Return the key that this spool's tokens are read with, b"" where it has made none yet."""

    def find_recipients(self, tokens: Sequence[str]) -> list[Found | None]:
        """Return what is known of each token, also after its campaign was removed; None where it is not ours."""

    def find_members(self, campaign_id: int, first: int, last: int, addresses: Sequence[str]) -> dict[str, int]:
        """Return the numbers of rows that these addresses name, by the address.

        Only rows ``first`` to ``last`` count, and of these the ones at the first one's domain; there must be one of the
        address alone. {} where they are too many to be looked through.
        """

    def record_late(self, arrivals: Sequence[Arrival]) -> list[Recorded]:
        """Write down what came back, with the suppressions that follow; one answer for each, in order. Twice is once.

        Each that is kept becomes a line of `attempt`; the ``attempts`` of a row go on to count delivery attempts alone.
        """

    def settle_late(self, limit: int) -> list[Recorded]:
        """Judge up to ``limit`` failures that waited for the ends of their rows; [] where none can be judged."""

    def late_waits(self) -> bool:
        """Return whether failures wait for the ends of their rows."""

    def late_counts(self, campaign_id: int) -> LateCounts:
        """Return what has come back of a campaign."""

    def late_by_provider(self, campaign_id: int, until: float) -> dict[str, Back]:
        """Return what had come back of a campaign by then, by provider ("": none known)."""


class ClickStore(Protocol):
    """Clicks by link. Each method is one transaction, durable on return."""

    def add_clicks(self, counts: Sequence[tuple[int, ClickCount]]) -> None:
        """Add to what is known of links: pairs of a campaign's id and what came. Those of no campaign are dropped."""

    def clicks(self, campaign_id: int) -> list[ClickCount]:
        """Return what is known of a campaign's links, by link and variant; also of those that nobody followed."""


def read_clicks(database: Any, campaign_id: int) -> list[ClickCount]:
    """Within a transaction: return what is known of a campaign's links; see `ClickStore.clicks`.

    A link has its label in each of its variants.
    """
    rows = [ClickCount._make(row) for row in database.execute("clicks", (campaign_id,)).fetchall()]
    labels = {one.link: one.label for one in rows if one.label}
    counted = {one.link for one in rows if one.people or one.scanners}
    return [
        one._replace(label=labels.get(one.link, ""))
        for one in rows
        if one.people or one.scanners or one.link not in counted
    ]
