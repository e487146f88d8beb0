"""Private keys that an earlier version has left in a spool: taken out once, and out of the file's free pages too."""

from __future__ import annotations

from collections.abc import Callable

from bulkmail.spool.campaigns import ENDED
from bulkmail.spool.contract import Statements
from bulkmail.spool.stored import restore, store, without_keys

TO_SCRUB = "keys to take out"
"""The name in `meta` of what is left to be done: a migration sets it, and a copy into a folder."""


def scrub(database: Statements, *, ended_only: bool, rewrite: Callable[[], None] = lambda: None) -> None:
    """Replace keys by their fingerprints, and rewrite what is of an old format, where that was not done yet.

    ``ended_only``: campaigns that are not ended keep theirs. ``rewrite``: called before the end, where free pages of a
    file may still hold them. What breaks it off, the next start begins again. Raises
    OwnFault.
    """
    if database.execute("meta", (TO_SCRUB,)).fetchone() is None:
        return
    with database.transaction():
        for campaign_id, state in database.execute("campaign_states").fetchall():
            content = database.execute("snapshot", (campaign_id,)).fetchone()
            if content is not None:
                kept = restore(content[0])
                kept = kept if ended_only and state not in ENDED else without_keys(kept)
                database.execute("set_snapshot", (campaign_id, store(kept)))
            reading = database.execute("reading", (campaign_id,)).fetchone()
            if reading is not None:
                database.execute("set_reading", (campaign_id, store(restore(reading[0]))))
    rewrite()
    with database.transaction():
        database.execute("drop_meta", (TO_SCRUB,))
