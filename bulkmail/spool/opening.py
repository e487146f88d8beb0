"""Opening the spool: lock, database, journal, recovery, in that order, in the writer's thread.

What is particular to a shared one is in `pg_opening`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.shaping import RetrySettings
from bulkmail.spool.copying import check_whole
from bulkmail.spool.database import DATABASE, refused
from bulkmail.spool.front import Spool
from bulkmail.spool.journal import Journal, Journalled, read_journal
from bulkmail.spool.place import Lock, boot_id, prepare
from bulkmail.spool.rows import Recovered
from bulkmail.spool.shared import is_shared, postgres
from bulkmail.spool.store import SqliteStore
from bulkmail.spool.writer import Reactor, Writer

if TYPE_CHECKING:
    from bulkmail.spool.leases import Leases
    from bulkmail.spool.pg_store import PostgresStore

JOURNAL = "journal"

Store = Union[SqliteStore, "PostgresStore"]
Make = Callable[[Journalled], Store]
Attach = Callable[[Any, Writer], "Leases | None"]


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
    retry: RetrySettings,
    on_fault: Callable[[OwnFault | None], None] | None = None,
    boot: Callable[[], str] = boot_id,
    machine: OneOfMany | None = None,
) -> Spool:
    """Lock, open and recover the spool in the directory ``place``, making it when there is none.

    ``clock`` is the wall clock; ``retry`` says when an ambiguous message is tried again. Starts the writer thread:
    not before the process has daemonised. Raises Refused (in use, damaged, newer) or OwnFault. Where ``place`` is the
    address of a database, others may use it too, and ``machine`` says who we are.
    """
    make: Make
    attach: Attach
    folder, make, attach = place, partial(_sqlite, place), _nobody_else
    if is_shared(place):
        assert machine is not None
        folder = machine.folder
        make, attach = postgres("pg_opening").shared(place, machine, boot(), reactor, on_fault)
    writer = Writer(reactor)
    try:
        opened = await writer.call(partial(open_all, folder, boot(), retry, clock(), make))
    except BaseException:
        await writer.stop()
        raise
    store, journal, lock, recovered = opened
    leases = attach(store, writer)
    return Spool(
        store, journal, writer, reactor, clock=clock, lock=lock, recovered=recovered, on_fault=on_fault, leases=leases
    )


def open_all(
    folder: str, boot: str, retry: RetrySettings, now: float, make: Make | None = None
) -> tuple[Store, Journal, Lock, Recovered]:
    """The same without a reactor or a thread. ``make``: opens a store that is not in the folder itself."""
    prepare(folder)
    lock = Lock(folder)
    try:
        journalled = read_journal(os.path.join(folder, JOURNAL))
        store = _sqlite(folder, journalled) if make is None else make(journalled)
        try:
            # The new segment comes before the first claim, so claims without any journal mean that it was lost.
            journal = Journal.open(os.path.join(folder, JOURNAL))
            try:
                recovered = store.recover(journalled, boot, retry, now)
                failpoint("after-recovery")
                journal.drop_older()
            except BaseException:
                journal.close()
                raise
        except BaseException:
            store.close()
            raise
    except BaseException:
        lock.release()
        raise
    return store, journal, lock, recovered


def _sqlite(directory: str, journalled: Journalled) -> SqliteStore:
    path = os.path.join(directory, DATABASE)
    if journalled.found and not os.path.exists(path):
        raise refused(path, "is missing, but its journal is there; restore the file, or remove both to begin anew")
    store = SqliteStore(path)
    try:
        check_whole(store.database, directory)
    except BaseException:
        store.close()
        raise
    return store


def _nobody_else(_store: Store, _writer: Writer) -> None:
    """A spool in a folder has no leases."""
