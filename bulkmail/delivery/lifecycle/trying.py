"""Deferred recipients of a campaign that a person wants to be tried at once, instead of when their wait is over.

They become due in the spool, some thousand in a transaction; what breaks it off, the next request goes on with. From
there they are claimed as any other row is: holds, suspended sites, rates and the days of a warm-up count as before.
"""

from __future__ import annotations

from collections.abc import Collection

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.queueing import Feeder
from bulkmail.mail import check_name
from bulkmail.spool import TOGETHER, Spool, Tried, TryNow, check_not_ended, named

_log = Logger("bulkmail")


class Trying:
    """Makes waiting rows due. ``providers``: the names there are."""

    def __init__(self, spool: Spool, feeder: Feeder, clocks: Clocks, providers: Collection[str]) -> None:
        self._spool = spool
        self._feeder = feeder
        self._clocks = clocks
        self._providers = providers

    async def try_now(self, name: str, *, provider: str = "", site: str = "", who: str = "") -> Tried:
        """Make the deferred rows of a campaign due; see `spool.TryNow`. Raises UnknownName, WrongState, OwnFault.

        Returns how many rows are due now, and how many wait on because a copy may have arrived.
        """
        if provider:
            check_name("provider", provider, self._providers)
        row = named(await self._spool.campaigns(), name)
        check_not_ended(row, "tried now")
        await self._spool.flushed()
        asked = TryNow(row.id, self._clocks.wall(), provider, site.lower(), who)
        rows = doubtful = 0
        found = Tried(after=0)
        while found.after is not None:
            found = await self._spool.try_now(asked, found.after, TOGETHER)
            rows, doubtful = rows + found.rows, doubtful + found.doubtful
            if found.rows:
                self._feeder.rescan()
        _log.info(
            "{campaign}: {rows} deferred rows are tried at once{at}{by}",
            campaign=name,
            rows=rows,
            provider=provider,
            site=site,
            at="".join(f" at {one}" for one in (provider, site) if one),
            by=f", asked for by {who}" if who else "",
        )
        return Tried(rows, doubtful)
