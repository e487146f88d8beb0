"""Opening the spool: lock, database, journal, recovery, in that order, in the writer's thread.

Here and in `readers` alone it is chosen which database a spool is in. What is particular to a shared one is in
`postgres.opening`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.shaping import AutoSuppression, RetrySettings
from bulkmail.spool.address import is_shared, postgres
from bulkmail.spool.contract import Store, check_whole, refused
from bulkmail.spool.front import Spool
from bulkmail.spool.journal import Journal, Journalled, read_journal
from bulkmail.spool.place import Lock, boot_id, prepare
from bulkmail.spool.postgres.leases import Leases
from bulkmail.spool.rows import EventBounds, Recovered
from bulkmail.spool.shared import OneOfMany
from bulkmail.spool.sqlite.database import DATABASE
from bulkmail.spool.sqlite.store import SqliteStore
from bulkmail.spool.writer import Reactor, Writer

JOURNAL = "journal"

Make = Callable[[Journalled], Store]
Attach = Callable[[Any, Writer], Leases | None]


async def open_spool(
    address: str,
    reactor: Reactor,
    *,
    clock: Callable[[], float],
    retry: RetrySettings,
    on_fault: Callable[[OwnFault | None], None] | None = None,
    boot: Callable[[], str] = boot_id,
    machine: OneOfMany | None = None,
    rules: AutoSuppression | None = None,
    events: EventBounds | None = None,
) -> Spool:
    """Lock, open and recover the spool in the folder ``address``, making it when there is none.

    ``clock`` is the wall clock; ``retry`` says when an ambiguous message is tried again, ``rules`` whom the outcomes of
    attempts suppress, ``events`` how long events are kept (None: none are noted). Starts the writer thread: not before
    the process has daemonised. Raises Refused (in use, damaged, newer) or OwnFault. Where ``address`` is a database's,
    other machines may use it too, and ``machine`` says which of them this is.
    """
    make: Make
    attach: Attach
    folder, make, attach = address, partial(_sqlite, address), _no_leases
    if is_shared(address):
        assert machine is not None
        folder = machine.folder
        make, attach = postgres("opening").shared(address, machine, boot(), reactor, on_fault)
    writer = Writer(reactor)
    try:
        opened = await writer.call(partial(open_all, folder, boot(), retry, clock(), make, rules, events))
    except BaseException:
        await writer.stop()
        raise
    store, journal, lock, recovered = opened
    leases = attach(store, writer)
    return Spool(
        store, journal, writer, reactor, clock=clock, lock=lock, recovered=recovered, on_fault=on_fault, leases=leases
    )


def open_all(
    folder: str,
    boot: str,
    retry: RetrySettings,
    now: float,
    make: Make | None = None,
    rules: AutoSuppression | None = None,
    events: EventBounds | None = None,
) -> tuple[Store, Journal, Lock, Recovered]:
    """Do the same without a reactor or a thread. ``make``: opens a store that is not in the folder itself."""
    prepare(folder)
    lock = Lock(folder)
    try:
        journalled = read_journal(os.path.join(folder, JOURNAL))
        store = _sqlite(folder, journalled) if make is None else make(journalled)
        store.rules = rules
        try:
            store.remember_events(events)
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


def _no_leases(_store: Store, _writer: Writer) -> None:
    """Attach nothing: a spool in a folder has no leases."""
