"""How a file of the report gets onto the disk: whole or not at all, and readable by people.

A report is written beside its final name, synced and renamed over it, so a reader, a crash or a full disk never
sees half of one. Folders are made with 0755 and files with 0644 whatever the umask (twistd sets 077).

The campaign's folder is content from outside: its owner may put anything there, at any time. So everything is done
from a descriptor of it, and ``report`` in it must be a folder of its own; folders above it are never made.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bulkmail.failpoints import failpoint
from bulkmail.files import FileId, Folder
from bulkmail.mail import OwnFault

FILE_MODE = 0o644
FOLDER_MODE = 0o755
_PROBE = ".report.probe"


@contextlib.contextmanager
def io_errors_as_own_fault(path: str) -> Iterator[None]:
    """Turn an OSError of the block into an OwnFault with one sentence about ``path``."""
    try:
        yield
    except OSError as error:
        raise OwnFault(f"{path}: the report cannot be written: {error.strerror or error}") from error


class Place:
    """Where a report is written: the folder ``name`` in the campaign's folder at ``campaign``.

    The campaign's folder is opened when it is first needed, and then kept; ``known`` is what it must be.
    """

    def __init__(self, campaign: str, name: str = "report", known: FileId | None = None) -> None:
        self.path = os.path.join(campaign, name)
        self._campaign = campaign
        self._name = name
        self._known = known
        self._opened: Folder | None = None

    @property
    def plain(self) -> tuple[str, str, FileId | None]:
        """The place as plain data, from which another process makes it again."""
        return self._campaign, self._name, self._known

    def file(self, name: str) -> ReportFile:
        """Return the file ``name`` in it."""
        return ReportFile(self, name)

    def folder(self, *, make: bool = True) -> Folder:
        """Open the folder; make it where it is missing. Raises OSError."""
        if self._opened is None:
            known = None if self._known is None else (self._known[0], self._known[1])
            self._opened = Folder.open(self._campaign, known=known)
        try:
            return self._opened.subfolder(self._name, FOLDER_MODE if make else None)
        except FileNotFoundError:
            self._opened = None  # it was removed; one that is put there is looked at next time
            raise

    def probe(self) -> None:
        """Write and remove an empty file in the folder, or where it would be made. Raises OSError where that fails."""
        try:
            folder = self.folder(make=False)
        except FileNotFoundError:
            known = None if self._known is None else (self._known[0], self._known[1])
            folder = Folder.open(self._campaign, known=known)
        os.close(folder.create(_PROBE, FILE_MODE))
        folder.unlink(_PROBE)


@dataclass(frozen=True)
class ReportFile:
    """One file of a report. As a text it is its path."""

    place: Place
    name: str

    def __str__(self) -> str:
        return os.path.join(self.place.path, self.name)


@contextlib.contextmanager
def written_aside(file: ReportFile, *, sync: bool = True) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes; the file appears under its name when the block ends without an error.

    A report has one writer, so the temporary name is fixed, and what a killed writer left is overwritten.
    ``sync=False`` omits the fsync: for files that are written every second. Raises OwnFault.
    """
    beside = f".{file.name}.part"
    with io_errors_as_own_fault(str(file)):
        folder = file.place.folder()
        descriptor = folder.create(beside, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb", buffering=1 << 18) as stream:
                yield stream.write
                stream.flush()
                if sync:
                    os.fsync(stream.fileno())
            failpoint("before-rename", file.name)
            folder.rename(beside, file.name)
        except BaseException:
            with contextlib.suppress(OSError):
                folder.unlink(beside)
            raise
        if sync:
            os.fsync(folder.descriptor)  # the rename itself survives a power cut


def write_text(file: ReportFile, text: str, *, sync: bool = True) -> None:
    """Write ``text`` as UTF-8; what UTF-8 cannot hold (a lone surrogate) becomes ``?``."""
    with written_aside(file, sync=sync) as write:
        write(text.encode("utf-8", "replace"))
