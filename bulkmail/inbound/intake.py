"""What becomes of a message: reports go to their reader, everything else through the filters and to a mailbox.

A complaint counts wherever it came: who has no address for complaints of ours sends them to abuse@, and people there
get it as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from twisted.logger import Logger

from bulkmail.inbound.lines import Lines
from bulkmail.inbound.received import Purpose, Received, Refusal, Take
from bulkmail.inbound.trace import goes_in_circles
from bulkmail.mail import OwnFault

_log = Logger("bulkmail")

_MINUTE = 60.0  # seconds


class Filter(Protocol):
    """Looks at a message."""

    def __call__(self, received: Received, /) -> Awaitable[bytes]:
        """Return header lines to be added. Raises Refusal for what is not wanted, OwnFault where it cannot tell."""


class Filtered:
    """A mailbox behind filters. ``clock``: monotonic seconds; of a filter that is down one line a minute is written."""

    def __init__(self, mailbox: Take, filters: Sequence[Filter], clock: Callable[[], float]) -> None:
        self._mailbox = mailbox
        self._clock = clock
        self._filters = [(one, Lines(_error, clock, 1, _MINUTE)) for one in filters]

    async def __call__(self, received: Received) -> None:
        """Have it looked at, and kept. Raises Refusal or OwnFault."""
        if goes_in_circles(received):
            raise Refusal(554, "5.4.6", "The message goes in circles")
        added = b""
        for look, faults in self._filters:
            try:
                added += await look(received)
            except OwnFault as fault:
                faults.say(f"inbound: {fault}; clients are told to try again")
                raise Refusal(451, "4.7.1", "The message could not be looked at; try again later") from None
        if self._clock() >= received.until:
            raise OwnFault("its filters took too long")  # the client has its 451, and brings the message again
        await self._mailbox(replace(received, body=received.body.below(added)) if added else received)

    def close(self) -> None:
        """Tell what was left out of the log."""
        for _, faults in self._filters:
            faults.close()


def _error(text: str) -> None:
    _log.error("{text}", text=text)


class Intake:
    """The sink of the server. ``reports``: where reports and unsubscribes go; ``people``: where all else goes.

    ``complaint``: records a message to people where it is a complaint of a recipient; returns whether it was one.
    """

    def __init__(self, reports: Take, complaint: Callable[[Received], Awaitable[bool]], people: Take) -> None:
        self._reports = reports
        self._complaint = complaint
        self._people = people

    async def __call__(self, received: Received) -> None:
        """Have it kept. Raises Refusal or OwnFault.

        A report is not filtered: it quotes a letter of ours, and what a filter says of that is no reason to lose it. So
        what a filter or the mailbox says of a complaint to people is no reason to have it sent again.
        """
        if received.purpose is not Purpose.FORWARD:
            await self._reports(received)
            return
        counted = await self._complaint(received)
        try:
            await self._people(received)
        except Refusal as refusal:
            if not counted or not refusal.permanent:
                raise
            _log.info(
                "inbound: {id} is a complaint, and counts; people do not get it: {why}", id=received.id, why=refusal
            )
