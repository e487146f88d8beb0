"""A copy of the database before its tables are changed, so that a way back exists."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress


def back_up(connection: sqlite3.Connection, path: str) -> None:
    """Copy the whole database to ``path``, in place of what is there: complete and on the disk, or not at all.

    Raises OSError or sqlite3.Error.
    """
    aside = path + ".new"
    try:
        with suppress(FileNotFoundError):
            os.unlink(aside)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(aside, isolation_level=None)) as copy:
            connection.backup(copy)
        sync(aside)
        os.rename(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise
    sync(os.path.dirname(path) or ".")


def sync(path: str) -> None:
    """Wait until what was written to this file, or renamed in this directory, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
