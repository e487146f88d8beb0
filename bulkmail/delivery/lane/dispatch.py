"""What a lane does next. Pure decisions: they look at the lane and at its permits, and name one action; `lane` acts.

`next_action` is called again after each message that was handed over and each connection that was closed. Each action
changes what it was decided from (a message fewer is ready, the lane waits in a pool, a timer is set), so the calls come
to an end, and once the answer is None it stays None until an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.lane.quirks import ServerQuirks
from bulkmail.delivery.lane.send_window import SendWindow
from bulkmail.delivery.limits import SOON, SharedLimiter, SlotPool, Waiter
from bulkmail.delivery.message import Message
from bulkmail.mail import Stage
from bulkmail.net import LiveConnection
from bulkmail.smtp import Settled

OLDEST = 300.0  # seconds: the age at which a connection is closed, or the slowest host would gather all connections

_EACH = 3  # messages that wait, for which one more connection is worth its handshakes at once
_PATIENCE = 1.0  # seconds for fewer: those that are open will mostly have sent them by then
_PATIENCE_WHERE_SCARCE = 0.3  # seconds that any wait: longer leaves the window to messages that wait for a connection


class Submit(NamedTuple):
    """Give the next message to this idle connection."""

    connection: LiveConnection


class Quit(NamedTuple):
    """Close this idle connection: it takes no message any more."""

    connection: LiveConnection


class Open(NamedTuple):
    """Open one more connection."""


class WakeAt(NamedTuple):
    """Decide again at ``when``, on the reactor's clock."""

    when: float


class WaitFor(NamedTuple):
    """Decide again when a connection of this pool has closed."""

    pool: SlotPool


Action = Submit | Quit | Open | WakeAt | WaitFor
_OPEN = Open()


class OpeningView(Protocol):
    """The connections that a lane is opening, as far as the decision to open another one needs them."""

    not_before: float  # no connection is opened before this time
    no_more_before: float  # no further connection is opened before this time while others are open
    gained_at: float  # when the last one was ready

    @property
    def waiting_since(self) -> float:
        """Since when messages have been ready without a break, on the reactor's clock."""

    def __len__(self) -> int:
        """Return the number of attempts under way."""

    def room(self, now: float) -> bool:
        """Return whether one more may begin: one at a time at first, more as the first ones work."""

    def waits(self, now: float, *, connected: bool) -> bool:
        """Return whether the lane waits for a slot of an address."""


class LaneView(Waiter, Protocol):
    """The lane, as far as the decision needs it."""

    ready: deque[Message]
    wakeup: Wakeup

    @property
    def may_send(self) -> bool:
        """Whether anything may be sent now: no pause, no suspension, no probe under way."""

    @property
    def idle_connection(self) -> LiveConnection | None:
        """The connection that has been idle for the shortest time."""

    @property
    def connections(self) -> int:
        """Open connections."""

    @property
    def opening(self) -> OpeningView:
        """Connections being opened."""


class Permits(Protocol):
    """What the limits allow the lane. Booking ahead is not an action: a permit is kept until it is used."""

    @property
    def proven(self) -> bool:
        """Whether the site has answered the last message."""

    @property
    def scarce(self) -> bool:
        """Whether few connections of the process are left."""

    def message_at(self, connection: LiveConnection, now: float) -> float:
        """Return when the next message may go over this connection."""

    def connection_at(self, now: float) -> float | SlotPool:
        """Return when the next connection may be opened, or the pool that has no slot left."""


def next_action(lane: LaneView, permits: Permits, now: float) -> Action | None:
    """Return the lane's next action; None: whatever it waits for wakes it."""
    if not lane.ready or not lane.may_send:
        return None
    connection = lane.idle_connection
    if connection is None:
        return may_open(lane, permits, now)
    if not connection.ready:  # half a reply that nothing asked for was read: its end is near
        return Quit(connection)
    at = permits.message_at(connection, now)
    return Submit(connection) if at <= now + SOON else _wake_at(lane, at)


