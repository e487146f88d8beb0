"""Reading a spool in SQLite, never in the way of its writer.

The connection cannot write, so it cannot checkpoint either (SQLite before 3.51.3 may damage a file that two do).
"""

from __future__ import annotations

import os
import sqlite3
from urllib.parse import quote

from bulkmail.spool.contract import refused
from bulkmail.spool.place import in_use
from bulkmail.spool.reading import Reading
from bulkmail.spool.rows import Sign
from bulkmail.spool.signs import read_signs
from bulkmail.spool.sqlite.database import DATABASE, SQL, Database, check_version


class Reader(Reading):
    """What a file holds. ``path`` is the spool's directory or its database file.

    Raises Refused when there is no spool to read, OwnFault when it cannot be read later.
    """

    _knows_holds = 5
    _knows_lists = 7
    _knows_late_from = 8
    _knows_clicks = 9
    _knows_events = 10
    _knows_policies = 11

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
        self._folder = os.path.dirname(os.path.abspath(file))
        self._connection = connection
        self._db = Database(connection, file)

    def signs(self) -> list[Sign]:
        """Return the sign of life of the process that uses the spool, or has used it last."""
        with self._db.transaction("begin_reading"):
            last = max(read_signs(self._db), key=lambda sign: sign.at, default=None)
        holder = in_use(self._folder)
        if not holder:
            return [] if last is None else [last]
        process = int(holder) if holder.isdigit() else 0
        if last is None or last.process != process:
            return [Sign("", process, alive=True)]
        return [last._replace(alive=True)]

    def close(self) -> None:
        """Close the file, leaving it to its writer to tidy up."""
        self._connection.close()
