"""What a lane knows of its site's habits, asks before it sends, and learns from how connections end.

RFC 2920 and 3030 are offered by some who cannot keep count. The first failure of BDAT ends its use, the first of
pipelining ends the writing of one message's commands behind another's dot, and one more, of a connection opened after
that, ends groups altogether: on connections opened from then on. How many messages a server takes on a connection,
`bulkmail.shaping.habits` says. All of it is remembered with the site, so a lane that comes and goes learns nothing
twice.

A site that leaves one message after the other without an answer (`bulkmail.shaping.doubts`) perhaps keeps each of them,
and each copy reaches a person. It is told one message on a connection, and slower with each one more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from bulkmail.delivery.flights import MOST_TOGETHER
from bulkmail.mail import Category, Fate, Peer, Stage
from bulkmail.routing import Site
from bulkmail.shaping import Doubts, Habit, Hint, Suspicion, hint, judge, learn, messages_now, partly, takes
from bulkmail.smtp import Closed, Settled, Transaction

if TYPE_CHECKING:
    from bulkmail.delivery.street import Street
    from bulkmail.net import Connection

_log = Logger("bulkmail")

_MISREAD = 2


class Habits:
    """One lane's view. ``most``: messages a connection may carry now, of the ``allowed`` ones; ``recipients``: so many
    go into one transaction.

    ``groups``: commands may be sent in groups; ``follows``: also behind the dot of the message before; ``chunks``: BDAT
    may be used. They are looked up when a connection ends, so that asking for each message costs nothing.
    """

    def __init__(self, site: Site, allowed: int, street: Street) -> None:
        self._site = site
        self._allowed = allowed
        self._street = street
        # messages that the server answered, the last answer's time, and the transaction it was for
        self._carried: dict[Connection, tuple[int, float, Transaction | None]] = {}
        self._suspicion: Suspicion | None = None
        self._misread = 0  # so many in a row that were announced behind a dot were taken for something else
        self._misread_last: Transaction | None = None
        self._doubts = Doubts()
        self._doubted: set[Connection] = set()  # they had messages without an answer, and are about to end
        self.recipients = MOST_TOGETHER
        self._alone_since = 0.0  # connections opened from then on announce nothing behind a dot
        self.look_up()

    def settled(self, connection: Connection, transaction: Transaction, event: Settled) -> Settled:
        """A recipient has its fate: where that is the server's answer, the connection has carried one message more.

        Returns the event, with a note where the answer is to several recipients and not the same for each.
        """
        if transaction.behind:
            self._announced(transaction, event)
        if event.reply is not None and event.reply.code != 421 and event.fate is not Fate.UNTRIED:
            count, _, last = self._carried.get(connection, (0, 0.0, None))
            self._carried[connection] = count + (transaction is not last), self._street.now(), transaction
            if self._doubts.breaks and event.stage is Stage.DOT:
                self._doubts.answered()
        elif event.fate is Fate.UNKNOWN:
            self._doubted.add(connection)
            recipient = transaction.recipients[event.index]
            self._doubts.unanswered(recipient, connection.started_at, self._street.now())

        if event.fate is Fate.ACCEPTED and len(transaction.recipients) > 1 and event.reply and partly(event.reply):
            self.recipients = 1
            self._street.sites.learn(self._site.key, learn(Habit.RECIPIENTS, self._street.wall(), 1))
            count = len(transaction.recipients)
            return event._replace(note=f"not for each of the {count} recipients, and it does not say for which")
        return event

    def _announced(self, transaction: Transaction, event: Settled) -> None:
        """What became of a message that was announced behind the dot of another one."""
        if event.fate is not Fate.UNTRIED:
            self._misread = 0
        elif event.category is Category.PROTOCOL and transaction is not self._misread_last:
            self._misread += 1
            self._misread_last = transaction
            if self._misread >= _MISREAD and self.follows:
                self._broken(Habit.FOLLOW, "takes nothing behind a message", event.note)
                self._alone_since = self._street.now()
                self.look_up()

    def too_many(self, event: Settled, index: int) -> bool:
        """Whether this recipient, at ``index`` of several, was refused only because of those before it."""
        if not index or event.fate is not Fate.REFUSED or event.stage is not Stage.RCPT or event.reply is None:
            return False
        code, enhanced = event.reply.code, event.reply.enhanced
        # 552 is RFC 821's code for it (RFC 5321 4.5.3.1.10); "too many recipients" is transient even as a 5xx
        if not (enhanced.endswith(".5.3") or (code in (452, 552) and not enhanced)):
            return False
        if index < self.recipients:
            self.recipients = index
            self._street.sites.learn(self._site.key, learn(Habit.RECIPIENTS, self._street.wall(), index))
        return True

    def leave(self, connection: Connection) -> None:
        """End it with QUIT; what the server makes of that is no lesson."""
        self._carried.pop(connection, None)
        connection.quit()

    def closed(self, connection: Connection, closed: Closed, peer: Peer) -> str:
        """A connection ended; returns the signal for the site's gate, ``""`` for none."""
        count, last, _ = self._carried.pop(connection, (0, 0.0, None))
        doubted = connection in self._doubted
        self._doubted.discard(connection)
        if closed.chunking_failed and self.chunks:
            self._broken(Habit.CHUNKING, "cannot do CHUNKING, it is no longer used", closed.reason)
        elif closed.pipelining_failed and self.follows:
            self._broken(Habit.FOLLOW, "loses count of pipelined messages", closed.reason)
            self._alone_since = self._street.now()
        elif closed.pipelining_failed and self.groups and connection.started_at >= self._alone_since:
            self._broken(Habit.PIPELINING, "cannot do PIPELINING, it is no longer used", closed.reason)
        elif count and self._carried_all(connection, closed, peer, count, last):
            self._doubts = Doubts()  # that was the reason
        elif doubted and self._doubts.repeated:
            self._unanswered()
            self.look_up()
            return "rate"
        self.look_up()
        return ""

    def _carried_all(self, connection: Connection, closed: Closed, peer: Peer, count: int, last: float) -> bool:
        """Whether it ended because the server takes so many messages on one."""
        said = hint(closed.outcome(peer), count, self._street.now() - last)
        return said is not Hint.NOTHING and count < self._allowed and self._count(said, count, connection.started_at)

    def _unanswered(self) -> None:
        street = self._street
        if street.sites.known(self._site.key, Habit.UNANSWERED, street.wall()) is None:
            _log.warn(
                "{site} leaves one message after the other without an answer: it gets one on a connection, and slowly; "
                "each is sent {copies} times at most, then its status is unknown",
                site=self._site.name,
                copies=street.settings.retry.unknown_attempts,
            )
        street.sites.learn(self._site.key, learn(Habit.UNANSWERED, street.wall()))

    def _broken(self, habit: Habit, words: str, why: str) -> None:
        street = self._street
        if street.sites.known(self._site.key, habit, street.wall()) is None:
            _log.warn("{site} {words}: {why}", site=self._site.name, words=words, why=why)
            street.sites.learn(self._site.key, learn(habit, street.wall()))

    def _count(self, said: Hint, count: int, opened: float) -> bool:
        street, wall = self._street, self._street.wall()
        known = street.sites.known(self._site.key, Habit.MESSAGES, wall)
        judged = judge(said, count, opened, street.now(), None if known is None else int(known.value), self._suspicion)
        if not isinstance(judged, int):
            self._suspicion = judged
            return False
        self._suspicion = None
        if messages_now(known, self._allowed, wall) != count:
            _log.info("{site} takes {count} messages on a connection", site=self._site.name, count=count)
        street.sites.learn(self._site.key, takes(count, self._allowed, wall))
        return True

    def look_up(self) -> None:
        """What is remembered of the site now."""
        sites, key, wall = self._street.sites, self._site.key, self._street.wall()
        self.follows = sites.known(key, Habit.FOLLOW, wall) is None
        self.groups = sites.known(key, Habit.PIPELINING, wall) is None
        self.chunks = sites.known(key, Habit.CHUNKING, wall) is None
        together = sites.known(key, Habit.RECIPIENTS, wall)
        self.recipients = MOST_TOGETHER if together is None else min(MOST_TOGETHER, int(together.value))
        self.most = messages_now(sites.known(key, Habit.MESSAGES, wall), self._allowed, wall)
        if sites.known(key, Habit.UNANSWERED, wall) is not None:
            self.most = 1
