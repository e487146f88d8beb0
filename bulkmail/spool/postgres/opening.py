"""What opening a shared spool has of its own: the machine's identity in its folder, its leases and its heartbeat.

The folder is what makes a machine the same one after a restart. It must not be copied to another machine: while the
original beats, a copy is refused.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from bulkmail.mail import OwnFault
from bulkmail.spool.contract import Store, check_whole
from bulkmail.spool.journal import Journalled
from bulkmail.spool.postgres.heartbeat import Heartbeat
from bulkmail.spool.postgres.leases import Leases
from bulkmail.spool.postgres.store import PostgresStore, check_not_elsewhere
from bulkmail.spool.shared import OneOfMany
from bulkmail.spool.writer import Reactor, Writer

IDENTITY = "machine-id"
_LOOK_AGAIN = 0.5  # seconds


def shared(
    dsn: str,
    machine: OneOfMany,
    boot: str,
    reactor: Reactor,
    on_fault: Callable[[OwnFault | None], None] | None,
) -> tuple[Callable[[Journalled], Store], Callable[[PostgresStore, Writer], Leases]]:
    """For `opening`: how the store is made, and what is attached to it once it is open: leases, and their heartbeat."""
    folder, name, lease, monotonic = machine

    def unsure(text: str) -> None:
        if on_fault is not None:
            reactor.callFromThread(on_fault, OwnFault(text))

    def attach(store: PostgresStore, writer: Writer) -> Leases:
        def heartbeat(leases: Leases) -> Heartbeat:
            return Heartbeat(
                dsn,
                epoch=store.epoch,
                lease=lease,
                reactor=reactor,
                monotonic=monotonic,
                beat=leases.beat,
                notified=leases.heard,
            )

        leases = Leases(
            store=store, writer=writer, reactor=reactor, monotonic=monotonic, heartbeat=heartbeat, on_fault=on_fault
        )
        leases.heartbeat.start()
        return leases

    return partial(make_store, dsn, folder, name, lease, boot, unsure), attach


def make_store(
    dsn: str, folder: str, name: str, lease: float, boot: str, on_unsure: Callable[[str], None] | None, _: object = None
) -> PostgresStore:
    """Return the store of this machine, in a new incarnation. Raises Refused."""
    store = PostgresStore(dsn, identity=_identity(folder), name=name, boot=boot, lease=lease, on_unsure=on_unsure)
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
    """Wait until the lease of this machine's last incarnation has run out, which after a reboot is still recorded."""
    pause = threading.Event()
    for _ in range(int((lease + 1) / _LOOK_AGAIN) + 1):
        store.beat()
        if not store.elsewhere():
            return
        pause.wait(_LOOK_AGAIN)
