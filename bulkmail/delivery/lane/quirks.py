"""What a lane knows of the faults and limits of its site's servers: asked before it sends, learnt as connections end.

Some servers offer PIPELINING (RFC 2920) or CHUNKING (RFC 3030) and lose count of replies. The first failure of BDAT
ends its use, the first of pipelining ends the writing of one message's commands behind another's dot, and one more, on
a connection opened after that, ends groups of commands altogether: on connections opened from then on. How many
messages a server takes on a connection is judged by `bulkmail.shaping.habits`. All of it is remembered with the site,
so a lane that is dropped and made again learns nothing twice.

A site that leaves one message after the other without a reply (`bulkmail.shaping.unanswered`) may keep each of them,
and each copy reaches a person. It gets one message on a connection, and slower with each message more.
"""

from __future__ import annotations

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.mail import Category, Fate, Peer, Stage, count_of
from bulkmail.net import LiveConnection
from bulkmail.routing import Site
from bulkmail.shaping import (
    ANY_SOURCE,
    FactKind,
    Hint,
    SiteFacts,
    Source,
    Suspicion,
    UnansweredMessages,
    hint,
    judge,
    learn,
    messages_now,
    partly,
    takes,
)
from bulkmail.smtp import Closed, Settled, Transaction

_log = Logger("bulkmail")

_MISREAD = 2  # messages in a row

MOST_TOGETHER = 50  # recipients; RFC 5321 4.5.3.1.8 has every server take 100, but fewer share the fate of one refusal