def may_open(lane: LaneView, permits: Permits, now: float) -> Open | WakeAt | WaitFor | None:
    """Decide whether one more connection is opened: one at a time at first, more as the first ones work (slow open).

    Connections follow what waits: for a few messages one is added in a second, no more. Not so before the site has
    answered a message: what it gets wrong is found with fewer messages on one connection. Where few connections of the
    process are left, one is added when messages have waited for a moment, however many: the others are for lanes that
    have none.
    """
    opening, connections = lane.opening, lane.connections
    if len(lane.ready) <= len(opening) or not opening.room(now):
        return None
    if (connections and now < opening.no_more_before) or opening.waits(now, connected=connections > 0):
        return None
    if now < opening.not_before:
        return _wake_at(lane, opening.not_before)
    scarce = permits.scarce
    if connections or (scarce and len(opening)):
        few = permits.proven and len(lane.ready) <= _EACH * (len(opening) + 1)
        if scarce:
            patient_until = max(opening.gained_at, opening.waiting_since) + _PATIENCE_WHERE_SCARCE
        else:
            patient_until = opening.gained_at + _PATIENCE
        if now < patient_until and (few or scarce):
            return _wake_at(lane, patient_until)
    at = permits.connection_at(now)
    if isinstance(at, SlotPool):
        # a lane with connections waits for a slot of the process, not for one of its own limit: it has them all
        waits = at.waits(lane) or ((connections or len(opening)) and isinstance(at, SharedLimiter))
        return None if waits else WaitFor(at)
    return _wake_at(lane, at) if at > now + SOON else _OPEN


def _wake_at(lane: LaneView, when: float) -> WakeAt | None:
    return WakeAt(when) if when < lane.wakeup.when else None


def may_pipeline(
    message: Message, connection: LiveConnection, quirks: ServerQuirks, window: SendWindow, on_wire: int, now: float
) -> bool:
    """Decide whether ``message`` is submitted behind the ``on_wire`` unanswered ones of this connection.

    A message that came back untried is not risked again, and nothing stands behind the last message of a connection.
    """
    chunking = connection.chunking
    if message.uncharged_tries or not (chunking or quirks.follows) or full(connection, quirks.most, now):
        return False
    return window.room(on_wire, message.size, chunking=chunking)


def together(ready: deque[Message], most: int, domains: int, permitted: Callable[[], bool]) -> list[Message]:
    """Take the next message and those right behind it that can go in one transaction with it.

    Messages that are the same to the byte, sender included, may share a transaction. ``most`` recipients, and
    ``domains`` of them at most if that is not 0; ``permitted()`` books one more message, or returns False.
    """
    first = ready.popleft()
    group = [first]
    seen = {first.domain}
    while ready and len(group) < most:
        message = ready[0]
        if first.uncharged_tries or message.uncharged_tries:
            break
        if message.wire != first.wire or message.sender != first.sender:
            break
        # A receiver may refuse all of a transaction because of one address beyond ASCII.
        if not (message.recipient.isascii() and first.recipient.isascii()):
            break
        if domains and len(seen | {message.domain}) > domains:
            break
        if not permitted():
            break
        seen.add(message.domain)
        group.append(ready.popleft())
    return group


def full(connection: LiveConnection, most: int, now: float) -> bool:
    """Return whether the connection has carried all it may: by ``most``, by the server (RFC 9422), by its age."""
    offered = connection.capabilities.mails
    return connection.messages >= (min(most, offered) if offered else most) or now - connection.started_at > OLDEST


def spent(connection: LiveConnection, event: Settled) -> bool:
    """Return whether it was refused only because the connection has carried all that the server lets it.

    OpenSMTPD says so by 452 4.5.3 to MAIL, and goes on saying it while the connection lasts.
    """
    if connection.messages < 2 or event.stage is not Stage.MAIL or event.reply is None:
        return False
    return event.reply.code == 452 and event.reply.enhanced == "4.5.3"
