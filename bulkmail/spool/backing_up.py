"""A backup of a spool in a folder, also while it is sent from.

The copy is the database as it was at one instant; the writer does not wait for it. It does not know what was sent after
that instant, so every campaign in it that had not ended is held: a spool that is restored sends nothing before a person
has compared it with the reports. Rows that were claimed at that instant are ambiguous in it, as after a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import quote

from bulkmail.mail import BulkmailError
from bulkmail.spool.address import is_shared
from bulkmail.spool.campaigns import ENDED
from bulkmail.spool.contract import check_whole, refused
from bulkmail.spool.maintenance import unsent
from bulkmail.spool.rows import Hold
from bulkmail.spool.sqlite.backup import back_up
from bulkmail.spool.sqlite.database import DATABASE, Database, check_version


def back_up_spool(address: str, target: str, now: float) -> int:
    """Copy the spool in the folder ``address`` into the folder ``target``, which is made; ``now``: epoch seconds.

    Returns how many campaigns are held in the copy. Raises Refused where there is no spool, or the target holds
    something, BulkmailError where it cannot be written, and for a shared spool, which has tools of its own.
    """
    if is_shared(address):
        words = "a spool in PostgreSQL is backed up with PostgreSQL's own tools, such as pg_dump --format=custom"
        raise BulkmailError(words)
    source, copy = os.path.join(address, DATABASE), os.path.join(target, DATABASE)
    if not os.path.exists(source):
        raise refused(source, "is not there; nothing was ever sent from this spool")
    try:
        os.makedirs(target, mode=0o700, exist_ok=True)
        if os.listdir(target):
            raise refused(target, "is not empty; name a folder that is not there yet")
        with closing(sqlite3.connect(f"file:{quote(os.path.abspath(source))}?mode=ro", uri=True)) as connection:
            check_version(connection, source)
            check_whole(Database(connection, source), address)
            back_up(connection, copy)
    except (OSError, sqlite3.Error) as error:
        raise BulkmailError(f"{copy} cannot be written: {error}") from None
    return _hold_all(target, now)


def _hold_all(target: str, now: float) -> int:
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    reason = f"this spool is a backup of {at}; compare what was sent since with the report before you resume"
    with unsent(target) as spool:
        held = [row for row in spool.campaigns() if row.state not in ENDED]
        for row in held:
            spool.hold(Hold(row.id, "paused", reason, now, who="backup"))
    return len(held)
