"""One lane to one site: its messages, its connections, and the one loop that brings them together.

Only the lane and its parts change what is in it. `Lane.dispatch` is the loop: it asks `dispatch.next_action` what is
next, and does it. Everything that changes what that is decided from calls it. It never sleeps and never polls: what it
has to wait for (a meter, a free slot, more messages) wakes it.

A message in a lane is in exactly one place: ready in the `Backlog`, or in flight on one connection (`InFlight`). What
the connections tell goes to the `LaneListener`. When the site cannot be used the lane sends nothing for a while: see
`suspension`.
"""

from __future__ import annotations

from random import Random

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lane.backlog import Backlog, Supplier
from bulkmail.delivery.lane.dispatch import (
    Action,
    Open,
    Quit,
    Submit,
    WaitFor,
    WakeAt,
    full,
    may_pipeline,
    next_action,
    together,
)
from bulkmail.delivery.lane.idle import Idle
from bulkmail.delivery.lane.in_flight import InFlight
from bulkmail.delivery.lane.listener import LaneListener
from bulkmail.delivery.lane.mx_attempt import MxAttempt, MxAttempts
from bulkmail.delivery.lane.quirks import MOST_TOGETHER, ServerQuirks
from bulkmail.delivery.lane.send_window import SendWindow
from bulkmail.delivery.lane.slow_open import SlowOpen
from bulkmail.delivery.lane.suspension import Suspension
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.limits import ConnectionSlots, Limiters
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.relay import Destination
from bulkmail.delivery.ruling import Ruling
from bulkmail.net import LiveConnection
from bulkmail.routing import Site
from bulkmail.settings import Settings
from bulkmail.shaping import Limits

_REMEMBERED = 60.0  # seconds that a lane is kept after a suspension, so that its recipients have time to come back


