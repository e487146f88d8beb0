"""What a lane has learned about pipelining with its site: RFC 2920 is offered by some who cannot keep count.

The first failure ends the writing of one message's commands behind another's dot; one more ends groups altogether, on
connections opened from then on. It is remembered as long as the lane lives.
"""

from __future__ import annotations

from twisted.logger import Logger

from bulkmail.smtp import Closed

_log = Logger("bulkmail")


class Pipelining:
    """``groups``: commands may be sent in groups. ``follows``: also behind the dot of the message before."""

    __slots__ = ("_site", "follows", "groups")

    def __init__(self, site: str) -> None:
        self.groups = True
        self.follows = True
        self._site = site

    def may_follow(self, started: int, most: int) -> bool:
        """Whether a connection with so many messages ``started``, out of ``most``, may take one behind the last."""
        return self.follows and started < most

    def closed(self, closed: Closed) -> None:
        """A connection ended."""
        if not closed.pipelining_failed:
            return
        if self.follows:
            self.follows = False
            _log.warn("{site} loses count of pipelined messages: {why}", site=self._site, why=closed.reason)
        elif self.groups:
            self.groups = False
            _log.warn("{site} cannot do PIPELINING, it is no longer used: {why}", site=self._site, why=closed.reason)
