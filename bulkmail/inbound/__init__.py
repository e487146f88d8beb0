"""What comes back: an SMTP server for bounces, complaints, unsubscribes and answers.

Room: the server's side of SMTP for our own domains: listening, limits, TLS, and where a message is kept.
Takes: sockets; what says which addresses are ours; what records what comes back (`mail.ReturnPath`).
Gives: messages to who reads, forwards or keeps them, and 250 to the client once that is durable, never before.
Never: relays, reads what a report says, changes an outcome, keeps a message in memory that was answered with 250.

It runs in a process of its own, with a reactor of its own: a dialogue is mostly system calls, and the event loop of the
service has mail to send. The service has the sockets (`opening`), starts that process and answers what it asks
(`server_process`); the process (`__main__`, `child`) serves (`serving`), and what comes back goes to the service
(`asking`), as `wire` says.

What each failure means to the client:

- A recipient that is not ours is 550: 5.7.1 where its domain is another's, 5.1.1 where its local part is unknown.
- A message that was not made durable, for whatever reason of ours, is 451: the client keeps it and tries again.
- A broken line end (a CR or LF alone) is 554 and the end of the connection: such bytes are read in two ways by two
  servers, and one of the ways holds a second message.
- A limit or a deadline of ours is 421, and 452 where the connection may go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.inbound.addresses import OwnAddresses
    from bulkmail.inbound.connection import Connection
    from bulkmail.inbound.limits import Limits, Room
    from bulkmail.inbound.lines import Lines
    from bulkmail.inbound.opening import Listening
    from bulkmail.inbound.received import Accepted, Mailbox, Purpose, Received, Refusal
    from bulkmail.inbound.reception import Reception
    from bulkmail.inbound.session import Session
    from bulkmail.inbound.sockets import bound
else:
    __getattr__ = later(
        __name__,
        {
            "addresses": "OwnAddresses",
            "connection": "Connection",
            "limits": "Limits Room",
            "lines": "Lines",
            "opening": "Listening",
            "received": "Accepted Mailbox Purpose Received Refusal",
            "reception": "Reception",
            "session": "Session",
            "sockets": "bound",
        },
    )

__all__ = [
    "Accepted",
    "Connection",
    "Limits",
    "Lines",
    "Listening",
    "Mailbox",
    "OwnAddresses",
    "Purpose",
    "Received",
    "Reception",
    "Refusal",
    "Room",
    "Session",
    "bound",
]
