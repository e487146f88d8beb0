"""What the connections of a lane tell: each recipient's outcome goes to the ledger, each transaction's consequences to
the limits.

A transaction that is over has one result, however many recipients it had, and the end of a connection has one: what
follows from them is decided in `shaping.feedback` and applied here, nowhere else.
"""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lane.backlog import Backlog
from bulkmail.delivery.lane.dispatch import spent
from bulkmail.delivery.lane.in_flight import Shipment
from bulkmail.delivery.lane.quirks import ServerQuirks
from bulkmail.delivery.lane.send_window import SendWindow
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.limits import ON_ITS_WAY, ConnectionSlots
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.relay import Destination
from bulkmail.delivery.ruling import Ruling
from bulkmail.mail import Fate, Outcome, OwnFault, Peer, Reply
from bulkmail.net import LiveConnection
from bulkmail.shaping import Consequences, Feedback, TransactionResult, classify
from bulkmail.smtp import Closed, Settled, Transaction

_log = Logger("bulkmail")

_WORDS_KEPT = 200  # characters of a reply


class SessionOwner(Protocol):
    """The lane, as far as its sessions are concerned."""

    def session_ready(self, connection: LiveConnection) -> None:
        """A session takes the next transaction."""

    def submit_behind(self, connection: LiveConnection) -> None:
        """The message under way is about to leave, and another one may be submitted behind it."""

    def session_closed(self, connection: LiveConnection, *, chunking_failed: bool) -> None:
        """A session has ended; what was in flight on it has been settled before."""


