"""One SQLite file: made whole or not at all, opened or refused with a sentence, written in short transactions.

A new file is built aside and renamed, so a spool.sqlite3 that is empty or unknown was damaged, and is refused: starting
over with a fresh queue would send every message again. A file of an older version is brought up to date in one
transaction, after a copy of it was made beside it; whatever breaks that off, the next start finds a whole file. A
running writer's trouble (disk full, I/O error, locked) becomes OwnFault, and the transaction is rolled back; mistakes
of our own (a constraint, a wrong type) are raised as they are.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Any

from bulkmail.mail import OwnFault
from bulkmail.spool.contract import refused
from bulkmail.spool.queries import read_queries
from bulkmail.spool.sqlite.backup import back_up, sync

SQL, MIGRATIONS = read_queries("sql")
DATABASE = "spool.sqlite3"
MEMORY = ":memory:"
VERSION = MIGRATIONS[-1][0]
_APPLICATION = 0x424D5350  # "BMSP"
_TOGETHER = 50  # rows in one INSERT; with many columns 50 are well under SQLite's limit of 32,766 parameters
_BUGS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)


_VALUES = re.compile(r"VALUES (\((?:\?, )*\?\))\s*\Z").search
_MANY = {
    name: statement + f", {found[1]}" * (_TOGETHER - 1)
    for name, statement in SQL.items()
    if (found := _VALUES(statement)) is not None
}


class Database:
    """The connection and its named queries (`contract.Statements`). Belongs to the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self.path = path

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection."""
        return self._connection

    def execute(self, name: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Run the query called ``name``."""
        return self._connection.execute(SQL[name], parameters)

    def many(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run the query called ``name`` once for each of ``rows``, or for fifty at once where it is an INSERT.

        Around each step of a statement this thread releases the interpreter and asks for it again, for which it waits
        while the event loop runs at full speed: single rows take twice the CPU time then, and the loop waits too.
        """
        left = iter(rows)
        if together := _MANY.get(name):
            while len(some := list(islice(left, _TOGETHER))) == _TOGETHER:
                self._connection.execute(together, list(chain.from_iterable(some)))
            left = iter(some)
        self._connection.executemany(SQL[name], left)

    @contextmanager
    def transaction(self, begin: str = "begin") -> Iterator[None]:
        """Do all or nothing, durable at the end. Raises OwnFault when the file cannot be used."""
        try:
            self.execute(begin)
            yield
            self.execute("commit")
        except BaseException as error:
            # After a failed COMMIT the transaction may be open or gone: either way nothing of it must stay.
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.execute("rollback")
            if isinstance(error, sqlite3.Error | OSError) and not isinstance(error, _BUGS):
                raise OwnFault(f"the spool {self.path} cannot be used ({error})") from error
            raise

    def close(self) -> None:
        """Write the log into the file and close; a failure of that loses nothing."""
        with suppress(sqlite3.Error):
            self.execute("checkpoint")
        self._connection.close()


def open_database(path: str) -> Database:
    """Open the database at ``path``, or make it. Raises Refused; never replaces what it cannot read."""
    if sqlite3.sqlite_version_info < (3, 37):
        raise refused(path, f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed")
    try:
        if path != MEMORY and not os.path.exists(path):
            _create(path)
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        try:
            return _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise refused(
            path, f"cannot be used as a spool ({error}); restore it from a backup or use another directory"
        ) from error


def _create(path: str) -> None:
    if os.path.exists(path + "-wal"):
        raise refused(path, "is missing, but its log is there; restore the file, or remove both to begin anew")
    aside = path + ".new"
    with suppress(FileNotFoundError):
        os.unlink(aside)
    os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(aside, isolation_level=None)
    try:
        _migrate(connection)
        connection.execute(SQL["use_wal"])
    finally:
        connection.close()
    sync(aside)
    os.rename(aside, path)
    sync(os.path.dirname(path) or ".")


def _prepare(connection: sqlite3.Connection, path: str) -> Database:
    if path == MEMORY:
        _migrate(connection)
    version = check_version(connection, path)
    for pragma in ("use_wal", "synchronous", "cache_size", "autocheckpoint", "journal_size_limit", "temp_store"):
        mode = connection.execute(SQL[pragma]).fetchone()
        if pragma == "use_wal" and path != MEMORY and mode != ("wal",):
            raise refused(path, f"is on a file system without shared memory (journal mode {mode[0]}); use a local disk")
    if version < VERSION:
        _back_up(connection, path)
        _migrate(connection)
    database = Database(connection, path)
    # the journal mode of a file that cannot be written may well read "wal"
    connection.execute(SQL["begin"])
    connection.execute(SQL["rollback"])
    return database


def check_version(connection: sqlite3.Connection, path: str) -> int:
    """Return the file's version. Raises Refused where it is no spool, or one that a newer bulkmail has written."""
    if connection.execute(SQL["application_id"]).fetchone()[0] != _APPLICATION:
        raise refused(path, "is not a bulkmail spool (or it was damaged); restore it, or use another directory")
    version: int = connection.execute(SQL["user_version"]).fetchone()[0]
    if version > VERSION:
        raise refused(path, f"was written by a newer bulkmail (version {version}, this one knows {VERSION}); upgrade")
    return version


def _back_up(connection: sqlite3.Connection, path: str) -> None:
    copy = f"{path}.before-{VERSION}"
    try:
        back_up(connection, copy)
    except (sqlite3.Error, OSError) as error:
        raise refused(
            path, f"is of an older version and could not be copied to {copy} first ({error}); make room and start again"
        ) from error


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute(SQL["user_version"]).fetchone()[0]
    scripts = [script for number, script in MIGRATIONS if number > version]
    try:
        connection.executescript(f"{SQL['begin']};{''.join(scripts)}{SQL['commit']};")
    except BaseException:
        if connection.in_transaction:
            connection.execute(SQL["rollback"])
        raise
