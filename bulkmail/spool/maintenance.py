"""Changes of a spool that is not being sent from, for the command line."""

from __future__ import annotations

import os

from bulkmail.spool.address import is_shared, postgres
from bulkmail.spool.contract import refused
from bulkmail.spool.place import Lock
from bulkmail.spool.sqlite.database import DATABASE, open_database


def forget_sites(address: str, site: str | None) -> int:
    """Forget what is known of one site (its key, or its first host), or of all (None); return how many facts.

    Raises Refused while a process has a folder's spool in use, for that one would write them again. The machines of a
    shared spool are notified.
    """
    if is_shared(address):
        count: int = postgres("sites").forget_sites(address, site)
        return count
    path = os.path.join(address, DATABASE)
    if not os.path.exists(path):
        raise refused(path, "is not there; nothing was ever sent from this spool")
    lock = Lock(address)
    try:
        database = open_database(path)
        try:
            with database.transaction():
                if site is None:
                    return database.execute("forget_sites").rowcount
                return database.execute("forget_site", (site,)).rowcount
        finally:
            database.close()
    finally:
        lock.release()
