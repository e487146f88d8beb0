"""Puts together what waits for approvals and what watches the drop folder, and sends the campaign of ``-c``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.logger import Logger

from bulkmail.delivery.lifecycle.approving import Approving, WithdrawnError
from bulkmail.delivery.lifecycle.campaigns import Campaigns
from bulkmail.delivery.lifecycle.checking import Checking
from bulkmail.delivery.lifecycle.drop_folder import DropFolderWatch
from bulkmail.delivery.lifecycle.looking_over import LookingOver
from bulkmail.delivery.lifecycle.marks import Marks
from bulkmail.delivery.lifecycle.opening import Prepared
from bulkmail.exit_status import STOPPED
from bulkmail.settings import Settings
from bulkmail.spool import CampaignRow, Spool

_log = Logger("bulkmail")


def folders(
    reactor: Any, settings: Settings, spool: Spool, campaigns: Campaigns, checking: Checking, root: str | None
) -> tuple[Approving, DropFolderWatch | None]:
    """Return what waits for approvals, and what watches the folder ``root``, where there is one."""
    required = settings.approval == "required" or (settings.approval == "auto" and root is not None)
    over = LookingOver(reactor, None if settings.file is None else settings.file.path)
    steering = campaigns.steering
    asking = Approving(reactor=reactor, spool=spool, steering=steering, looking_over=over, required=required)
    if root is None:
        return asking, None
    return asking, DropFolderWatch(
        reactor=reactor,
        campaigns=campaigns,
        checking=checking,
        root=root,
        approving=asking,
        marks=Marks(spool=spool, steering=steering, withdraw=asking.withdraw),
    )


async def sent(campaigns: Campaigns, asking: Approving | None, prepared: Prepared, *, accept_changes: bool) -> int:
    """Send one campaign once it is approved, where that is asked for; its exit status. Raises Refused."""

    async def before(row: CampaignRow) -> None:
        if asking is not None:
            await asking.passed(prepared, row, partial(_say, row.name))

    try:
        return await campaigns.send(prepared, accept_changes=accept_changes, before=before)
    except WithdrawnError as error:
        _log.info("{campaign}: {why}", campaign=prepared.campaign.name, why=error)
        return STOPPED


def _say(name: str, word: str, lines: Sequence[str]) -> None:
    """Tell in the log what the STATUS.txt of a watched folder says."""
    _log.info("{word}: {lines}", word=word, lines=" ".join(lines), campaign=name)
