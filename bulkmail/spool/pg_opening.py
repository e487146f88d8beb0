"""What opening a shared spool has of its own: the machine's identity in its folder, and the heart behind its leases.

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
from bulkmail.spool.journal import Journalled
from bulkmail.spool.leases import Leases
from bulkmail.spool.opening import OneOfMany
from bulkmail.spool.pg_heart import Heart
from bulkmail.spool.pg_store import PostgresStore, check_not_elsewhere
from bulkmail.spool.writer import Reactor, Writer

IDENTITY = "machine-id"
_LOOK_AGAIN = 0.5


def shared(
    dsn: str,
    machine: OneOfMany,
    boot: str,
    reactor: Reactor,
    on_fault: Callable[[OwnFault | None], None] | None,
) -> tuple[Callable[[Journalled], PostgresStore], Callable[[PostgresStore, Writer], Leases]]:
    """For `opening`: how the store is made, and what is attached to it once it is open: leases, and their heart."""
    folder, name, lease, monotonic = machine

    def told(text: str) -> None:
        if on_fault is not None:
            reactor.callFromThread(on_fault, OwnFault(text))

    def attach(store: PostgresStore, writer: Writer) -> Leases:
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
        return leases

    return partial(make_store, dsn, folder, name, lease, boot, told), attach


def make_store(
    dsn: str, folder: str, name: str, lease: float, boot: str, told: Callable[[str], None] | None, _: object = None
) -> PostgresStore:
    """The store of this machine, in a new life. Raises Refused."""
    store = PostgresStore(dsn, identity=_identity(folder), name=name, boot=boot, lease=lease, told=told)
    try:
        check_whole(store.database, dsn)
        _wait_for_silence(store, lease)
        check_not_elsewhere(store, folder)
    except BaseException:
        store.close()
        raise
    return store


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
