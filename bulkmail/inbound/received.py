"""The words of this room: what is asked of others, and what is handed to them."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Protocol

from bulkmail.inbound.octets import Octets
from bulkmail.mail import BulkmailError

_PERMANENT = 500  # codes from here on


class Purpose(StrEnum):
    """What an address of ours is for. The recipients of one message all have the same."""

    BOUNCE = "bounce"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address of an envelope. ``local``: without quotes; ``domain``: as written, ``""`` where it is missing."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


@dataclass(frozen=True, slots=True)
class Accepted:
    """A recipient that is ours: its address in one form, what it is for, and the token in it (``""``: none)."""

    address: str
    purpose: Purpose
    token: str = ""


class Refusal(BulkmailError):
    """A reply that refuses: ``code`` (4xx or 5xx), ``enhanced`` (RFC 3463), ``text`` of one line in ASCII."""

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        self.code, self.enhanced, self.text = code, enhanced, text
        super().__init__(f"{code} {enhanced} {text}")

    @property
    def permanent(self) -> bool:
        """Whether the client is not to try again (RFC 5321 4.2.1)."""
        return self.code >= _PERMANENT


class Accepts(Protocol):
    """Says at once whether a recipient is ours."""

    def __call__(self, mailbox: Mailbox, /) -> Accepted | Refusal:
        """Return what the address is for, or the refusal."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message and its envelope.

    ``ip``: the client's address; ``helo``: the name that it gave; ``tls``: such as ``TLSv1.3``, ``""`` in clear;
    ``sender``: ``""`` for the null sender; ``recipients``: at least one, all for one purpose; ``body``: header and text
    with CRLF line ends, dots unstuffed; ``at``: seconds since the epoch when its end came; ``smtputf8``: whether the
    client asked for RFC 6531; ``until``: monotonic seconds, when the client is told 451 and keeps the message.
    """

    id: str
    ip: str
    helo: str
    tls: str
    sender: str
    recipients: tuple[Accepted, ...]
    body: Octets
    at: float
    smtputf8: bool = False
    until: float = inf

    @property
    def purpose(self) -> Purpose:
        """What all its recipients are for."""
        return self.recipients[0].purpose


class Take(Protocol):
    """Makes a message durable."""

    def __call__(self, received: Received, /) -> Awaitable[None]:
        """Fire once the message survives a power cut.

        A `Refusal` that is raised is what the client is told; every other error is a 451, and the client keeps it.
        """
