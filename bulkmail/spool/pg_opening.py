"""Opening a shared spool: our own folder (lock, journal, identity), then the database, then our earlier lives.

The folder is what makes a machine the same one after a restart. It must not be copied to another machine: while the
original is heard of, a copy is refused.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from bulkmail.mail import OwnFault
from bulkmail.spool.copying import check_whole
from bulkmail.spool.front import Spool
from bulkmail.spool.journal import Journal, read_journal
from bulkmail.spool.leases import Leases
from bulkmail.spool.opening import JOURNAL, OneOfMany
from bulkmail.spool.pg_heart import Heart
from bulkmail.spool.pg_store import PostgresStore, check_not_elsewhere
from bulkmail.spool.place import Lock, boot_id, prepare
from bulkmail.spool.rows import Recovered
from bulkmail.spool.writer import Reactor, Writer

IDENTITY = "machine-id"
_LOOK_AGAIN = 0.5


async def open_shared(
    dsn: str,
    reactor: Reactor,
    *,
    machine: OneOfMany,
    clock: Callable[[], float],
    unknown_after: float,
    on_fault: Callable[[OwnFault | None], None] | None = None,
    boot: Callable[[], str] = boot_id,
) -> Spool:
    """Open the spool at ``dsn`` for this machine; see `open_spool`."""
    folder, name, lease, monotonic = machine
    writer = Writer(reactor)

    def told(text: str) -> None:
        if on_fault is not None:
            reactor.callFromThread(on_fault, OwnFault(text))

    try:
        opened = await writer.call(partial(open_all, dsn, folder, name, lease, boot(), unknown_after, clock(), told))
    except BaseException:
        await writer.stop()
        raise
    store, journal, lock, recovered = opened
    leases = Leases(store=store, writer=writer, reactor=reactor, monotonic=monotonic, on_fault=on_fault)
    leases.heart = Heart(
        dsn,
        epoch=store.epoch,
        lease=lease,
        reactor=reactor,
        monotonic=monotonic,
        beat=leases.beat,
        heard=leases.heard,
    )
    leases.heart.start()
    return Spool(
        store, journal, writer, reactor, clock=clock, lock=lock, recovered=recovered, on_fault=on_fault, leases=leases
    )


def open_all(
    dsn: str,
    folder: str,
    name: str,
    lease: float,
    boot: str,
    unknown_after: float,
    now: float,
    told: Callable[[str], None] | None = None,
) -> tuple[PostgresStore, Journal, Lock, Recovered]:
    """The same without a reactor, a thread or a heart."""
    prepare(folder)
    lock = Lock(folder)
    try:
        journalled = read_journal(os.path.join(folder, JOURNAL))
        store = PostgresStore(dsn, identity=_identity(folder), name=name, boot=boot, lease=lease, told=told)
        try:
            check_whole(store.database, dsn)
            _wait_for_silence(store, lease)
            check_not_elsewhere(store, folder)
            journal = Journal.open(os.path.join(folder, JOURNAL))
            recovered = store.recover(journalled, boot, unknown_after, now)
            journal.drop_older()
        except BaseException:
            store.close()
            raise
    except BaseException:
        lock.release()
        raise
    return store, journal, lock, recovered


def _identity(folder: str) -> str:
    path = os.path.join(folder, IDENTITY)
    try:
        with open(path, encoding="ascii") as file:
            known = file.read().strip()
        if known:
            return known
    except FileNotFoundError:
        pass
    made = uuid4().hex
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{made}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return made


def _wait_for_silence(store: PostgresStore, lease: float) -> None:
    """After a reboot this machine's last life is still on the books until its lease has run out."""
    pause = threading.Event()
    for _ in range(int((lease + 1) / _LOOK_AGAIN) + 1):
        store.beat()
        if not store.elsewhere():
            return
        pause.wait(_LOOK_AGAIN)
