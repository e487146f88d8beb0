"""A message on its way: one claimed recipient, from its claim until its outcome is recorded or it is given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bulkmail.delivery.run import Run
from bulkmail.delivery.warming import Budget
from bulkmail.mail import local_in
from bulkmail.routing import Site
from bulkmail.shaping import Canary
from bulkmail.spool import Claimed


class Holder(Protocol):
    """What a message was claimed for: the lane, as far as a message's way through other parts needs it."""

    site: Site

    def hold(self, count: int, run: Run) -> None:
        """Add ``count`` (may be negative) to the claimed, unsettled messages of a campaign."""

    def add(self, message: Message) -> None:
        """Take a composed message."""

    def wake(self) -> None:
        """Look for something to do in the next turn."""


@dataclass(slots=True, eq=False)
class Message:
    """One claimed recipient: first without, then with its bytes.

    ``domain``: the recipient's, in A-labels. ``holder``: what claimed it; its queue may have moved on. ``began``: when
    it was handed to a connection, on the wall clock. ``uncharged_tries``: how often it came back without an attempt.
    ``turn``: where its turn begins in a lane that several campaigns share (`shaping.Turns`).
    ``canary``: where it is one of the first at its provider. ``budget``: where its source warms up.
    """

    claimed: Claimed
    domain: str
    run: Run
    holder: Holder
    wire: bytes = b""
    size: int = 0
    sender: str = ""
    began: float = 0.0
    uncharged_tries: int = 0
    turn: float = 0.0
    canary: Canary | None = None
    budget: Budget | None = None
    dotted: bool = False  # its dot is in the journal, and nothing that says what became of it

    @property
    def recipient(self) -> str:
        """The address for RCPT in its one form, the domain in A-labels."""
        return f"{local_in(self.claimed.email)}@{self.domain}"
