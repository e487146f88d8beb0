"""Passes a message on to a mail server of the operator's, and says what that one said."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore

from bulkmail.inbound.received import Received, Refusal
from bulkmail.inbound.trace import traced
from bulkmail.inbound.waiting import WaitingThreads
from bulkmail.mail import Fate, OwnFault, Peer
from bulkmail.net import LiveConnection, NothingSent, SessionOptions, Timeouts, TlsContexts, connect
from bulkmail.smtp import Closed, Settled, Transaction

_PERMANENT = 500
_MOST_ADDRESSES = 3
_LARGE = 2  # messages that are not in memory before: so many are at once


class SmtpForward:
    """Passes on to ``host``:``port``, each on a connection of its own. ``threads``: for look-ups of names."""

    def __init__(
        self, reactor: Any, threads: WaitingThreads, host: str, port: int, hostname: str, timeouts: Timeouts
    ) -> None:
        self._reactor = reactor
        self._threads = threads
        self._host, self._port = host, port
        self._hostname = hostname
        self._timeouts = timeouts
        self._tls = TlsContexts()
        self._large = DeferredSemaphore(_LARGE)

    async def __call__(self, received: Received) -> None:
        """Pass a message on; done when the server has said 250. Raises Refusal where it refuses for good, or OwnFault.

        The next address of the host is tried only while nothing of the message was sent.
        """
        if received.body.in_memory:
            await self._pass_on(received)
            return
        await self._large.acquire()
        try:
            if self._reactor.seconds() >= received.until:
                raise OwnFault("others were passed on meanwhile")  # the client has its 451, and brings it again
            await self._pass_on(received)
        finally:
            self._large.release()

    async def _pass_on(self, received: Received) -> None:
        message = received.body.below(traced(received, self._hostname)).whole()
        to = tuple(recipient.address for recipient in received.recipients)
        why = "it has no address"
        for ip in await self._addresses():
            attempt = _Attempt(Transaction(received.sender, to, message))
            connect(
                self._reactor,
                Peer(self._host, ip),
                self._port,
                session_options=SessionOptions(self._hostname, allow_own_name=True),
                timeouts=self._timeouts,
                tls_contexts=self._tls,
                listener=attempt,
                forbidden=lambda _: None,
            )
            settled = await attempt.done
            if isinstance(settled, Closed):
                why = settled.reason or str(settled.reply)
                continue
            self._judge(settled)
            return
        raise OwnFault(f"{self._host}:{self._port} could not be reached for forwarding ({why})")

    def _judge(self, settled: Settled) -> None:
        if settled.fate is Fate.ACCEPTED:
            return
        reply = settled.reply
        words = settled.note if reply is None else str(reply)
        if settled.fate is Fate.REFUSED and (reply is None or reply.code >= _PERMANENT):
            raise Refusal(550, "5.7.1", f"The mailbox's own server refused it: {words[:200]}")
        raise OwnFault(f"{self._host}:{self._port} did not take a message for forwarding: {words}")

    async def _addresses(self) -> list[str]:
        try:
            found = await self._threads.call(
                lambda: socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            )
        except OSError as error:
            raise OwnFault(f"{self._host} has no address that could be found ({error.strerror})") from None
        return list(dict.fromkeys(str(each[4][0]) for each in found))[:_MOST_ADDRESSES]


class _Attempt(NothingSent):
    """One connection for one message. ``done`` fires with what became of it: its fate, or the close before it."""

    def __init__(self, transaction: Transaction) -> None:
        self.done: Deferred[Settled | Closed] = Deferred()
        self._transaction = transaction
        self._submitted = False

    def connection_ready(self, conn: LiveConnection) -> None:
        """Send the message, once."""
        if self._submitted:
            conn.quit()
        else:
            self._submitted = True
            conn.submit(self._transaction)

    def about_to_dot(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Nothing is to be written down: the client has the message until it is told 250."""

    def may_pipeline(self, conn: LiveConnection) -> None:
        """There is no other message."""

    def settled(self, conn: LiveConnection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:  # noqa: ARG002
        """Tell the fate of the first recipient: a forwarded message has one."""
        if not self.done.called:
            self.done.callback(event)

    def answered(self, conn: LiveConnection, event: Settled, peer: Peer) -> None:
        """Wait for `settled`."""

    def transaction_over(self, conn: LiveConnection, transaction: Transaction) -> None:  # noqa: ARG002
        """Leave."""
        conn.quit()

    def connection_closed(self, conn: LiveConnection, closed: Closed, peer: Peer) -> None:  # noqa: ARG002
        """Tell why, where nothing was sent."""
        if not self.done.called:
            self.done.callback(closed)
