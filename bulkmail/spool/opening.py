"""Opening the spool: lock, database, journal, recovery, in that order, in the writer's thread."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.spool.copying import check_whole
from bulkmail.spool.database import DATABASE, refused
from bulkmail.spool.front import Spool
from bulkmail.spool.journal import Journal, Journalled, read_journal
from bulkmail.spool.place import Lock, boot_id, prepare
from bulkmail.spool.rows import Recovered
from bulkmail.spool.shared import is_shared, postgres
from bulkmail.spool.store import SqliteStore
from bulkmail.spool.writer import Reactor, Writer

JOURNAL = "journal"


class OneOfMany(NamedTuple):
    """What a machine needs beside a shared spool's address.

    ``folder``: its own, for its journal and its identity. ``name``: what the others call it. ``lease``: the seconds
    after which they go on without it when it is not heard of.
    """

    folder: str
    name: str
    lease: float
    monotonic: Callable[[], float]


async def open_spool(
    place: str,
    reactor: Reactor,
    *,
    clock: Callable[[], float],
    unknown_after: float,
    on_fault: Callable[[OwnFault | None], None] | None = None,
    boot: Callable[[], str] = boot_id,
    machine: OneOfMany | None = None,
) -> Spool:
    """Lock, open and recover the spool in the directory ``place``, making it when there is none.

    ``clock`` is the wall clock; ``unknown_after`` how long an ambiguous message waits for its retry. Starts the writer
    thread: not before the process has daemonised. Raises Refused (in use, damaged, newer) or OwnFault. Where ``place``
    is the address of a database, others may use it too, and ``machine`` says who we are.
    """
    if is_shared(place):
        assert machine is not None
        open_shared: Callable[..., Awaitable[Spool]] = postgres("pg_opening").open_shared
        more = {"clock": clock, "unknown_after": unknown_after, "on_fault": on_fault, "boot": boot}
        return await open_shared(place, reactor, machine=machine, **more)
    directory = place
    writer = Writer(reactor)
    try:
        opened = await writer.call(partial(open_all, directory, boot(), unknown_after, clock()))
    except BaseException:
        await writer.stop()
        raise
    store, journal, lock, recovered = opened
    return Spool(store, journal, writer, reactor, clock=clock, lock=lock, recovered=recovered, on_fault=on_fault)


def open_all(
    directory: str, boot: str, unknown_after: float, now: float
) -> tuple[SqliteStore, Journal, Lock, Recovered]:
    """The same without a reactor or a thread."""
    prepare(directory)
    lock = Lock(directory)
    try:
        journalled = read_journal(os.path.join(directory, JOURNAL))
        store = _store(directory, journalled)
        try:
            check_whole(store.database, directory)
            # The new segment comes before the first claim, so claims without any journal mean that it was lost.
            journal = Journal.open(os.path.join(directory, JOURNAL))
            recovered = store.recover(journalled, boot, unknown_after, now)
            failpoint("after-recovery")
            journal.drop_older()
        except BaseException:
            store.close()
            raise
    except BaseException:
        lock.release()
        raise
    return store, journal, lock, recovered


def _store(directory: str, journalled: Journalled) -> SqliteStore:
    path = os.path.join(directory, DATABASE)
    if journalled.found and not os.path.exists(path):
        raise refused(path, "is missing, but its journal is there; restore the file, or remove both to begin anew")
    return SqliteStore(path)
