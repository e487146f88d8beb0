"""Who must be suppressed because of what came back: a pure rule over one event and the counts of an address."""

from __future__ import annotations

from typing import Literal, NamedTuple

from bulkmail.mail import Category, LateEvent, LateResult, Status

Width = Literal["all", "list", "none"]
"""For whom a suppression counts: every campaign, those of the same list, or no suppression is made."""

_DAY = 86400.0
_MAY_BE_OVER = frozenset({Category.QUOTA, Category.DNS, Category.CONNECTION, Category.NO_ANSWER})


class AutoSuppression(NamedTuple):
    """What suppresses an address, as the operator's settings say.

    ``hard_after``: so many messages that came back because the address is no good, 0: never. ``soft_after``: so many
    that came back for what says nothing lasting of the address, within ``soft_within`` seconds; 0: never. Both count
    each message once, over all campaigns. ``hashed``: only hashes of addresses are kept.
    """

    complained: Width = "all"
    unsubscribed: Width = "list"
    hard_after: int = 1
    soft_after: int = 5
    soft_within: float = 30 * _DAY
    hashed: bool = False


class Suppress(NamedTuple):
    """The suppression that an event asks for: its reason and its width."""

    reason: Category
    width: Width


def bounce_of(status: str, category: str, at: float) -> LateEvent | None:
    """Return the outcome of an attempt as the event that it is for these rules; None where it says nothing here.

    Hard is `bounced`. Soft is a full mailbox, and what could not be delivered until its time was over because the
    domain could not be reached. What was put off by policy, rate or reputation says nothing of the address.
    """
    if status == Status.BOUNCED:
        return LateEvent(LateResult.RETURNED, at, status, category)
    full = status == Status.BLOCKED and category == Category.QUOTA
    if full or (status == Status.EXPIRED and category in _MAY_BE_OVER):
        return LateEvent(LateResult.RETURNED, at, Status.BLOCKED, category, soft=True)
    return None


def is_hard(event: LateEvent) -> bool:
    """Return whether the event says that the address itself is permanently no good."""
    return event.result is LateResult.RETURNED and event.status == Status.BOUNCED and not event.soft


def is_soft(event: LateEvent) -> bool:
    """Return whether the event says that a message did not reach the address, for now only: a full mailbox."""
    return event.result is LateResult.RETURNED and bool(event.status) and event.soft


def to_suppress(rules: AutoSuppression, event: LateEvent, *, hard: int, soft: int) -> Suppress | None:
    """Return what must be suppressed now, None where nothing.

    ``hard`` and ``soft``: how many messages came back from the address so far, this one included. A block by policy,
    reputation or content is neither hard nor soft: it says nothing of the address, and never suppresses it.
    """
    found: Suppress | None = None
    if event.result is LateResult.COMPLAINED:
        found = Suppress(Category.COMPLAINED, rules.complained)
    elif event.result is LateResult.UNSUBSCRIBED:
        found = Suppress(Category.UNSUBSCRIBED, rules.unsubscribed)
    elif (is_hard(event) and 0 < rules.hard_after <= hard) or (is_soft(event) and 0 < rules.soft_after <= soft):
        found = Suppress(Category.BOUNCED_BEFORE, "all")
    return None if found is None or found.width == "none" else found
