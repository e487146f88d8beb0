"""Reading a spool in SQLite, never in the way of its writer.

The connection cannot write, so it cannot checkpoint either (SQLite before 3.51.3 may damage a file that two do).
"""

from __future__ import annotations

import os
import sqlite3
from urllib.parse import quote

from bulkmail.spool.contract import refused
from bulkmail.spool.reading import Reading
from bulkmail.spool.sqlite.database import DATABASE, SQL, Database, check_version


class Reader(Reading):
    """What a file holds. ``path`` is the spool's directory or its database file.

    Raises Refused when there is no spool to read, OwnFault when it cannot be read later.
    """

    _knows_holds = 5

    def __init__(self, path: str) -> None:
        file = os.path.join(path, DATABASE) if os.path.isdir(path) else path
        if not os.path.exists(file):
            raise refused(file, "is not there; nothing was ever sent from this spool")
        try:
            connection = sqlite3.connect(
                f"file:{quote(os.path.abspath(file))}?mode=ro", uri=True, isolation_level=None, cached_statements=64
            )
            try:
                self._version = check_version(connection, file)
                connection.execute(SQL["query_only"])
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            words = "; is its disk read-only, or does it belong to another user?"  # SQLite's log needs to be written
            raise refused(file, f"cannot be read ({error}){words}") from error
        self._connection = connection
        self._db = Database(connection, file)

    def close(self) -> None:
        """Close the file, leaving it to its writer to tidy up."""
        self._connection.close()
