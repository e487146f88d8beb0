"""Whether a site leaves one message after the other without a reply, or only lost one connection.

One break may leave many messages unanswered: a window of them, or one on each connection that a restart ended. So it
counts as the site's behaviour only when it happens again on a connection opened after the first break, with several
recipients concerned by then, few replies in between, and few in all: a line that now and then loses a connection is not
slowed down for it, since it would lose as many at any rate.
"""

from __future__ import annotations

SEVERAL = 3  # recipients
_FORGIVEN = 100  # messages answered since the last break, after which the count starts anew
_FEW = 10  # messages answered between two breaks; with more the site mostly answers


class UnansweredMessages:
    """Those of one site. ``breaks``: occasions on which messages got no reply; `answered` counts only after one."""

    __slots__ = ("_answered", "_at", "_in_all", "_recipients", "breaks")

    def __init__(self) -> None:
        self.breaks = 0
        self._recipients: set[str] = set()
        self._at = 0.0
        self._answered = 0  # since the last break
        self._in_all = 0  # since the first

    def answered(self) -> None:
        """Record that a message was answered."""
        self._answered += 1
        self._in_all += 1
        if self._answered >= _FORGIVEN:
            self._recipients.clear()
            self.breaks = self._answered = self._in_all = 0

    def unanswered(self, recipient: str, opened: float, now: float) -> None:
        """Record a complete message without a reply. ``opened``: when its connection was, on the clock of ``now``."""
        if not self.breaks:
            self._in_all = 0
        if not self.breaks or opened > self._at:
            self.breaks += 1
            self._at = now
        self._answered = 0
        if len(self._recipients) < SEVERAL:
            self._recipients.add(recipient)

    @property
    def repeated(self) -> bool:
        """Whether it happened on several occasions, to several recipients, and more than now and then."""
        return self.breaks > 1 and len(self._recipients) >= SEVERAL and self._in_all < _FEW * (self.breaks - 1)
