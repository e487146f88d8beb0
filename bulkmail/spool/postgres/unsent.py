"""A shared spool from outside of the machines that send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bulkmail.spool.contract import check_whole
from bulkmail.spool.postgres.database import VERSION, PostgresDatabase, check_version, refused, words
from bulkmail.spool.postgres.tables import PostgresTables


@contextmanager
def opened(dsn: str) -> Iterator[tuple[PostgresDatabase, PostgresTables]]:
    """Open a spool for changes that its machines are notified of. Makes and changes no tables.

    Raises Refused where there is none of this version, OwnFault later.
    """
    database = PostgresDatabase(dsn)
    try:
        try:
            version = check_version(database)
        except psycopg.Error as error:
            raise refused(dsn, f"cannot be used ({words(error)})") from error
        if not version:
            raise refused(dsn, "is not there; nothing was ever sent from this spool")
        if version < VERSION:
            raise refused(
                dsn, f"is of an older version ({version}); a machine that is started on it brings it up to date"
            )
        check_whole(database, dsn)
        yield database, PostgresTables(database)
    finally:
        database.close()
