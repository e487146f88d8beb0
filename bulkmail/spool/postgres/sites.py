"""Forgetting what is known of sites, from outside of the machines that send."""

from __future__ import annotations

import psycopg

from bulkmail.spool.postgres.database import SITES, PostgresDatabase, check_version, refused, words
from bulkmail.spool.sites import KNOWS_SITES


def forget_sites(dsn: str, site: str | None) -> int:
    """Forget what is known of one site, or of all (None), and notify the machines; return how many facts that were.

    Makes and changes no tables. Raises Refused, OwnFault.
    """
    database = PostgresDatabase(dsn)
    try:
        if check_version(database) < KNOWS_SITES:
            raise refused(dsn, "is not there, or of a version that remembers nothing of sites")
        return _forget(database, site)
    except psycopg.Error as error:
        raise refused(dsn, f"cannot be used ({words(error)})") from error
    finally:
        database.close()


def _forget(database: PostgresDatabase, site: str | None) -> int:
    with database.transaction():
        if site is None:
            count = database.execute("forget_sites").rowcount
        else:
            count = database.execute("forget_site", {"site": site}).rowcount
        database.notify(SITES)
    return count