class ServerQuirks:
    """One lane's view. ``most``: messages a connection may carry now, of the ``allowed`` ones; ``recipients``: so many
    go into one transaction.

    ``groups``: commands may be sent in groups; ``follows``: also behind the dot of the message before; ``chunks``: BDAT
    may be used. They are looked up when a connection ends, so that asking for each message costs nothing.
    """

    def __init__(
        self,
        site: Site,
        allowed: int,
        facts: SiteFacts,
        clocks: Clocks,
        unknown_attempts: int,
        source: Source = ANY_SOURCE,
    ) -> None:
        self._site = site
        self._limited_as = source.key(site.key)  # how many messages it takes may depend on where they come from
        self._allowed = allowed
        self._facts = facts
        self._unknown_attempts = unknown_attempts
        self._clocks = clocks
        # messages that the server answered, the last answer's time, and the transaction it was for
        self._carried: dict[LiveConnection, tuple[int, float, Transaction | None]] = {}
        self._suspicion: Suspicion | None = None
        self._misread = 0  # so many in a row that were submitted behind a dot were taken for something else
        self._misread_last: Transaction | None = None
        self._unanswered_messages = UnansweredMessages()
        self._doubted: set[LiveConnection] = set()  # had messages without a reply, and are about to end
        self.recipients = MOST_TOGETHER
        self._alone_since = 0.0  # connections opened from then on announce nothing behind a dot
        self.look_up()

    def allow(self, allowed: int, unknown_attempts: int) -> None:
        """Use another limit of the operator's from now on."""
        self._allowed, self._unknown_attempts = allowed, unknown_attempts
        self.look_up()

    def settled(self, connection: LiveConnection, transaction: Transaction, event: Settled) -> Settled:
        """Count a message that the server has answered: the connection has carried one more.

        Returns the event, with a note where the reply is to several recipients and not the same for each.
        """
        if transaction.behind:
            self._announced(transaction, event)
        if event.reply is not None and event.reply.code != 421 and event.fate is not Fate.UNTRIED:
            count, _, last = self._carried.get(connection, (0, 0.0, None))
            self._carried[connection] = count + (transaction is not last), self._clocks.now(), transaction
            if self._unanswered_messages.breaks and event.stage is Stage.DOT:
                self._unanswered_messages.answered()
        elif event.fate is Fate.UNKNOWN:
            self._doubted.add(connection)
            recipient = transaction.recipients[event.index]
            self._unanswered_messages.unanswered(recipient, connection.started_at, self._clocks.now())
        if event.fate is Fate.ACCEPTED and len(transaction.recipients) > 1 and event.reply and partly(event.reply):
            self.recipients = 1
            self._facts.learn(self._site.key, learn(FactKind.RECIPIENTS, self._clocks.wall(), 1))
            count = len(transaction.recipients)
            return event._replace(note=f"not for each of the {count} recipients, and it does not say for which")
        return event

    def _announced(self, transaction: Transaction, event: Settled) -> None:
        """Learn from what became of a message that was submitted behind the dot of another one."""
        if event.fate is not Fate.UNTRIED:
            self._misread = 0
        elif event.category is Category.PROTOCOL and transaction is not self._misread_last:
            self._misread += 1
            self._misread_last = transaction
            if self._misread >= _MISREAD and self.follows:
                self._broken(FactKind.FOLLOW, "takes nothing behind a message", event.note)
                self._alone_since = self._clocks.now()
                self.look_up()

    def too_many(self, event: Settled, index: int) -> bool:
        """Return whether this recipient, at ``index`` of several, was refused only because of those before it."""
        if not index or event.fate is not Fate.REFUSED or event.stage is not Stage.RCPT or event.reply is None:
            return False
        code, enhanced = event.reply.code, event.reply.enhanced
        # 552 is RFC 821's code for it (RFC 5321 4.5.3.1.10); "too many recipients" is transient even as a 5xx
        if not (enhanced.endswith(".5.3") or (code in (452, 552) and not enhanced)):
            return False
        if index < self.recipients:
            self.recipients = index
            self._facts.learn(self._site.key, learn(FactKind.RECIPIENTS, self._clocks.wall(), index))
        return True

    def leave(self, connection: LiveConnection) -> None:
        """End it with QUIT; what the server makes of that is no lesson."""
        self._carried.pop(connection, None)
        connection.quit()

    def closed(self, connection: LiveConnection, closed: Closed, peer: Peer) -> str:
        """Learn from the end of a connection; returns the signal for the site's throttles, ``""`` for none."""
        count, last, _ = self._carried.pop(connection, (0, 0.0, None))
        doubted = connection in self._doubted
        self._doubted.discard(connection)
        if closed.chunking_failed and self.chunks:
            self._broken(FactKind.CHUNKING, "cannot do CHUNKING, it is no longer used", closed.reason)
        elif closed.pipelining_failed and self.follows:
            self._broken(FactKind.FOLLOW, "loses count of pipelined messages", closed.reason)
            self._alone_since = self._clocks.now()
        elif closed.pipelining_failed and self.groups and connection.started_at >= self._alone_since:
            self._broken(FactKind.PIPELINING, "cannot do PIPELINING, it is no longer used", closed.reason)
        elif count and self._carried_all(connection, closed, peer, count, last):
            self._unanswered_messages = UnansweredMessages()  # that was the reason
        elif doubted and self._unanswered_messages.repeated:
            self._unanswered()
            self.look_up()
            return "rate"
        self.look_up()
        return ""

    def _carried_all(self, connection: LiveConnection, closed: Closed, peer: Peer, count: int, last: float) -> bool:
        """Return whether it ended because the server takes so many messages on one connection."""
        said = hint(closed.outcome(peer), count, self._clocks.now() - last)
        return said is not Hint.NOTHING and count < self._allowed and self._count(said, count, connection.started_at)

    def _unanswered(self) -> None:
        wall = self._clocks.wall()
        if self._facts.known(self._site.key, FactKind.UNANSWERED, wall) is None:
            _log.warn(
                "{site} leaves one message after the other without a reply: it gets one on a connection, and slowly; "
                "each is sent {copies} times at most, then its status is unknown",
                site=self._site.name,
                provider=self._site.provider,
                copies=self._unknown_attempts,
            )
        self._facts.learn(self._site.key, learn(FactKind.UNANSWERED, wall))

    def _broken(self, kind: FactKind, words: str, why: str) -> None:
        wall = self._clocks.wall()
        if self._facts.known(self._site.key, kind, wall) is None:
            _log.warn(
                "{site} {words}: {why}",
                site=self._site.name,
                provider=self._site.provider,
                words=words,
                why=why,
            )
            self._facts.learn(self._site.key, learn(kind, wall))

    def _count(self, said: Hint, count: int, opened: float) -> bool:
        wall = self._clocks.wall()
        known = self._facts.known(self._limited_as, FactKind.MESSAGES, wall)
        judged = judge(
            said, count, opened, self._clocks.now(), None if known is None else int(known.value), self._suspicion
        )
        if not isinstance(judged, int):
            self._suspicion = judged
            return False
        self._suspicion = None
        if messages_now(known, self._allowed, wall) != count:
            _log.info(
                "{site} takes {messages} on a connection",
                site=self._site.name,
                provider=self._site.provider,
                count=count,
                messages=count_of(count, "message"),
            )
        self._facts.learn(self._limited_as, takes(count, self._allowed, wall))
        return True

    def look_up(self) -> None:
        """Use what is remembered of the site now."""
        facts, key, wall = self._facts, self._site.key, self._clocks.wall()
        self.follows = facts.known(key, FactKind.FOLLOW, wall) is None
        self.groups = facts.known(key, FactKind.PIPELINING, wall) is None
        self.chunks = facts.known(key, FactKind.CHUNKING, wall) is None
        together = facts.known(key, FactKind.RECIPIENTS, wall)
        self.recipients = MOST_TOGETHER if together is None else min(MOST_TOGETHER, int(together.value))
        self.most = messages_now(facts.known(self._limited_as, FactKind.MESSAGES, wall), self._allowed, wall)
        if facts.known(key, FactKind.UNANSWERED, wall) is not None:
            self.most = 1
