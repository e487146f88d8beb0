"""What one transaction, or the end of one connection, changes: pace, window and suspension, each decided here, once.

A transaction has one result, however many recipients it had: the worst complaint among its replies. For the window, ten
connections that hear the same complaint within `COMPLAINT_SETTLE` seconds are one complaint. The limiter knows when a
message was handed over, so for the rate those are one that had left before the last cut (`RateThrottle`).

One complaint changes the pace once. It is one reply, or several about messages that had been handed over when the first
came: of these only the first is counted, by the throttle and by the rules (`shaping.rules`). A rule that acts on the
rate does so instead of the throttle, not besides: the words are counted first, and what a rule has reacted to is an
echo for the throttle. A rule that rests says when, not how fast: the throttle cuts too, so that what was refused is not
sent again after the rest. Shipped rules about words that a receiver with a rate of its own says too count *in a row*:
as long as it accepts something between two complaints, slowing down is enough, and the throttle finds its rate.

A refusal because of our address, our domain, our signature or what the letter says would meet every recipient at that
site. After `MOST_REFUSALS` such transactions in a row, without a message accepted between them, the block is about us:
the site is suspended, and its other recipients wait instead of being refused one by one. A recipient that does not
exist says the opposite: the receiver listens to us.

| event                                   | throttle   | window       | refusals in a row |
| accepted                                | creep back | -            | 0                 |
| a complaint about the rate, connections | signal     | halve        | -                 |
| permanent, because of us                | -          | -            | + 1, then suspend |
| permanent, because of the recipient     | -          | -            | 0                 |
| no reply to a complete message          | -          | back to one  | -                 |
| connection closed with 421              | signal     | halve        | -                 |
| one message after the other unanswered  | signal     | -            | -                 |
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from bulkmail.mail import Category, Fate, Outcome
from bulkmail.shaping.classify import Verdict
from bulkmail.shaping.throttle import COMPLAINT_SETTLE

MOST_REFUSALS = 20  # transactions in a row
_ABOUT_US = frozenset(
    {
        Category.POLICY,
        Category.SPAM_REPUTATION,
        Category.SPAM_CONTENT,
        Category.AUTHENTICATION,
        Category.INVALID_SENDER,
    }
)
_SEVERITY = {"": 0, "greylist": 0, "connections": 1, "rate": 2}


class WindowChange(Enum):
    """What becomes of the number of messages that are sent before the first is answered."""

    KEEP = "keep"
    HALVE = "halve"
    RESET = "reset"


class Consequences(NamedTuple):
    """What the caller is to do.

    ``signal``: for the limiter's throttles, ``rate``, ``connections`` or "". ``accepted``: a message was accepted, let
    the throttles creep back. ``suspend``: the site refuses us, suspend it. ``proven``: whether the server answers
    messages; None where nothing is known of that.
    """

    signal: str = ""
    accepted: bool = False
    window: WindowChange = WindowChange.KEEP
    suspend: bool = False
    proven: bool | None = None


_NOTHING = Consequences()


class TransactionResult:
    """What came of the recipients of one transaction that were not accepted, gathered from their outcomes."""

    __slots__ = ("_about_recipient", "_about_us", "answered", "signal", "unanswered", "unknown")

    def __init__(self) -> None:
        self.answered = False  # by the server, with a reply
        self.unanswered = False  # by the server, though it should have
        self.unknown = False  # complete on the wire, and no reply
        self.signal = ""
        self._about_us = False
        self._about_recipient = False

    def note(self, outcome: Outcome, verdict: Verdict) -> None:
        """Add the outcome of a recipient that was not accepted, and what it means."""
        if outcome.reply is not None:
            self.answered = True
        elif outcome.fate is not Fate.REFUSED:  # a verdict of our own says nothing of the server
            self.unanswered = True
        self.unknown = self.unknown or outcome.fate is Fate.UNKNOWN
        if _SEVERITY[verdict.signal] > _SEVERITY[self.signal]:
            self.signal = verdict.signal
        if verdict.permanent:
            if verdict.category in _ABOUT_US:
                self._about_us = True
            else:
                self._about_recipient = True

    @property
    def about_us(self) -> bool:
        """Whether what was refused for good was refused because of us, and nothing because of a recipient."""
        return self._about_us and not self._about_recipient

    @property
    def about_recipient(self) -> bool:
        """Whether the receiver judged a recipient."""
        return self._about_recipient


class Feedback:
    """The feedback of one lane. ``refusals``: transactions in a row that were refused because of us."""

    __slots__ = ("_settled_at", "refusals")

    def __init__(self) -> None:
        self.refusals = 0
        self._settled_at = float("-inf")

    @property
    def refuses_us(self) -> bool:
        """Whether the site refuses us; one message at a time finds out whether it still does."""
        return self.refusals >= MOST_REFUSALS

    def accepted(self) -> None:
        """Note a transaction of which every recipient was accepted: the site does not refuse us."""
        self.refusals = 0

    def transaction_over(self, result: TransactionResult, now: float, *, accepted: bool = False) -> Consequences:
        """Return the consequences of a transaction of which not every recipient was accepted; ``accepted``: some were.

        ``now``: on the reactor's clock.
        """
        refuses_us = result.about_us and not accepted
        if accepted or result.about_recipient:
            self.refusals = 0
        elif refuses_us:
            self.refusals += 1
        window = WindowChange.KEEP
        if result.unknown:
            window = WindowChange.RESET
        elif result.signal and self._complaint(now):
            window = WindowChange.HALVE
        # a server that refuses one recipient and leaves the message of the others unanswered holds on to its connection
        proven = False if result.unanswered else True if accepted or result.answered else None
        return Consequences(result.signal, accepted, window, suspend=refuses_us and self.refuses_us, proven=proven)

    def connection_closed(self, code: int, signal: str, now: float) -> Consequences:
        """Return the consequences of a connection's end.

        ``code`` is of the reply that announced it, 0 without one. ``signal``: what that reply complains of, or `rate`
        where the site leaves one message after the other without a reply; else "".
        """
        window = WindowChange.HALVE if code == 421 and self._complaint(now) else WindowChange.KEEP
        return Consequences(signal, window=window) if signal or window is WindowChange.HALVE else _NOTHING

    def _complaint(self, now: float) -> bool:
        """Return whether this is a new complaint, not one more echo of the last."""
        if now < self._settled_at:
            return False
        self._settled_at = now + COMPLAINT_SETTLE
        return True
