"""Reading the attempts of a campaign: the last ones, those of one recipient, and how many came to what over time."""

from __future__ import annotations

from bulkmail.mail import AttemptRow
from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import RecentAttempt, id_range, recipient_id

_DOMAINS = 1000  # to look at them takes a few milliseconds


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

    def over_time(self, campaign_id: int, width: int, provider: str = "") -> list[tuple[int, str, int, int]]:
        """Count the attempts of a campaign (to a provider) in buckets of ``width`` seconds.

        Each is (number of the bucket since the epoch, result, milliseconds within which it was answered, attempts); the
        milliseconds are rounded up to one of some twenty. All attempts are read, outside of the interpreter.
        """
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            values = {"low": low, "high": high, "width": width, "provider": provider}
            found: list[tuple[int, str, int, int]] = self._db.execute("attempts_over_time", values).fetchall()
        return found

    def attempts_of(self, campaign_id: int, n: int, limit: int) -> list[AttemptRow]:
        """Return up to ``limit`` attempts of row ``n``, oldest first; it reads those of the whole campaign for that."""
        with self._db.transaction("begin_reading"):
            values = (recipient_id(campaign_id, n), *id_range(campaign_id), limit)
            rows = self._db.execute("attempts_of", values).fetchall()
        return list(map(AttemptRow._make, rows))
