"""A campaign waits until a person has approved exactly this content.

The wait is a hold of kind ``approval`` in the spool, so that every command and every process knows of it; its reason
names the content by the first digits of its hash. It is released by the file APPROVED in the folder, or by ``bulkmail
approve``. What is changed meanwhile is another content: it is checked again and asked for again, and an APPROVED that
was there before it was asked for counts for nothing and is put aside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from bulkmail.campaign import PLAN_FILE, Campaign, put_aside, said_by
from bulkmail.delivery.background import Once
from bulkmail.delivery.lifecycle.looking_over import LookingOver
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.delivery.lifecycle.refusals import Refusals
from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import BulkmailError, OwnFault, Word
from bulkmail.spool import READY, CampaignRow, Spool

_log = Logger("bulkmail")

APPROVED = "APPROVED"
APPROVAL = "approval"  # the kind of hold
_EARLY = {
    APPROVED: f"The file {APPROVED} was put before there was anything to look at, and does not count: put it again.",
    "ACCEPT": f"The file ACCEPT takes a change of a campaign that is being sent; this one waits for {APPROVED}.",
}
_EVERY = 1.0  # seconds between two looks whether it was approved
_STANDS = 5  # looks: longer than the watched folder needs to see that a file has changed
_DIGITS = 12
_CONTENT = re.compile(r"\(content ([0-9a-f]+)\)$")


class WithdrawnError(BulkmailError):
    """The wait is over without an approval: the files have changed, the folder is gone, or the service stops."""


class Approving:
    """Asks for the approval of campaigns that were not started yet, and waits for it.

    ``required``: whether it is asked for where campaign.yaml says nothing.
    """

    def __init__(
        self, *, reactor: Any, spool: Spool, steering: Steering, looking_over: LookingOver, required: bool
    ) -> None:
        self._reactor = reactor
        self._spool = spool
        self._steering = steering
        self._refusals = Refusals(spool, steering)
        self._looking_over = looking_over
        self._required = required
        self._waiting: dict[str, int] = {}  # folder -> at how many looks in a row APPROVED was there
        self._withdrawn: dict[str, str] = {}  # folder -> why nothing is waited for any more
        self._stopped = False

    def stop(self) -> None:
        """End every wait; the next start asks for nothing that was asked for before."""
        self._stopped = True
        self._looking_over.stop()

    def withdraw(self, folder: str, why: str) -> None:
        """End the wait for the campaign in ``folder``, if there is one."""
        if folder in self._waiting:
            self._withdrawn[folder] = why

    async def passed(self, prepared: Prepared, row: CampaignRow, say: Callable[[str, Sequence[str]], None]) -> None:
        """Return when the campaign is approved, or cancelled. ``say(word, lines)`` writes its STATUS.txt.

        Nothing is asked for that was approved, or started, before. Raises Refused where the check finds errors,
        WithdrawnError, OwnFault.
        """
        asks = prepared.campaign.approval == "required" if prepared.campaign.approval else self._required
        if row.state != READY or not asks:
            return
        campaign, folder = prepared.campaign, prepared.campaign.folder
        content = prepared.content_hash[:_DIGITS]
        asked = await self._asked(row)
        if asked is None and await self._spool.held_times(row.id):
            return  # it was approved while no service ran
        tested: Sequence[str] = campaign.test_to
        early: list[str] = []
        if asked != content:
            put_aside(folder, APPROVED)
            say(Word.CHECKING, ["The campaign is being checked, and messages to look at are being made."])
            tested = await self._looked_over(campaign, row)
            early = [line for mark, line in _EARLY.items() if put_aside(folder, mark)]
            reason = f"look at preview/ and {PLAN_FILE}, then put a file {APPROVED} beside them (content {content})"
            await self._steering.hold(row.name, APPROVAL, reason=reason)
        say(Word.APPROVAL, _words(campaign, tested, early))
        self._waiting[folder] = 0
        try:
            await self._released(row, folder)
        finally:
            del self._waiting[folder]
            self._withdrawn.pop(folder, None)

    async def _looked_over(self, campaign: Campaign, row: CampaignRow) -> Sequence[str]:
        """Make what is looked at; what the check refuses stands in the spool too."""
        # from now on only an approval ends the hold: one that was not asked for yet cannot be taken for approved
        await self._steering.hold(row.name, APPROVAL, reason="it is being checked")
        await self._refusals.checking(row)
        try:
            return await self._looking_over.over(campaign)
        except BulkmailError as error:
            if not self._stopped:
                await self._refusals.tell(row.name, error)
            raise
        finally:
            await self._refusals.checked(row)

    async def _asked(self, row: CampaignRow) -> str | None:
        """Return the content that an approval is waited for already."""
        for hold in await self._spool.holds():
            if (hold.campaign_id, hold.kind) == (row.id, APPROVAL):
                found = _CONTENT.search(hold.reason)
                return found[1] if found else ""
        return None

    def _stands(self, folder: str) -> bool:
        """Return whether the file APPROVED has been there for longer than a change of the files stays unnoticed."""
        there = os.path.lexists(os.path.join(folder, APPROVED))
        self._waiting[folder] = self._waiting[folder] + 1 if there else 0
        return self._waiting[folder] > _STANDS

    async def _released(self, row: CampaignRow, folder: str) -> None:
        failed = Once(_log.error)
        while True:
            if self._stopped:
                raise WithdrawnError("the service is being stopped")
            if folder in self._withdrawn:
                raise WithdrawnError(self._withdrawn[folder])
            try:
                if self._stands(folder):
                    await self._steering.release(row.name, APPROVAL, who=said_by(folder, APPROVED))
                now = await self._spool.campaign(row.name)
                if now is None or now.id != row.id:
                    raise WithdrawnError(f"{row.name} was removed from the spool")
                if now.state != READY or await self._asked(row) is None:
                    return
            except OwnFault as fault:
                failed(str(fault), "{campaign}: whether it was approved cannot be read: {text}", campaign=row.name)
            await deferLater(self._reactor, _EVERY)


def _words(campaign: Campaign, tested: Sequence[str], early: Sequence[str]) -> list[str]:
    looks = (
        "Nothing is sent before this campaign is approved. preview/ has messages as they would be sent, plan.txt says "
        "how many people get one and how long it takes, check.csv what is odd about single rows."
    )
    how = (
        f"To approve it, put a file {APPROVED} into this folder, with your name in it, or run "
        f"`bulkmail approve {campaign.name}`."
    )
    lines = [looks, *early]
    if tested:
        lines.append(f"A test message was sent to {', '.join(tested)}.")
    lines += [
        "",
        how,
        "To change something, change the files: it is checked again, and asked for again.",
        "To give it up, put a file CANCEL into this folder.",
    ]
    return lines
