"""How many messages of one campaign may be claimed now: by its rate, and by what its day has left.

The messages are counted when they are claimed, and counted back when they come back without an attempt. So neither the
rate nor the day is exceeded, whatever the lanes do with what they hold, and no lane waits for a campaign: a message
that may not leave yet stays in the spool.

Laws (tests/shaping/test_allowance.py): in any ``w`` seconds at most ``burst + w / interval`` messages are taken and not
given back; of one day never more than its messages are taken, sent ones and those under way together.
"""

from __future__ import annotations

from bulkmail.mail import Rate

_TOGETHER = 0.1  # seconds of the rate that are gathered before the next claim
_AT_LEAST = 0.001
_NEARLY = 1e-6  # messages


class Allowance:
    """``now``: any clock that does not run backwards, in seconds. It starts without a burst.

    ``share``: the part of rate and day that is this machine's, where several send the campaign.
    """

    def __init__(self, rate: Rate | None, per_day: int | None, now: float) -> None:
        self.rate = rate
        self.per_day = per_day
        self.under_way = 0
        self.sent_today = 0
        self._share = 1.0
        self._left = 0.0 if per_day is None else float(per_day)
        self._tokens = 0.0
        self._at = now

    def available(self, now: float) -> int:
        """Return how many messages may be taken now."""
        found = [int(self._tokens_at(now) + _NEARLY)] if self.rate is not None else []
        if self.per_day is not None:
            found.append(int(self._left))
        return max(0, min(found, default=1 << 30))

    def next_at(self, now: float) -> float | None:
        """Return when further messages may be taken by the rate; None where the day has none left."""
        if self.spent:
            return None
        if self.rate is None:
            return now
        wanted = min(self._burst, max(1.0, _TOGETHER * self._share / self.rate.interval))
        return now + max(_AT_LEAST, (wanted - self._tokens_at(now)) * self.rate.interval / self._share)

    @property
    def spent(self) -> bool:
        """Whether the day has no message left to take, beside those under way."""
        return self.per_day is not None and self._left < 1.0

    def take(self, count: int, now: float | None) -> None:
        """Take ``count`` messages, which are under way from now on; None: of the day only, for nothing is sent."""
        if self.rate is not None and now is not None:
            self._tokens = self._tokens_at(now) - count
            self._at = now
        self._left -= count
        self.under_way += count

    def settled(self, *, sent: bool) -> None:
        """Count the attempt of one message under way, or take it back where it was settled without one."""
        if sent:
            self.under_way -= 1
            self.sent_today += 1
        else:
            self.give_back(1)

    def give_back(self, count: int) -> None:
        """Take ``count`` messages back, that had no attempt."""
        self.under_way -= count
        self._left += count
        self._tokens = min(self._burst, self._tokens + count)

    def day(self, sent_today: int, share: float, now: float) -> None:
        """Begin a day, or look at it again: ``sent_today`` messages of it were sent, on all machines."""
        if self.rate is not None:
            self._tokens, self._at = min(self._tokens_at(now), self._burst), now
        self._share = share
        self.sent_today = sent_today
        if self.per_day is not None:
            self._left = (self.per_day - sent_today) * share - self.under_way

    def _tokens_at(self, now: float) -> float:
        assert self.rate is not None
        return min(self._burst, self._tokens + max(0.0, now - self._at) * self._share / self.rate.interval)

    @property
    def _burst(self) -> float:
        return max(1.0, (1 if self.rate is None else self.rate.burst) * self._share)

    def __repr__(self) -> str:
        return f"<Allowance {self.rate} {self.per_day} a day, sent {self.sent_today}, under way {self.under_way}>"
