"""Changes of a spool that is not being sent from, for the command line.

A folder's spool is locked meanwhile, and refused while a process has it in use. A shared one is changed at any time:
its machines are notified, and obey.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bulkmail.spool.address import is_shared, postgres
from bulkmail.spool.booking import Booking
from bulkmail.spool.campaigns import Campaigns
from bulkmail.spool.contract import Statements, Tables, check_whole, refused
from bulkmail.spool.holding import TOGETHER, Tried, TryNow
from bulkmail.spool.holds import Holds
from bulkmail.spool.place import Lock, prepare
from bulkmail.spool.requests import check_held, check_not_ended, check_removable, chosen_by_hand, named
from bulkmail.spool.rows import AcceptRequest, CancelRequest, Hold
from bulkmail.spool.sqlite.database import DATABASE, Database, open_database
from bulkmail.spool.sqlite.tables import SqliteTables
from bulkmail.spool.suppressions import Suppressions


class Unsent(Campaigns, Holds, Suppressions):
    """The campaigns of a spool, what holds them and who is not mailed, for a process that sends nothing."""

    def __init__(self, database: Statements, tables: Tables) -> None:
        self._db = database
        self._tables = tables
        self.recall_events()


def forget_sites(address: str, site: str | None) -> int:
    """Forget what is known of one site (its key, or its first host), or of all (None); return how many facts.

    Raises Refused while a process has a folder's spool in use, for that one would write them again. The machines of a
    shared spool are notified.
    """
    if is_shared(address):
        count: int = postgres("sites").forget_sites(address, site)
        return count
    with _locked(address) as database, database.transaction():
        if site is None:
            return database.execute("forget_sites").rowcount
        return database.execute("forget_site", (site,)).rowcount


def hold_campaign(
    address: str,
    name: str,
    *,
    now: float,
    kind: str = "paused",
    provider: str = "",
    until: float | None = None,
    reason: str = "",
    who: str = "",
) -> None:
    """Hold a campaign from ``now`` (epoch seconds) on; see `rows.Hold`. Raises UnknownName, WrongState, Refused."""
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        check_not_ended(row, kind)
        spool.hold(Hold(row.id, kind, reason, now, provider, who, until))


def lift_hold(address: str, name: str, *, now: float, kind: str = "paused", provider: str = "") -> None:
    """Release what `hold_campaign` holds. Raises UnknownName, WrongState, Refused."""
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        spool.lift_due(now)
        check_held(row, spool.holds(), kind, provider)
        spool.lift(row.id, kind, provider, now)


def request_cancel(address: str, name: str, *, now: float, reason: str = "", who: str = "") -> None:
    """Ask for the end of a campaign, for good. The next process that opens it settles its rows and writes its report.

    Raises UnknownName, WrongState, Refused.
    """
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        check_not_ended(row, "cancelled")
        spool.request_cancel(CancelRequest(row.id, reason, who, now))


def choose_winner(address: str, name: str, variant: str, *, now: float, who: str = "") -> None:
    """Choose the variant that those get who are in none. Raises UnknownName, WrongState, Refused."""
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        check_not_ended(row, "changed")
        spool.save_winner(row.id, chosen_by_hand(row.name, spool.content(row.id), spool.winner(row.id), variant, who))
        spool.lift(row.id, "winner", "", now)


def try_now(address: str, name: str, *, now: float, provider: str = "", site: str = "", who: str = "") -> Tried:
    """Make the deferred rows of a campaign due; see `holding.TryNow`. Raises UnknownName, WrongState, Refused."""
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        check_not_ended(row, "tried now")
        asked = TryNow(row.id, now, provider, site, who)
        rows = doubtful = 0
        found = Tried(after=0)
        while found.after is not None:
            found = spool.try_now(asked, found.after, TOGETHER)
            rows, doubtful = rows + found.rows, doubtful + found.doubtful
        return Tried(rows, doubtful)


def request_accept(address: str, name: str, *, now: float, who: str = "") -> None:
    """Ask that what was changed in a campaign's files is taken: by the machine that has them, or at the next start.

    Raises UnknownName, WrongState, Refused.
    """
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        check_not_ended(row, "changed")
        spool.request_accept(AcceptRequest(row.id, who, now))


def remove_campaign(
    address: str, name: str, progress: Callable[[], None] = lambda: None, *, without_report: bool = False
) -> None:
    """Remove a campaign that has ended from the spool, some thousand rows at a time; ``progress()`` after each.

    Its report stays. What breaks it off, the next call goes on with. Its report must be whole, unless
    ``without_report``, or its folder is gone (which is not known of a shared spool). Raises UnknownName, WrongState,
    Refused.
    """
    with unsent(address) as spool:
        row = named(spool.campaigns(), name)
        gone = not is_shared(address) and not os.path.lexists(row.folder)
        whole = spool.has_whole_report(row.id)
        check_removable(row, whole_report=whole, without_report=without_report or gone)
        while not spool.remove_campaign(row.id):
            progress()


@contextmanager
def unsent(address: str, *, make: bool = False) -> Iterator[Unsent]:
    """Open a spool that is not being sent from; see the module. ``make``: one that is not there too. Raises Refused."""
    if make and is_shared(address):
        postgres("database").open_database(address).close()
    elif make:
        prepare(address)
    if is_shared(address):
        with postgres("unsent").opened(address) as (database, tables):
            yield Unsent(database, tables)
        return
    with _locked(address, make=make) as database:
        check_whole(database, address)
        yield Unsent(database, SqliteTables(database, Booking()))


@contextmanager
def _locked(address: str, *, make: bool = False) -> Iterator[Database]:
    path = os.path.join(address, DATABASE)
    if not make and not os.path.exists(path):
        raise refused(path, "is not there; nothing was ever sent from this spool")
    lock = Lock(address)
    try:
        database = open_database(path)
        try:
            yield database
        finally:
            database.close()
    finally:
        lock.release()