class LaneListener:
    """The `ConnectionListener` of all connections of one lane. ``spent``: open connections that are of no more use."""

    def __init__(
        self,
        owner: SessionOwner,
        destination: Destination,
        *,
        backlog: Backlog,
        quirks: ServerQuirks,
        send_window: SendWindow,
        slots: ConnectionSlots,
        ledger: Ledger,
        clocks: Clocks,
        pause: Pause,
        ruling: Ruling,
    ) -> None:
        self.spent: set[LiveConnection] = set()
        self._owner = owner
        self._site, self._source, self._relay = destination
        self._backlog = backlog
        self._in_flight = backlog.in_flight
        self._quirks = quirks
        self._suspension = backlog.suspension
        self._send_window = send_window
        self._limiter = slots.limiter
        self._slots = slots
        self._ledger = ledger
        self._clocks = clocks
        self._pause = pause
        self._ruling = ruling
        self._said: dict[LiveConnection, tuple[Shipment, Reply]] = {}  # the last refusal on each connection
        self._feedback = Feedback()

    def connection_ready(self, conn: LiveConnection) -> None:
        """Reuse the session."""
        self._owner.session_ready(conn)

    def may_pipeline(self, conn: LiveConnection) -> None:
        """Submit the next message behind the one under way, if it may go now."""
        self._owner.submit_behind(conn)

    def about_to_dot(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Journal the dot. Raises OwnFault: then it must not leave, and the message comes back untried."""
        del conn
        try:
            for message in transaction.context.messages:
                if message is not None:
                    self._ledger.about_to_dot(message)
        except OwnFault as fault:
            self._pause.own_fault(str(fault))
            raise

    def settled(self, conn: LiveConnection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        """Record the outcome of one recipient, or try it again where this was no attempt."""
        shipment: Shipment = transaction.context
        event = self._quirks.settled(conn, transaction, event)
        message = self._in_flight.settled(conn, shipment, index)
        if self._relay is not None and self._relay.rejects_us(event):
            self._backlog.retry_uncharged(message)
            return
        if event.fate is not Fate.ACCEPTED:
            if spent(conn, event):
                self.spent.add(conn)
                self._backlog.retry_uncharged(message)
                return
            if event.fate is Fate.UNTRIED:
                self._backlog.retry_uncharged(message)
                return
            if self._quirks.too_many(event, index):  # not an attempt (RFC 5321 4.5.3.1.10)
                self._backlog.requeue(message)
                return
        self._backlog.hold(-1, message.run)
        outcome = event.outcome(peer)
        verdict, _ = self._ledger.record(message, outcome, self._site.provider, message.began)
        if event.fate is Fate.ACCEPTED:
            shipment.accepted = True
            return
        shipment.refused = message, outcome
        if verdict.signal:
            shipment.complaint = outcome.reply
        if self._is_new(conn, shipment, outcome.reply):
            self._count_words(outcome, peer.host, shipment.sent, verdict.signal, message)
        if shipment.result is None:
            shipment.result = TransactionResult()
        shipment.result.note(outcome, verdict)

    def answered(self, conn: LiveConnection, event: Settled, peer: Peer) -> None:
        """Journal a reply that later replies may still contradict: a kill now must not send the message again."""
        del conn
        message = event.transaction.context.messages[event.index]
        self._ledger.answered(message, event.outcome(peer), self._site.provider)

    def transaction_over(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Draw the consequences of the transaction, once for all its recipients."""
        del conn
        shipment: Shipment = transaction.context
        if shipment.result is not None:
            self._not_all_accepted(shipment, shipment.result)
        elif shipment.accepted:
            self._feedback.accepted()
            self._limiter.limiter.speed_up(self._clocks.now(), shipment.sent, len(shipment.messages))
            self._slots.prove(True)
            if self._suspension.probing:
                self._suspension.recovered()

    def _not_all_accepted(self, shipment: Shipment, result: TransactionResult) -> None:
        now = self._clocks.now()
        consequences = self._feedback.transaction_over(result, now, accepted=shipment.accepted)
        self._apply(consequences, now, shipment.sent, shipment.complaint)
        if self._suspension.probing and not self._feedback.refuses_us:
            self._suspension.recovered()
        if not consequences.suspend or shipment.refused is None:
            return
        message, outcome = shipment.refused
        if self._suspension.suspended:
            self._suspension.probe()
            return
        _log.warn(
            "{site} refuses us, not its recipients: {count} messages in a row, the last with {reply}; the others wait",
            site=self._site.name,
            provider=self._site.provider,
            count=self._feedback.refusals,
            reply=str(outcome.reply or outcome.note)[:200],
        )
        self._suspension.suspend(message, outcome, refuses_us=True)
        self._backlog.give_ready_back()

    def connection_closed(self, conn: LiveConnection, closed: Closed, peer: Peer) -> None:
        """Draw the consequences of a connection's end."""
        now = self._clocks.now()
        signal = self._quirks.closed(conn, closed, peer)
        code = closed.reply.code if closed.reply else 0
        said, sent, outcome = self._said.pop(conn, None), now - ON_ITS_WAY, closed.outcome(peer)
        complaint = classify(outcome).signal if code >= 400 else ""
        if said is None or said[1] != closed.reply:
            self._count_words(outcome, peer.host, sent, complaint)
        if code == 421 and not signal:
            # said to nothing, or to MAIL, it is no attempt and tells of the pace all the same
            signal = complaint
        self._apply(self._feedback.connection_closed(code, signal, now), now, sent, closed.reply)
        self.spent.discard(conn)
        self._owner.session_closed(conn, chunking_failed=closed.chunking_failed)

    def attempt_refused(self, outcome: Outcome) -> None:
        """Count the words of a server that has refused the connection."""
        signal = classify(outcome).signal
        if signal:
            self._complained(outcome.reply)
        self._count_words(outcome, outcome.peer.host, self._clocks.now() - ON_ITS_WAY, signal)

    def _is_new(self, conn: LiveConnection, shipment: Shipment, reply: Reply | None) -> bool:
        """Return whether the server has said this anew: not to a recipient of the same message before.

        The same line is said to one message after the other, so it is the message that tells; a 421 is said once, to
        all messages that are under way.
        """
        if reply is None:
            return False
        known = self._said.get(conn)
        self._said[conn] = shipment, reply
        return known is None or known[1] != reply or (known[0] is not shipment and reply.code != 421)

    def _count_words(
        self, outcome: Outcome, host: str, sent: float, signal: str, message: Message | None = None
    ) -> None:
        """Have the rules count a refusal of what was handed over at ``sent``; one complaint about the rate once."""
        reply = outcome.reply
        if reply is None or reply.code < 400 or (signal == "rate" and self._limiter.limiter.rate_throttle.echoes(sent)):
            return
        domain, run = (message.domain, message.run) if message is not None else ("", None)
        if self._ruling.heard(self._site, self._source, self._limiter, reply, host, domain, run):
            self._quirks.look_up()

    def _complained(self, reply: Reply | None) -> None:
        """Keep the reply for which it is sent to more slowly, for people who ask why."""
        if reply is not None:
            self._limiter.complaint = self._clocks.wall(), str(reply)[:_WORDS_KEPT]

    def _apply(self, consequences: Consequences, now: float, sent: float, reply: Reply | None) -> None:
        limiter = self._limiter.limiter
        if consequences.signal:
            self._complained(reply)
        if consequences.accepted:
            limiter.speed_up(now, sent)
        if consequences.signal == "connections":
            limiter.refuse_connection(now, limiter.open - 1)  # said on a connection, it means this one
        elif consequences.signal:
            limiter.slow_down(now, consequences.signal, sent)
        self._send_window.change(consequences.window)
        if consequences.proven is not None:
            self._slots.prove(consequences.proven)
