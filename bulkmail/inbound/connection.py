"""One connection of a client: a Twisted protocol around a `Session`, its deadlines, and the hand-over to the sink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bulkmail.inbound.limits import network_of
from bulkmail.inbound.received import Received, Refusal
from bulkmail.inbound.reception import Reception
from bulkmail.inbound.session import Close, Event, Message, Phase, Refused, Session, StartTls
from bulkmail.mail import OwnFault
from bulkmail.net import Deadline

_log = Logger("bulkmail")

_LATE = Refusal(421, "4.4.2", "Nothing came for too long")
_STOPPING = Refusal(421, "4.3.2", "The server is stopping")
_NOT_KEPT = Refusal(451, "4.3.0", "The message could not be stored; try again later")


@implementer(IHandshakeListener)
class Connection(Protocol):
    """Made for each client that was accepted. ``ip``: the client's address."""

    transport: Any

    def __init__(self, reception: Reception, ip: str) -> None:
        self._reception = reception
        self._ip = ip
        self._network = network_of(ip)
        self._direct: Callable[[bytes], int | BaseException] | None = None  # how a socket without TLS is written to
        self._inside = False  # whether the gate counts it
        self._paused = False
        self._taking = 0  # which hand-over to the sink this is; an answer to an earlier one came too late
        self._turns = -1
        self._message_until = 0.0
        limits = reception.limits
        self._session = Session(
            hostname=reception.hostname,
            accepts=reception.accepts,
            limits=limits,
            share=reception.room.share(self._network),
            spill=reception.spill,
            tls_ready=reception.tls_ready,
        )
        self._deadline = Deadline(reception.reactor, reception.reactor.seconds, self._expired)

    # what Twisted calls

    def connectionMade(self) -> None:
        """Let the client in, and greet it a little later: who talks first is no mail server."""
        self._direct = getattr(self.transport, "writeSomeData", None)
        reception = self._reception
        refusal = _STOPPING if reception.stopping else reception.gate.enter(self._network)
        if refusal is not None:
            reception.refused.say(f"inbound: refused {self._ip}: {refusal}")
            self._do(self._session.hang_up(refusal))
            return
        self._inside = True
        reception.live.add(self)
        if reception.limits.greet_after > 0:
            self._deadline.start(reception.limits.greet_after)
        else:
            self._expired()

    def dataReceived(self, data: bytes) -> None:
        """Take some octets; while the sink has a message, no more than these."""
        if self._session.phase is Phase.SINK and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        self._do(self._session.receive(data))

    def handshakeCompleted(self) -> None:
        """Go on under TLS."""
        self._do(self._session.tls_started(self.transport.getHandle().get_protocol_version_name()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """Leave; a message that the sink has is kept all the same, as RFC 1047 foresees."""
        self._session.lost()
        self._direct = None  # it holds the transport, which holds us
        self._deadline.cancel()
        if self._inside:
            self._inside = False
            self._reception.gate.leave(self._network)
            self._reception.live.discard(self)

    # what the server says

    @property
    def taking(self) -> bool:
        """Whether the sink has a message of this client."""
        return self._session.phase is Phase.SINK

    def stop(self) -> None:
        """Send the client away, behind the answer to its message where one is under way."""
        if not self.taking:
            self._do(self._session.hang_up(_STOPPING))

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abortConnection()

    # events

    def _do(self, events: list[Event]) -> None:
        session = self._session
        closing = False
        handshake = False
        for event in events:
            if isinstance(event, Message):
                self._hand_over(event)
            elif isinstance(event, Refused):
                self._tell_refused(event)
            elif isinstance(event, StartTls):
                handshake = True
            elif isinstance(event, Close):
                closing = True
        output = session.take_output()
        if output:
            self._write(output)
        if handshake:
            self.transport.startTLS(self._reception.certificate)
        if closing:
            self._deadline.start(self._reception.limits.linger)
            self.transport.loseConnection()
        else:
            self._watch()

    def _write(self, data: bytes) -> None:
        """Send at once, as long as the socket takes all: Twisted waits for a turn of the loop, and asks epoll twice."""
        if self._direct is not None and not self._session.tls:
            sent = self._direct(data)
            if sent == len(data):
                return
            self._direct = None
            data = data[sent:] if isinstance(sent, int) else data
        self.transport.write(data)

    def _watch(self) -> None:
        """Move the deadline: for a command, not for each octet of it; for a message, not beyond its own end."""
        session, limits = self._session, self._reception.limits
        begun = session.turns != self._turns
        self._turns = session.turns
        now = self._reception.reactor.seconds()
        if session.phase is Phase.BODY:
            if begun:
                self._message_until = now + limits.message
            self._deadline.start(max(0.0, min(limits.data, self._message_until - now)))
        elif begun and session.phase is not Phase.SINK:
            self._deadline.start(limits.starttls if session.phase is Phase.HANDSHAKE else limits.command)

    def _expired(self) -> None:
        phase = self._session.phase
        if phase is Phase.SILENCE:
            self._session.greet()
            self._do([])
        elif phase in (Phase.HANDSHAKE, Phase.CLOSED):
            self.abort()
        elif phase is Phase.SINK:
            self._reception.faults.say(f"inbound: a message was not stored within {self._reception.limits.take:g} s")
            self._answered(_NOT_KEPT, self._taking, "")
        else:
            self._reception.refused.say(f"inbound: refused {self._ip}: {_LATE}")
            self._do(self._session.hang_up(_LATE))

    # the sink

    def _hand_over(self, message: Message) -> None:
        reception, session = self._reception, self._session
        received = Received(
            id=reception.new_id(),
            ip=self._ip,
            helo=session.helo,
            tls=session.tls,
            sender=message.sender,
            recipients=message.recipients,
            body=message.body,
            at=reception.wall(),
            smtputf8=message.smtputf8,
            until=reception.reactor.seconds() + reception.limits.take,
        )
        self._taking += 1
        self._deadline.start(reception.limits.take)
        kept = Deferred.fromCoroutine(self._keep(received))
        kept.addCallback(self._answered, self._taking, received.id)

    async def _keep(self, received: Received) -> Refusal | None:
        """Have the sink store it; why it did not, or None."""
        refusal: Refusal | None = None
        try:
            await self._reception.take(received)
        except Refusal as refused:
            refusal = refused
        except OwnFault as fault:
            self._reception.faults.say(f"inbound: message {received.id} was not stored: {fault}")
            refusal = _NOT_KEPT
        except Exception:  # noqa: BLE001 - whatever it is, the client must keep the message
            _log.failure("inbound: message {id} was not stored", id=received.id)
            refusal = _NOT_KEPT
        finally:
            received.body.close()

        def who() -> str:
            return f"{self._ip} ({received.helo}) from <{received.sender}> to {_few(received)}"

        if refusal is None:
            self._reception.taken.say(lambda: f"inbound: took {received.id} of {len(received.body):,} octets, {who()}")
        else:
            self._reception.refused.say(f"inbound: refused {who()}: {refusal}")
        return refusal

    def _answered(self, refusal: Refusal | None, taking: int, name: str) -> None:
        if self._session.phase is Phase.CLOSED:
            self._session.answer(refusal, name)  # the client is gone; this gives back the message's room
            return
        if taking != self._taking:
            return  # it was answered when it came too late
        self._taking += 1
        self._turns = -1
        events = self._session.answer(refusal, name)
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
        self._do(events)
        if self._reception.stopping:
            self.stop()

    def _tell_refused(self, event: Refused) -> None:
        sender = "" if event.sender is None else f" from <{event.sender}>"
        recipient = f" to <{event.recipient}>" if event.recipient else ""
        self._reception.refused.say(
            f"inbound: refused {self._ip} ({self._session.helo}){sender}{recipient}: {event.refusal}"
        )


def _few(received: Received) -> str:
    first = received.recipients[0].address
    more = len(received.recipients) - 1
    return f"<{first}>" + (f" and {more} more" if more else "")
