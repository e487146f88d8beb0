"""Opening a spool to read it, without a lock, a writer's thread or an event loop; the daemon may have it in use."""

from __future__ import annotations

import os

from bulkmail.spool.address import is_shared, postgres
from bulkmail.spool.reading import Reading
from bulkmail.spool.sqlite.database import DATABASE
from bulkmail.spool.sqlite.reader import Reader


def find_reader(address: str) -> Reading | None:
    """Return a reader as `open_reader` does, None where there is no spool yet. Raises Refused."""
    if not is_shared(address):
        return Reader(address) if os.path.exists(os.path.join(address, DATABASE)) else None
    return postgres("reader").find_reader(address)  # type: ignore[no-any-return]


def open_reader(address: str) -> Reading:
    """Return a reader of the spool in a folder, or at a ``postgresql://`` address. Raises Refused."""
    if not is_shared(address):
        return Reader(address)
    return postgres("reader").PostgresReader(address)  # type: ignore[no-any-return]
