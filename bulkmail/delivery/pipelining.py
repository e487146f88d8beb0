"""What a lane has learned about pipelining with its site, and how much it therefore puts on one connection at once.

RFC 2920 and 3030 are offered by some who cannot keep count. The first failure of BDAT ends its use, the first of
pipelining ends the writing of one message's commands behind another's dot, and one more ends groups altogether: on
connections opened from then on, for as long as the lane lives.

The window of messages that go out by BDAT before the first is answered starts at one, doubles at each barrier that was
reached cleanly with more to send, and halves when the receiver asks for less. Whatever is in it when a connection dies
is ambiguous, so a death starts it at one again.

How many recipients a transaction may have is learned from the first one that is refused for its place in line.
"""

from __future__ import annotations

from twisted.logger import Logger

from bulkmail.delivery.flights import MOST_TOGETHER
from bulkmail.mail import Fate, Stage
from bulkmail.smtp import Closed, Settled

_log = Logger("bulkmail")

MOST_BYTES = 1024 * 1024  # of one window: beyond that a round trip is little beside the transfer


class Pipelining:
    """``chunks``: BDAT may be used. ``follows``: commands also behind the dot before. ``groups``: commands in groups.

    ``most``: the largest window, in transactions. ``recipients``: so many go into one transaction.
    """

    __slots__ = ("_filled", "_most", "_site", "chunks", "follows", "groups", "recipients", "window")

    def __init__(self, site: str, most: int) -> None:
        self.chunks = True
        self.follows = True
        self.groups = True
        self.window = 1
        self.recipients = MOST_TOGETHER
        self._filled = False  # there was more to send than the window takes
        self._most = most
        self._site = site

    def room(self, flying: int, size: int, *, chunking: bool) -> bool:
        """Whether a connection with so many messages unanswered takes another one of ``size`` bytes."""
        if not chunking:
            return self.follows and flying < 2
        if flying < self.window:
            return (flying + 1) * size <= MOST_BYTES
        self._filled = True
        return False

    def cleared(self) -> None:
        """A connection has answered everything, and cleanly."""
        if self._filled:
            self._filled = False
            self.window = min(self._most, self.window * 2)

    def complained(self) -> None:
        """The receiver asks for less."""
        self.window = max(1, self.window // 2)
        self._filled = False

    def doubted(self) -> None:
        """A message was complete on a connection that ended without an answer to it."""
        self.window = 1
        self._filled = False

    def too_many(self, event: Settled, index: int) -> bool:
        """Whether this recipient, at ``index`` of several, was refused only because of those before it."""
        if not index or event.fate is not Fate.REFUSED or event.stage is not Stage.RCPT or event.reply is None:
            return False
        code, enhanced = event.reply.code, event.reply.enhanced
        # 552 is RFC 821's code for it (RFC 5321 4.5.3.1.10); "too many recipients" is transient even as a 5xx
        if not (enhanced.endswith(".5.3") or (code in (452, 552) and not enhanced)):
            return False
        self.recipients = min(self.recipients, index)
        return True

    def closed(self, closed: Closed) -> None:
        """A connection ended."""
        if closed.chunking_failed and self.chunks:
            self.chunks = False
            _log.warn("{site} cannot do CHUNKING, it is no longer used: {why}", site=self._site, why=closed.reason)
        elif not closed.pipelining_failed:
            return
        elif self.follows:
            self.follows = False
            _log.warn("{site} loses count of pipelined messages: {why}", site=self._site, why=closed.reason)
        elif self.groups:
            self.groups = False
            _log.warn("{site} cannot do PIPELINING, it is no longer used: {why}", site=self._site, why=closed.reason)
