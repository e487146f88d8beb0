"""The client's side of SMTP (RFC 5321), without a socket.

Room: one SMTP session with one server: greeting, EHLO, STARTTLS, AUTH, transactions, QUIT.
Takes: bytes from the server, transactions from the caller.
Gives: bytes to write, and events: each recipient is settled exactly once.
Never: opens a socket, waits, reads a clock, judges a reply beyond its first digit (and 421).

What can go wrong, and what it means to a recipient:

- A sign-in that is refused (AUTH, 5xx) is a fault of our own settings (``own_fault``) and no recipient's fate.
- A 4xx or 5xx from MAIL on is its fate (``REFUSED``), with the reply, for others to judge.
- A break after MAIL and before the final dot is ``LOST``: nothing was delivered.
- A break after the final dot is ``UNKNOWN``: it may have been delivered, which cannot be known.
- A connection that carried mail before and is found closed, or says 421, at the next MAIL tells nothing about the
  recipient: ``UNTRIED``.
- ``ACCEPTED`` is a 2xx in the slot of that message's own final dot, after the dot was taken to be written. Replies are
  counted; a reply that was not asked for ends the session. Where the next message's commands stand behind the dot, its
  reply is told once theirs prove the count (`alignment` has the table); that message is ``UNTRIED`` where they disprove
  it.
- By BDAT several whole messages are under way at once, and what their replies say is told at a barrier (`window`).
"""

from __future__ import annotations

from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.events import Closed, DotNext, Event, Ready, Settled, TransactionOver, UpgradeToTls
from bulkmail.smtp.sasl import Credentials
from bulkmail.smtp.session import Session
from bulkmail.smtp.stuffing import stuff
from bulkmail.smtp.table import Phase, Slot, TlsMode
from bulkmail.smtp.telling import Tell, What
from bulkmail.smtp.transaction import Transaction

__all__ = [
    "Capabilities",
    "Closed",
    "Credentials",
    "DotNext",
    "Event",
    "Phase",
    "Ready",
    "Session",
    "Settled",
    "Slot",
    "Tell",
    "TlsMode",
    "Transaction",
    "TransactionOver",
    "UpgradeToTls",
    "What",
    "stuff",
]
