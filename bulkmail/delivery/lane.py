"""One lane to one site: its messages, its connections, and the one loop that brings them together.

Nobody else touches a lane's sets. ``dispatch`` is that loop: it looks at what is ready, what is idle and what the
meters allow, and acts; everything that changes one of these calls it. It never sleeps and never polls: what it has to
wait for (a meter, a free connection, more messages) wakes it.

A message in a lane is in exactly one place: ``ready`` (composed, waiting), or in flight on one connection (`flights`),
perhaps behind others (`may_follow`). What comes out is recorded in the ledger, or given back to the spool untouched.

When no host of the site can be used, one message (the oldest due) is charged with the failure, the others go back
untouched, and the lane rests until that message's retry. So a dead site costs one timer and one line per retry.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.logger import Logger

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.flights import MOST_TOGETHER, Flights, full, spent, together
from bulkmail.delivery.habits import Habits
from bulkmail.delivery.idle import Idle
from bulkmail.delivery.message import Message, Queues
from bulkmail.delivery.openings import Openings
from bulkmail.delivery.outage import Outage
from bulkmail.delivery.pipelining import Pipelining
from bulkmail.delivery.seats import Grants, Seats
from bulkmail.mail import Fate, Outcome, OwnFault, Peer, Stage
from bulkmail.routing import Site
from bulkmail.shaping import Limits, classify
from bulkmail.smtp import Closed, Settled, Transaction

if TYPE_CHECKING:
    from bulkmail.delivery.street import Street
    from bulkmail.delivery.walk import Walk
    from bulkmail.net import Connection

_log = Logger("bulkmail")

FIRST_STOCK = 8
_FREE_TRIES = 3
_REMEMBERED = 60.0


class Lane:
    """The messages and connections of one site. ``street`` is everything it shares with the other lanes."""

    def __init__(self, site: Site, limits: Limits, street: Street) -> None:
        self.site = site
        self.limits = limits
        self.queues = Queues()
        self.ready: deque[Message] = deque()
        self.held = 0  # messages claimed for this lane and not yet recorded or given back
        self.stock = FIRST_STOCK
        self.spread = 1  # so many of its queues are claimed from at once
        self.down_until = 0.0
        self.closed = False
        self.habits = Habits(site, limits.messages_per_connection, street)
        self.pipelining = Pipelining(self.habits, street.settings.smtp.window)
        self._street = street
        self._gate = street.gates.of_site(site.key, site.provider, street.now())
        self._gate.users += 1
        self._seats = Seats(street.gates, self._gate, site.provider)
        self._idle = Idle(self, self._seats, street.reactor)
        self._flights = Flights(street)
        self._spent: set[Connection] = set()  # open, and of no more use
        self._openings = Openings(self, street, self._gate, self._seats)
        self._grants = Grants(self._seats)
        self._wakeup = Wakeup(street.reactor, self.dispatch)
        self.outage = Outage(street, site.key)
        self._blame: tuple[Outcome, float] | None = None  # and so many seconds it took

    def __repr__(self) -> str:
        return (
            f"<Lane {self.site.name} ready={len(self.ready)} flying={self.in_flight} idle={len(self._idle)} "
            f"opening={len(self._openings)} queues={len(self.queues)}{' down' if self.down else ''}>"
        )

    @property
    def down(self) -> bool:
        """Whether the site rests after a failure."""
        return self.down_until > self._street.now()

    @property
    def in_flight(self) -> int:
        """Messages handed to a connection and not settled."""
        return len(self._flights)

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._idle) + self._flights.connections

    @property
    def wants(self) -> int:
        """How many more messages it could take."""
        return 0 if self.closed or self.down or not self.queues else max(0, self.stock - self.held)

    @property
    def dry(self) -> bool:
        """Whether a connection stands idle and nothing is ready for it."""
        return bool(self._idle) and not self.ready

    @property
    def blamed(self) -> bool:
        """Whether the next message is to be charged with an outage instead of being sent."""
        return self._blame is not None

    @property
    def needs_connection(self) -> bool:
        """Whether something is ready and nothing is there to carry it."""
        return bool(self.ready) and not (self._idle or self.down or self.closed)

    def hold(self, count: int) -> None:
        """``count`` more (or fewer) messages are in this lane's hands."""
        self.held += count
        if not self.held and self.site.hosts:
            self._blame = None  # whoever was to be charged is not there any more, and the next one finds out anew
        self._street.hold(count)

    # what the feeder gives

    def add(self, message: Message) -> None:
        """A composed message is ready for this lane."""
        if self._blame is not None:
            self._charge(message)
        elif self.down or self.closed:
            self._put_off([message])
        else:
            self.ready.append(message)
            self._wakeup.now()

    def wake(self) -> None:
        """Look again: the rest is over, a queue was added, a pause has ended."""
        self._wakeup.now()

    def wake_at(self, when: float) -> None:
        """Look again at ``when``: a meter allows a connection then."""
        self._wakeup.at(when)

    # the loop

    def dispatch(self) -> None:
        """Bring ready messages and idle connections together, as far as the meters allow; ask for what is missing."""
        if not (self._street.paused or self.down or (self.outage.probing and self._flights)):
            self._pair()
        self._idle.offer()

    def _pair(self) -> None:
        now = self._street.now()
        while self.ready and self._idle:
            connection = self._idle.last()
            if not connection.ready:  # half a 421 was read: its end is near
                self.let_go(connection)
                continue
            if not self._grants.take(connection, now):
                self._wakeup.at(self._grants.at(connection, now))
                break
            self._idle.discard(connection, now)
            self._begin(connection, self._next(connection, now))
            if self.outage.probing:
                return
        else:
            if self.ready:
                self._openings.more(now)
        self._street.hungry(self)

    def _next(self, connection: Connection, now: float) -> list[Message]:
        """What the next transaction is made of; the first message of it is granted."""
        offered = connection.capabilities
        most = 1 if self.outage.probing else min(self.habits.recipients, offered.recipients or MOST_TOGETHER)
        return together(self.ready, most, offered.domains, lambda: self._grants.take(connection, now))

    def _begin(self, connection: Connection, group: list[Message]) -> None:
        self.ready.extendleft(reversed(self._flights.submit(connection, group)))
        if connection.ready and not self._flights.on(connection):
            self._idle.add(connection, self._street.now())

    def may_follow(self, conn: Connection) -> None:
        """Send or announce the next message behind the one under way, if it is ready and granted now."""
        street, now, ready = self._street, self._street.now(), self.ready
        if self.closed or self.down_until > now or street.paused or self._gate.gate.surplus or self.outage.probing:
            return
        # Idle connections and those being opened find their messages left; one that came back untried is not risked
        # again; nothing stands behind the last one of a connection.
        if len(ready) <= len(self._openings) + len(self._idle) or ready[0].free_tries:
            return
        if conn in self._spent or full(conn, self.habits.most, now):
            return
        if not self.pipelining.room(self._flights.on(conn), ready[0].size, chunking=conn.chunking):
            return
        if not self._grants.take(conn, now):
            return
        self.ready.extendleft(reversed(self._flights.follow(conn, self._next(conn, now))))
        street.hungry(self)  # a connection that is kept busy calls dispatch() no more

    # what a walk tells

    def walk_arrived(self, walk: Walk, connection: Connection) -> None:
        """A host of the site has answered and the session is ready."""
        self._openings.ended(walk)
        self.outage.reached()
        self.connection_ready(connection)

    def walk_failed(self, walk: Walk, outcome: Outcome) -> None:
        """No host could be used: with other connections at work that is a limit, without it is an outage.

        Where the server speaks of a limit, its count of the connections that we had may only be late.
        """
        self._openings.given_up(walk)
        now, signal = self._street.now(), classify(outcome).signal
        self._gate.gate.slow_down(now, signal)
        if self.connections or self._openings:
            self._openings.rest(now)
        elif not (signal and self._openings.pause(now)):
            self._seats.trust(False)
            self.fail(outcome, walk.began)

    def walk_stopped(self, walk: Walk) -> None:
        """The walk was given up for a reason of our own; nobody is charged."""
        self._openings.given_up(walk)

    def fail(self, outcome: Outcome, began: float) -> None:
        """The site cannot be used, as was found out since ``began``: charge one message, rest until its retry."""
        if self.down:
            return  # known already, and charged
        self._blame = outcome, self._street.wall() - began
        if self.ready:
            self._charge(self.ready.popleft())
        elif not self.held and self.site.hosts:
            self._blame = None  # nobody is waiting for this site, so nobody is charged

    def _charge(self, message: Message) -> None:
        assert self._blame is not None
        (outcome, took), self._blame = self._blame, None
        self.hold(-1)
        self._rest(self.outage.charge(message, outcome, self.site.provider, took))

    def expire(self, message: Message) -> None:
        """A message that is in no lane's hands has waited for this site for too long."""
        self.outage.expire(message, self.site.provider)

    def _rest(self, until: float) -> None:
        self.down_until = until
        waiting = list(self.ready)
        self.ready.clear()
        self._put_off(waiting)
        self._street.lane_down(self)

    # what a connection tells

    def connection_ready(self, conn: Connection) -> None:
        """It takes the next message, or has carried all it may."""
        now, habits = self._street.now(), self.habits
        spent = conn in self._spent or (conn.chunking and not habits.chunks) or full(conn, habits.most, now)
        if self.closed or self._gate.gate.surplus or spent:
            habits.leave(conn)
            self._wakeup.now()
            return
        self.pipelining.cleared()
        self._idle.add(conn, now)
        self.dispatch()

    def about_to_dot(self, conn: Connection, transaction: Transaction) -> None:
        """Journal the dot. An error means that it must not leave: the message comes back untried."""
        del conn
        try:
            for message in filter(None, transaction.context):
                self._street.ledger.about_to_dot(message)
        except OwnFault as fault:
            self._street.own_fault(str(fault))
            raise

    def settled(self, conn: Connection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        """One recipient has its fate."""
        event = self.habits.settled(conn, transaction, event)
        message = self._flights.landed(conn, transaction, index)
        if self._street.turned_away(event) or (event.fate is not Fate.ACCEPTED and self._untried(conn, event)):
            self._again(message)
            return
        if self.habits.too_many(event, index):  # not an attempt (RFC 5321 4.5.3.1.10)
            self._once_more(message)
            return
        if event.fate is Fate.UNKNOWN:
            self.pipelining.doubted()
        self.hold(-1)
        outcome = event.outcome(peer)
        verdict, _ = self._street.record(message, outcome, self.site.provider, message.began)
        gate = self._gate.gate
        if event.fate is Fate.ACCEPTED:
            gate.speed_up(self._street.now())
        else:
            gate.slow_down(self._street.now(), verdict.signal)
            if verdict.signal:
                self.pipelining.complained()
        if event.fate is not Fate.REFUSED or event.reply is not None:  # a verdict of our own says nothing of the server
            self._seats.trust(event.reply is not None)
        until = self.outage.judged(message, outcome, verdict, self)
        if until is not None:
            self._rest(until)

    def _untried(self, conn: Connection, event: Settled) -> bool:
        if spent(conn, event):
            self._spent.add(conn)
            return True
        return event.fate is Fate.UNTRIED

    def answered(self, conn: Connection, event: Settled, peer: Peer) -> None:
        """Not proven yet, and written down all the same: a kill now must not send it again."""
        del conn
        self._street.ledger.answered(event.transaction.context[event.index], event.outcome(peer), self.site.provider)

    def transaction_over(self, conn: Connection, transaction: Transaction) -> None:
        """Settled already; the connection says itself when it takes the next one."""

    def connection_closed(self, conn: Connection, closed: Closed, peer: Peer) -> None:
        """An open connection has ended; what was in flight on it has been settled before."""
        self._gate.gate.slow_down(self._street.now(), self.habits.closed(conn, closed, peer))
        self.pipelining.closed(closed)
        for idle in [idle for idle in self._idle if closed.chunking_failed and idle.chunking]:
            self.let_go(idle)
        now = self._street.now()
        self._openings.closed(now)
        self._spent.discard(conn)
        self._idle.discard(conn, now)
        self._seats.closed(conn, peer.ip, now)
        self._wakeup.now()

    def let_go(self, connection: Connection) -> None:
        """Close this idle connection: somebody else waits for its place, or it has been idle for too long."""
        self._idle.discard(connection, self._street.now())
        self.habits.leave(connection)

    def _again(self, message: Message) -> None:
        """Not an attempt: once more, at once, unless it happens again and again."""
        message.free_tries += 0 if self._street.paused else 1
        if message.free_tries > _FREE_TRIES and not (self.down or self.closed):
            self.hold(-1)
            lost = Outcome(Fate.LOST, Stage.MAIL, note="the connection was closed each time a message was offered")
            self._street.record(message, lost, self.site.provider, message.began)
        else:
            self._once_more(message)

    def _once_more(self, message: Message) -> None:
        self._street.ledger.free(message)
        if self.down or self.closed:
            self._give_back([message], self.down_until)
        else:
            self.ready.appendleft(message)
            self._wakeup.now()

    def _put_off(self, messages: list[Message]) -> None:
        """The site rests: its messages go back until then, or expire when that is later than they may wait."""
        if not self.closed:
            messages = self.outage.sift(messages, self.down_until, self.site.provider)
        self._give_back(messages, self.down_until)

    def _give_back(self, messages: list[Message], due_on_clock: float) -> None:
        if not messages:
            return
        self.hold(-len(messages))
        rest = max(0.0, due_on_clock - self._street.now())
        self._street.give_back(messages, self._street.wall() + rest if rest else 0.0)

    # ending

    def close_idle(self, seconds: float) -> None:
        """Close connections that have been idle for so long."""
        for connection in self._idle.longer_than(seconds):
            self.let_go(connection)

    def stop(self) -> None:
        """No new work: what waits goes back, idle connections close, what is in flight may finish."""
        self.closed = True
        self._wakeup.cancel()
        waiting = list(self.ready)
        self.ready.clear()
        self._give_back(waiting, 0.0)
        self.close_idle(0.0)
        self._openings.stop()

    def abort(self) -> None:
        """Cut what is still in flight: an unanswered dot becomes ambiguous, the rest was not sent."""
        self._flights.abort()

    def retire(self) -> bool:
        """Whether the lane has nothing left to do and could be forgotten; releases its gate when so."""
        street = self._street
        # An outage is remembered until its recipients have had the time to come back.
        out = self.outage.since is not None and street.now() < self.down_until + street.scaled(_REMEMBERED)
        if self.queues or self.held or self.connections or self._openings or out or street.paused:
            return False
        self.closed = True
        self._wakeup.cancel()
        self._gate.users -= 1
        return True
