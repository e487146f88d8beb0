"""What travels through the delivery room: queues of a campaign's domains, and the messages claimed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkmail.mail import parse_address
from bulkmail.spool import Claimed

if TYPE_CHECKING:
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.run import Run


@dataclass(slots=True, eq=False)
class Queue:
    """The recipients of one campaign at one domain, as far as they are open for sending in this process."""

    id: int
    run: Run
    domain: str
    lane: Lane | None = None
    claiming: bool = False


@dataclass(slots=True, eq=False)
class Message:
    """One claimed recipient on its way: first without, then with its bytes, until its outcome is recorded."""

    claimed: Claimed
    queue: Queue
    run: Run
    lane: Lane  # the one that claimed it; its queue may be at another by now
    wire: bytes = b""
    size: int = 0
    sender: str = ""
    began: float = 0.0
    free_tries: int = 0
    dotted: bool = False  # its dot is in the journal, and nothing that says what became of it
    answered: bool = False  # a 2xx to its dot is in the journal, before it was proven

    @property
    def recipient(self) -> str:
        """The address for RCPT: as written, the domain in A-labels."""
        return str(parse_address(self.claimed.email))
