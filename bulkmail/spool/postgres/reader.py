"""Reading a spool in PostgreSQL. Every call is one statement, which sees one state."""

from __future__ import annotations

import psycopg

from bulkmail.spool.postgres.database import PostgresDatabase, check_version, refused, words
from bulkmail.spool.reading import Reading


class PostgresReader(Reading):
    """What a database holds. Raises Refused when there is no spool to read, OwnFault when it cannot be read later."""

    _knows_holds = 7
    _knows_lists = 9
    _knows_late_from = 10
    _knows_clicks = 11
    _knows_events = 12
    _knows_policies = 13

    def __init__(self, dsn: str) -> None:
        database, version = _open(dsn)
        if not version:
            database.close()
            raise refused(dsn, "is not there; nothing was ever sent from this spool")
        self._db = database
        self._version = version


def find_reader(dsn: str) -> PostgresReader | None:
    """Return a reader, None where the database has no spool yet. Raises Refused."""
    database, version = _open(dsn)
    database.close()
    return PostgresReader(dsn) if version else None


def _open(dsn: str) -> tuple[PostgresDatabase, int]:
    database = PostgresDatabase(dsn)
    try:
        return database, check_version(database)
    except psycopg.Error as error:
        database.close()
        raise refused(dsn, f"cannot be read ({words(error)})") from error
    except BaseException:
        database.close()
        raise
