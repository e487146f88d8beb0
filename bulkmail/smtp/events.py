"""The events of a session. Each is reported once, in the order in which it became true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bulkmail.mail import NO_PEER, Category, Fate, Outcome, Peer, Reply, Stage
from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Ready:
    """The session takes a transaction now: after the greeting, and again after each one."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class UpgradeToTls:
    """The server waits for the TLS handshake: shake hands, then call `tls_established` or `tls_failed`."""


@dataclass(frozen=True, slots=True)
class DotNext:
    """The next `take_output` starts the message and its end puts the final dot on the wire.

    By BDAT it goes out with its commands, and the end is its last byte. Whatever must be written down before a message
    may be delivered is written down before draining. Until then the session takes one more transaction, to be written
    behind it, where it `may_pipeline`.
    """

    transaction: Transaction


class Settled(NamedTuple):
    """What became of the recipient ``transaction.recipients[index]``: once for each, before `TransactionOver`.

    ``note`` holds our words where no reply is the reason; ``category`` and ``permanent`` are set where the session
    knows them better than any classifier of replies could. A tuple: one is made for every message, and a frozen
    dataclass takes three times as long.
    """

    transaction: Transaction
    index: int  # type: ignore[assignment]  # tuple.index is not used
    fate: Fate
    stage: Stage
    reply: Reply | None = None
    note: str = ""
    category: Category | None = None
    permanent: bool = False

    def outcome(self, peer: Peer = NO_PEER) -> Outcome:
        """Return the same in the shape all rooms share."""
        return Outcome(self.fate, self.stage, self.reply, self.note, peer, self.category, self.permanent)


@dataclass(frozen=True, slots=True)
class TransactionOver:
    """Every recipient of the transaction is settled."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over; nothing follows.

    ``stage`` is the step that was waited for, None when nothing was asked: an idle close, or the end after QUIT.
    ``reply`` is the server's reply that ended it (a refused greeting, a 421), else None and ``reason`` holds our words.
    ``category`` is set where no reply says why. ``tls_failed``: STARTTLS or what followed under TLS broke; a new
    connection in clear may work where the policy allows it. ``own_fault``: the cause is on our side. ``source_fault``:
    that is the address that we send from; another one may do.
    ``pipelining_failed``: what was read does not fit the commands that were pipelined, or they were not answered.
    ``chunking_failed``: the same of BDAT, or it was offered and is not understood.
    """

    stage: Stage | None
    reply: Reply | None
    reason: str
    category: Category | None = None
    tls_failed: bool = False
    own_fault: bool = False
    pipelining_failed: bool = False
    chunking_failed: bool = False
    source_fault: bool = False

    def outcome(self, peer: Peer = NO_PEER) -> Outcome:
        """Return what this close means to a recipient whose attempt ended with it, before MAIL."""
        stage = self.stage or Stage.CONNECT
        return Outcome(Fate.LOST, stage, self.reply, self.reason, peer, self.category)


Event = Ready | UpgradeToTls | DotNext | Settled | TransactionOver | Closed
