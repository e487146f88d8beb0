"""Whether a receiver refuses us, or only some of its recipients.

A refusal for our address, our domain, our signature or what the letter says would meet everybody at that site. After so
many in a row without one message taken it is about us: the site is left alone, and its other recipients wait instead of
being refused one by one. A recipient that does not exist says the opposite: the receiver listens to us.
"""

from __future__ import annotations

from bulkmail.mail import Category
from bulkmail.shaping.classify import Verdict

MOST = 20
_ABOUT_US = frozenset(
    {
        Category.POLICY,
        Category.SPAM_REPUTATION,
        Category.SPAM_CONTENT,
        Category.AUTHENTICATION,
        Category.INVALID_SENDER,
    }
)


class Standing:
    """Ours with one site. ``in_a_row``: refusals about us since the last message that was taken."""

    __slots__ = ("in_a_row",)

    def __init__(self) -> None:
        self.in_a_row = 0

    @property
    def bad(self) -> bool:
        """Whether the site refuses us; one message at a time finds out whether it still does."""
        return self.in_a_row >= MOST

    def taken(self) -> None:
        """A message was taken."""
        self.in_a_row = 0

    def refused(self, verdict: Verdict) -> bool:
        """A message was not taken. Whether the site is to be left alone now."""
        if not verdict.permanent:
            return False
        if verdict.category not in _ABOUT_US:
            self.in_a_row = 0
            return False
        self.in_a_row += 1
        return self.bad
