"""What follows from mail to the addresses with a token: it is read, attributed and recorded before it is answered.

A message is attributed by a token that the spool knows, and by nothing else; the token of the envelope counts first. A
report counts where it is certain that it is about the token's own recipient. What is not understood, or is not
certainly about a recipient, goes into the folder of what is unread, and is counted; it changes nothing. What a person
may have written goes on to the mailbox as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from twisted.logger import Logger

from bulkmail.inbound.received import Accepted, Received, Take
from bulkmail.mail import BulkmailError, Found, LateEvent, LateResult, OwnFault
from bulkmail.returns import LOOKED_AT, Kind, Verdict
from bulkmail.workers import WorkerLateError

_log = Logger("bulkmail")

_WITHIN = 30.0  # seconds for the reading of one message and of all that wait before it
_IDLE = frozenset({Kind.DELIVERED, Kind.RELAYED, Kind.EXPANDED})  # all is well: nothing follows

# one of these stands in every form of a complaint (`returns`); what has none is not read where it is for people
_COMPLAINING = (
    b"feedback-report",
    b"feedback-type",
    b"xarf",
    b"x-arf",
    b"application/json",
    b"complaint about message from",
)

Ask = Callable[[tuple[Any, ...], float | None], Awaitable[Any]]


class Records(Protocol):
    """What a report asks of `mail.ReturnPath`; the same is said of each there."""

    async def token_key(self) -> bytes:
        """Return the key that tokens are read with."""

    async def find(self, token: str) -> Found | None:
        """Return what is known of a token."""

    async def members(self, envelope_id: str, addresses: Sequence[str]) -> dict[str, str]:
        """Return the tokens of recipients of one transaction."""

    async def returned(self, token: str, event: LateEvent) -> Found | None:
        """Record a delivery report or an answer."""

    async def complained(self, token: str, event: LateEvent) -> Found | None:
        """Record a complaint."""

    async def unsubscribe(self, token: str, how: str, key: str = "") -> Found | None:
        """Record that the recipient wants no more of the list."""

    def unattributed(self, what: str) -> None:
        """Count what could not be attributed."""


class Reports:
    """Takes mail to our own addresses (`received.Take`).

    ``ask``: asks a process of `returns.Reader`. ``records``: records what comes back. ``unread``: keeps what was not
    understood. ``people``: takes what a person may have written.
    """

    def __init__(self, ask: Ask, records: Records, unread: Take, people: Take) -> None:
        self._ask = ask
        self._records = records
        self._unread = unread
        self._people = people

    async def __call__(self, received: Received) -> None:
        """Have done with a message. Raises Refusal or OwnFault."""
        fates = {await self._one(received, recipient) for recipient in received.recipients}
        if Kind.OTHER in fates:
            await self._people(received)
        elif None in fates:
            await self._unread(received)

    async def complaint(self, received: Received) -> bool:
        """Record a message to people where it is a complaint of a recipient; return whether it was. Raises OwnFault."""
        head = received.body.first(LOOKED_AT).lower()
        if not any(sign in head for sign in _COMPLAINING):
            return False
        verdict = await self._read(received, received.recipients[0], None)
        if verdict is None or verdict.kind != Kind.COMPLAINT:
            return False
        if verdict.event is None:
            self._records.unattributed(verdict.kind)
            return False
        return await self._recorded(verdict.token, verdict.event)

    async def _one(self, received: Received, recipient: Accepted) -> Kind | None:
        """Do what follows for one recipient; return what the message is, None where it is to be kept for a look."""
        found = await self._records.find(recipient.token) if recipient.token else None
        verdict = await self._read(received, recipient, found)
        if verdict is None:
            return None
        kind = Kind(verdict.kind)
        if kind in _IDLE:
            return kind
        if verdict.event is None and verdict.token and verdict.token != recipient.token.lower():
            found = await self._records.find(verdict.token)  # the token stands in what it encloses
            verdict = await self._read(received, recipient, found) or verdict
        if verdict.event is None and verdict.shares and await self._shared(verdict):
            return kind
        if verdict.event is None:
            self._records.unattributed(str(kind))
            return kind if kind is Kind.OTHER and not recipient.token else None  # a person's, to complaints@ or so
        return kind if await self._recorded(verdict.token, verdict.event) else None

    async def _shared(self, verdict: Verdict) -> bool:
        """Record what a report says of recipients of one message; return whether it was about any for certain."""
        tokens = await self._records.members(verdict.envelope_id, [address for address, _ in verdict.shares])
        known = [(tokens[address], event) for address, event in verdict.shares if address in tokens]
        return any([await self._recorded(token, event) for token, event in known])

    async def _recorded(self, token: str, event: LateEvent) -> bool:
        if event.result is LateResult.UNSUBSCRIBED:
            return await self._records.unsubscribe(token, "mail", event.key) is not None
        if event.result is LateResult.COMPLAINED:
            return await self._records.complained(token, event) is not None
        return await self._records.returned(token, event) is not None

    async def _read(self, received: Received, recipient: Accepted, found: Found | None) -> Verdict | None:
        """Have it read; None where the reader did not come to an end. Raises OwnFault where there is no reader."""
        address, number = ("", 0) if found is None or not found.number else (found.address, found.hash)
        key = await self._records.token_key()
        job = ("read", received.body.first(LOOKED_AT), recipient.address, received.sender, key, address, number)
        try:
            kind, reason, token, event, envelope_id, each = await self._ask(job, _WITHIN)
        except WorkerLateError:
            _log.warn("inbound: {id} was not read within {within:g} s", id=received.id, within=_WITHIN)
            return None
        except BulkmailError as error:
            raise OwnFault(f"what comes back cannot be read ({error})") from None
        told = None if event is None else _event(event)
        return Verdict(kind, reason, token, told, envelope_id, [(one, _event(own)) for one, own in each])


def _event(plain: Sequence[Any]) -> LateEvent:
    return LateEvent(LateResult(plain[0]), *plain[1:])
