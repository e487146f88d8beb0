"""Refusals in the spool: a campaign that cannot be sent as it is says so there too, for every command and monitor.

A refusal is a hold of kind ``refused``, and a check under way one of kind ``checking``. Neither takes time from the
campaign's rows.
"""

from __future__ import annotations

from collections.abc import Callable

from bulkmail.delivery.lifecycle.steering import Steering
from bulkmail.mail import BulkmailError, Refused
from bulkmail.spool import READY, CampaignRow, Spool, check_not_ended, named

_REFUSED, _CHECKING = "refused", "checking"  # kinds of holds


class Refusals:
    """Tells refusals and checks of the campaigns of one spool. Each method raises OwnFault."""

    def __init__(self, spool: Spool, steering: Steering) -> None:
        self._spool = spool
        self._steering = steering
        self._told: Callable[[int], None] = lambda _: None

    def on_told(self, told: Callable[[int], None]) -> None:
        """Call ``told`` with the id of a campaign that was refused after it was begun."""
        self._told = told

    async def tell(self, name: str, error: BulkmailError) -> None:
        """Say that a campaign that has not ended cannot be sent as it is. Raises WrongState for one that has.

        On a shared spool only of one that was never sent: another machine may be sending it.
        """
        row = named(await self._spool.campaigns(), name)
        check_not_ended(row, _REFUSED)
        if self._spool.leases is None or row.state == READY:
            first, *more = error.problems if isinstance(error, Refused) else [error]
            further = f" (and {len(more):,} more; STATUS.txt in its folder has them)" if more else ""
            await self._steering.hold(name, _REFUSED, reason=f"{first}{further}")
            if row.state != READY:
                self._told(row.id)

    async def taken_up(self, row: CampaignRow) -> None:
        """Release the hold of a campaign that is opened: its files are right."""
        await self._drop(row, _REFUSED)

    async def checking(self, row: CampaignRow) -> None:
        """Hold a campaign while messages to look at are being made, until `checked`."""
        await self._steering.hold(row.name, _CHECKING, reason="messages to look at are being made")

    async def checked(self, row: CampaignRow) -> None:
        """Release that hold: the check has ended, whatever came of it."""
        await self._drop(row, _CHECKING)

    async def _drop(self, row: CampaignRow, kind: str) -> None:
        if any((hold.campaign_id, hold.kind) == (row.id, kind) for hold in await self._spool.holds()):
            await self._steering.release(row.name, kind)
