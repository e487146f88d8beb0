"""How a file of the report gets onto the disk: whole or not at all, and readable by people.

A report is written beside its final name, synced and renamed over it, so a reader, a crash or a full disk never
sees half of one. Folders are 0755 and files 0644 whatever the umask (twistd sets 077).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault

FILE_MODE = 0o644
FOLDER_MODE = 0o755


@contextlib.contextmanager
def told(path: str) -> Iterator[None]:
    """Turns an operating system's error into one sentence about ``path``."""
    try:
        yield
    except OSError as error:
        raise OwnFault(f"{path}: the report cannot be written: {error.strerror or error}") from error


def make_folder(path: str) -> None:
    """Make the report's folder, and the ones above it, where missing. Raises OwnFault.

    A link that leads out of the folder above is refused: a dropped campaign folder is content from outside.
    """
    with told(path):
        if os.path.islink(path):
            above = os.path.realpath(os.path.dirname(os.path.abspath(path)))
            if os.path.commonpath([above, os.path.realpath(path)]) != above:
                raise OwnFault(f"{path}: the report cannot be written: this link leads out of the campaign's folder")
        missing = []
        step = os.path.abspath(path)
        while not os.path.isdir(step):
            missing.append(step)
            step = os.path.dirname(step)
        for step in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(step, FOLDER_MODE)
            os.chmod(step, FOLDER_MODE)


@contextlib.contextmanager
def written_aside(path: str, *, sync: bool = True) -> Iterator[Callable[[bytes], object]]:
    """Gives a function that writes; the file appears under ``path`` when the block ends without an error.

    There is one writer to a report, so the name beside is fixed and what a killed writer left is written over.
    ``sync=False`` leaves the time of writing to the system: for what is written again every second.
    """
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.part")
    make_folder(folder or ".")
    with told(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        # O_EXCL: a link planted under this name is never followed
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb", buffering=1 << 18) as file:
                os.fchmod(file.fileno(), FILE_MODE)
                yield file.write
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            failpoint("before-rename", name)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
        if sync:
            _sync_folder(folder or ".")


def write_text(path: str, text: str, *, sync: bool = True) -> None:
    """Write ``text`` as UTF-8; what UTF-8 cannot hold (a lone surrogate) becomes ``?``."""
    with written_aside(path, sync=sync) as write:
        write(text.encode("utf-8", "replace"))


def _sync_folder(folder: str) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