class Lane:
    """The messages (``backlog``) of one site that are sent from one ``source``, and the connections for them.

    ``limiter``: of what its limits are counted for; it also knows the last reply for which they were slowed down.

    ``pause``: the relay's where its mail goes through one.
    """

    def __init__(
        self,
        destination: Destination,
        supplier: Supplier,
        *,
        clocks: Clocks,
        pause: Pause,
        limiters: Limiters,
        attempts: MxAttempts,
        ledger: Ledger,
        settings: Settings,
        ruling: Ruling,
        rng: Random,
    ) -> None:
        site, source, _ = destination
        facts = ruling.facts
        self.site, self.source = site, source
        self.limits = limiters.limits_of(site)
        most, copies = self.limits.messages_per_connection, settings.retry.unknown_attempts
        self.quirks = quirks = ServerQuirks(site, most, facts, clocks, copies, source)
        key, provider = source.key(site.key), site.provider
        self.suspension = suspension = Suspension(
            key, provider, clocks=clocks, facts=facts, pause=pause, retry=settings.retry, rng=rng
        )
        self.send_window = window = SendWindow(site.manner.window or settings.smtp.window)
        self._now, self._scaled, self._pause = clocks.now, clocks.scaled, pause
        self.wakeup = wakeup = Wakeup(clocks.reactor, self.dispatch)
        self.wake = wakeup.now  # decide again in the next turn
        self.under_way = in_flight = InFlight(clocks, settings.reports_asked)
        self.backlog = backlog = Backlog(
            site, supplier, suspension, in_flight, ledger=ledger, clocks=clocks, pause=pause, wakeup=wakeup
        )
        self.ready, self.limiter = backlog.ready, limiters.of_site(site.key, provider, clocks.now(), source)
        self.limiter.users += 1
        self._slots = slots = ConnectionSlots(limiters, self.limiter, provider, source)
        self._idle = Idle(self, slots, clocks.reactor, backlog.expects_more)
        self._listener = listener = LaneListener(
            self,
            destination,
            backlog=backlog,
            quirks=quirks,
            send_window=window,
            slots=slots,
            ledger=ledger,
            clocks=clocks,
            pause=pause,
            ruling=ruling,
        )

        def new(owner: SlowOpen) -> MxAttempt:
            return attempts.new(owner, self.site, source, listener=listener, limits=self.limits, quirks=quirks)

        refused = listener.attempt_refused
        self.opening = SlowOpen(self, backlog, slots, clocks=clocks, wakeup=wakeup, refused=refused, new_attempt=new)

    def __repr__(self) -> str:
        state = self.state if self.closed else self.suspension.standstill
        return (
            f"<Lane {self.source.key(self.site.name)} {state}; ready={len(self.ready)} in_flight={self.in_flight} "
            f"idle={len(self._idle)} opening={len(self.opening)}>"
        )

    # what others may look at

    @property
    def state(self) -> str:
        """The site's state, or ``leaving`` and ``closed`` once the lane takes no more messages."""
        if self.closed:
            return "leaving" if self.connections or self.opening else "closed"
        return self.suspension.state

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages."""
        return self.backlog.closed

    @property
    def suspended(self) -> bool:
        """Whether nothing may be sent to the site now."""
        return self.suspension.until > self._now()

    @property
    def held(self) -> int:
        """Messages claimed for it and not yet recorded or given back."""
        return self.backlog.held

    @property
    def in_flight(self) -> int:
        """Messages handed to a connection and not settled."""
        return self.under_way.messages

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._idle) + self.under_way.connections

    @property
    def starved(self) -> bool:
        """Whether a connection stands idle and nothing is ready for it."""
        return bool(self._idle) and not self.ready

    @property
    def needs_connection(self) -> bool:
        """Whether something is ready and nothing is there to carry it."""
        return bool(self.ready) and not (self._idle or self.suspended or self.closed)

    @property
    def may_send(self) -> bool:
        """Whether anything may be sent now: no pause, no suspension, no probe under way."""
        site, sent = self.suspension, self.under_way.messages
        return not (self._pause.paused or site.until > self._now() or (site.probing and sent))

    @property
    def idle_connection(self) -> LiveConnection | None:
        """The connection that has been idle for the shortest time."""
        return self._idle.last()

    def reroute(self, site: Site) -> None:
        """Use what the site's domains resolve to now; its key is the same."""
        self.site = site

    def apply(self, settings: Settings, limits: Limits) -> None:
        """Use other settings from the next message on; the limiters have them already."""
        self.limits = limits
        self.quirks.allow(self.limits.messages_per_connection, settings.retry.unknown_attempts)
        self.suspension.retry = settings.retry
        self.send_window.allow(self.site.manner.window or settings.smtp.window)
        self.wake()

    # the loop

    def dispatch(self) -> None:
        """Do what is next, until nothing is; then ask for what is missing, and offer what is idle."""
        if self.may_send:
            now = self._now()
            while (action := next_action(self, self._slots, now)) is not None:
                self._perform(action, now)
                if type(action) is not Submit and type(action) is not Quit:
                    break  # at most one connection is opened in a turn
            if not (self.suspension.probing and self.under_way.messages):
                self.backlog.supplier.below_target()
        self._idle.offer()

    def _perform(self, action: Action, now: float) -> None:
        match action:
            case Submit(connection):
                self._slots.use_permit()
                self._idle.discard(connection, now)
                self._hand_over(connection, now, behind=False)
                if connection.ready and not self.under_way.on(connection):
                    self._idle.add(connection, now)
            case Quit(connection):
                self.let_go(connection)
            case Open():
                self.opening.open(now)
            case WakeAt(when):
                self.wakeup.at(when)
            case WaitFor(pool):
                pool.wait(self, self.ready[0].run)

    def _hand_over(self, connection: LiveConnection, now: float, *, behind: bool) -> None:
        """Hand over what the next transaction is made of; the first message of it has its permit."""
        offered, slots = connection.capabilities, self._slots
        most = 1 if self.suspension.probing else min(self.quirks.recipients, offered.recipients or MOST_TOGETHER)
        group: list[Message] = together(self.ready, most, offered.domains, lambda: slots.take_permit(connection, now))
        give = self.under_way.submit_behind if behind else self.under_way.submit
        unsendable = give(connection, group)
        if unsendable is not None:
            self.backlog.not_submitted(unsendable)

    # what connections and attempts tell

    def session_ready(self, connection: LiveConnection) -> None:
        """Reuse the session, or close it at its message limit."""
        now, quirks = self._now(), self.quirks
        used_up = connection in self._listener.spent or (connection.chunking and not quirks.chunks)
        if used_up or self.backlog.closed or self.limiter.limiter.surplus or full(connection, quirks.most, now):
            quirks.leave(connection)
            self.wakeup.now()
            return
        self.send_window.cleared()
        self._idle.add(connection, now)
        self.dispatch()

    def submit_behind(self, connection: LiveConnection) -> None:
        """Submit the next message behind the one under way, if it may go now."""
        now, ready = self._now(), self.ready
        # Idle connections, and those being opened, find their messages left.
        if len(ready) <= len(self.opening) + len(self._idle) or not self.may_send:
            return
        if connection in self._listener.spent or self.limiter.limiter.surplus:
            return
        on_wire = self.under_way.on(connection)
        if not may_pipeline(ready[0], connection, self.quirks, self.send_window, on_wire, now):
            return
        if self._slots.take_permit(connection, now):
            self._hand_over(connection, now, behind=True)
            self.backlog.supplier.below_target()  # a connection that is kept busy calls dispatch() no more

    def session_closed(self, connection: LiveConnection, *, chunking_failed: bool) -> None:
        """Forget a connection that has ended."""
        now = self._now()
        for idle in [idle for idle in self._idle if chunking_failed and idle.chunking]:
            self.let_go(idle)
        self.opening.connection_closed(now)
        self._idle.discard(connection, now)
        self._slots.closed(connection, connection.peer.ip, now)
        self.wakeup.now()

    def let_go(self, connection: LiveConnection) -> None:
        """Close this idle connection: another lane waits for its slot, or it has been idle for too long."""
        self._idle.discard(connection, self._now())
        self.quirks.leave(connection)

    # ending

    def close_idle(self, seconds: float) -> None:
        """Close connections that have been idle for so long."""
        for connection in self._idle.longer_than(seconds):
            self.let_go(connection)

    def stop(self) -> None:
        """Give back what waits and close idle connections; what is in flight may finish."""
        self.wakeup.cancel()
        self.backlog.stop()
        self.close_idle(0.0)
        self.opening.stop()

    def abort(self) -> None:
        """Cut what is still in flight: an unanswered dot becomes ambiguous, the rest was not sent."""
        self.under_way.abort()

    def retire(self) -> bool:
        """Close the lane and release its limiter if it has nothing left to do; whether it was."""
        suspension = self.suspension
        if self.held or self.connections or self.opening or self._pause.paused:
            return False
        if suspension.since is not None and self._now() < suspension.until + self._scaled(_REMEMBERED):
            return False
        self.backlog.stop()
        self.wakeup.cancel()
        self.limiter.left(self._now())
        return True
