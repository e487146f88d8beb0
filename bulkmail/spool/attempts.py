"""Reading the attempts of a campaign: the last ones, those of one recipient, and how many came to what over time."""

from __future__ import annotations

from typing import NamedTuple

from bulkmail.mail import AttemptRow
from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import RecentAttempt, id_range, recipient_id

_DOMAINS = 1000  # to look at them takes a few milliseconds
_SUMMED = 20_000  # attempts; the same


class AttemptSum(NamedTuple):
    """How many attempts began in a span of time, went to a provider ("other": to none) and came to one result.

    ``last``: the greatest id of these; ``span``: its number since the epoch. ``within``: the milliseconds in which
    those delivered were answered, rounded up to one of some twenty, else 0.
    """

    last: int
    span: int
    provider: str
    result: str
    within: int
    attempts: int


class AttemptReading:
    """What can be read of attempts; each call is one short transaction. Raises OwnFault when it cannot be read."""

    _db: Statements

    def recent(self, campaign_id: int, limit: int) -> list[RecentAttempt]:
        """Return what came of the last ``limit`` attempts, the newest first; what came back later is one too."""
        with self._db.transaction("begin_reading"):
            found = self._db.execute("recent_attempts", (*id_range(campaign_id), limit)).fetchall()
        return list(map(RecentAttempt._make, found))

    def next_tries(self, campaign_id: int) -> dict[str, float]:
        """Return when the first of the waiting rows at each provider ("" for none) is tried again, in epoch seconds.

        Looked at are the 1,000 domains that are due first, by an index: a provider whose rows all wait for longer than
        theirs is left out.
        """
        with self._db.transaction("begin_reading"):
            found = self._db.execute("next_tries", (campaign_id, _DOMAINS)).fetchall()
        return {provider: at for at, provider in reversed(found)}

    def attempt_sums(self, campaign_id: int, after: int, width: int, limit: int = _SUMMED) -> list[AttemptSum]:
        """Sum up to ``limit`` attempts of a campaign behind the one with the id ``after`` (0: from the first one).

        ``width``: seconds of a span of time. No attempts are stored behind one that was seen: their ids grow in the
        order in which they are committed, on several machines too (`contract.Tables.last_numbers`). So a reader that
        goes on from the greatest ``last`` reads each once. The provider is the recipient's, as it is known now.
        """
        low, high = id_range(campaign_id)
        values = {"after": max(low, after), "high": high, "width": width, "limit": limit}
        with self._db.transaction("begin_reading"):
            found = self._db.execute("attempt_sums", values).fetchall()
        return list(map(AttemptSum._make, found))

    def attempts_of(self, campaign_id: int, n: int, limit: int) -> list[AttemptRow]:
        """Return up to ``limit`` attempts of row ``n``, oldest first; it reads those of the whole campaign for that."""
        with self._db.transaction("begin_reading"):
            values = (recipient_id(campaign_id, n), *id_range(campaign_id), limit)
            rows = self._db.execute("attempts_of", values).fetchall()
        return list(map(AttemptRow._make, rows))
