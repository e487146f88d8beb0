"""Files that survive a power cut: written aside, fsynced, renamed, and their folder fsynced.

What waits while the disk is busy is done together: each file has its own fsync, and all of a batch share that of their
folder. Threads do it, which the event loop does not feel: an fsync holds no lock of the interpreter.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred

from bulkmail.failpoints import failpoint
from bulkmail.inbound.octets import Octets
from bulkmail.mail import OwnFault

_THREADS = 3
_BATCH = 64
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class File:
    """``content`` is to stand in ``folder`` as ``name``; ``aside`` is a folder of the same disk, for the way there."""

    folder: str
    aside: str
    name: str
    content: Octets


class DurableFiles:
    """Writes files in threads of its own, until it is closed."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._jobs: SimpleQueue[tuple[File, Deferred[None]] | None] = SimpleQueue()
        # Daemon threads: a disk that hangs in fsync must not keep the process from ending
        self._threads = [
            threading.Thread(target=self._run, name=f"bulkmail-inbound-{number}", daemon=True)
            for number in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def write(self, file: File) -> Deferred[None]:
        """Write one; fires when it is durable, or fails with OwnFault."""
        done: Deferred[None] = Deferred()
        self._jobs.put((file, done))
        return done

    def close(self) -> None:
        """End the threads behind what was handed in; nothing may be written afterwards."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            with contextlib.suppress(Empty):
                while len(batch) < _BATCH:
                    further = self._jobs.get_nowait()
                    if further is None:
                        self._jobs.put(None)
                        break
                    batch.append(further)
            faults = store([file for file, _ in batch])
            self._reactor.callFromThread(_tell, [(done, faults.get(file.name)) for file, done in batch])
            del job, batch


def _tell(results: list[tuple[Deferred[None], OwnFault | None]]) -> None:
    for done, fault in results:
        if fault is None:
            done.callback(None)
        else:
            done.errback(fault)


def store(files: list[File]) -> dict[str, OwnFault]:
    """Write files; return the faults by name, and nothing for those that are durable now."""
    faults: dict[str, OwnFault] = {}
    folders: dict[str, list[str]] = {}
    for file in files:
        aside = os.path.join(file.aside, file.name)
        try:
            _write(aside, file.content)
            failpoint("inbound-written")
            os.rename(aside, os.path.join(file.folder, file.name))
            failpoint("inbound-renamed")
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            faults[file.name] = OwnFault(f"{os.path.join(file.folder, file.name)} cannot be written ({error.strerror})")
        else:
            folders.setdefault(file.folder, []).append(file.name)
    for folder, names in folders.items():
        try:
            sync_folder(folder)
        except OSError as error:
            faults |= dict.fromkeys(names, OwnFault(f"{folder} cannot be synced ({error.strerror})"))
    return faults


def _write(path: str, content: Octets) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    try:
        for piece in content.pieces():
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(path: str) -> None:
    if not os.path.lexists(path):
        above = os.path.dirname(path)
        _make_folder(above)
        os.mkdir(path, 0o700)
        sync_folder(above)


def make_folders(*paths: str) -> None:
    """Make private folders where they are missing, durable by their names. Raises OwnFault."""
    for path in paths:
        try:
            _make_folder(path)
            os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(13, "this user cannot write to it")
        except OSError as error:
            raise OwnFault(f"the folder {path} cannot be used ({error.strerror})") from None
