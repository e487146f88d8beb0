"""attempts.csv: one line for each delivery attempt, appended while sending.

The spool's attempts are the truth and this file is derived from them. What ties the two together is a position: the
file's length and the id of the last attempt in it, known good together. The caller keeps the position where the
attempts are kept; at the start the file is cut to it and continued, so a crash between the two leaves no torn,
missing or double line. A file that is not what the position says (deleted, edited, shorter after a power cut) is
begun again: the position goes back to (0, 0) and the caller hands in the attempts from the first one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.mail import AttemptRow
from bulkmail.report.cells import Times, guarded, reply_cells
from bulkmail.report.files import FILE_MODE, ReportFile, io_errors_as_own_fault
from bulkmail.report.lines import lines
from bulkmail.report.rows import Files, file_prefixes

ATTEMPT_COLUMNS = (
    "at",
    "row",
    "email",
    "attempt",
    "result",
    "category",
    "smtp_code",
    "enhanced_code",
    "reply",
    "stage",
    "mx_host",
    "mx_ip",
    "source_ip",
    "tls",
    "duration_ms",
    "next_attempt_at",
)

Position = tuple[int, int]
"""(length of the file in bytes, id of the last attempt in it); (0, 0) is "nothing yet"."""

NOTHING: Position = (0, 0)

HEADER = lines([ATTEMPT_COLUMNS])
"""The first line of the file."""

_TAIL = 1 << 16


class AttemptsFile:
    """The open file. ``position`` is what is known to be in it; keep it after each ``append``.

    Raises OwnFault when the disk does not take what is written; the position then stays where it was and the same
    rows can be handed in again.
    """

    def __init__(self, file: ReportFile, files: Files, position: Position = NOTHING) -> None:
        self._file = file
        self._prefixes = guarded(file_prefixes(files))
        self._times = Times()
        self._descriptor = -1
        self.position = position
        self._open()

    def append(self, rows: Iterable[AttemptRow]) -> Position:
        """Write attempts, oldest first, and return the new position.

        Rows that are in the file already are skipped. When the file is gone or another program changed it, nothing is
        written and the position returned is (0, 0): pass the attempts from the first one again.
        """
        changed = self._descriptor >= 0 and self._lost()
        if changed or self._descriptor < 0:
            known = self.position
            self._open(changed=changed)
            if self.position != known:
                return self.position
        length, last = self.position
        new = [row for row in rows if row.id > last]
        if not new:
            return self.position
        start = length or len(HEADER)
        data = self._bytes(new)
        with io_errors_as_own_fault(str(self._file)):
            try:
                _write(self._descriptor, data, start)
                failpoint("after-append")
            except OSError:
                # a torn line behind the known length; it is cut off now, or else when the file is opened again
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, start)
                self.close()
                raise
        self.position = (start + len(data), new[-1].id)
        return self.position

    def sync(self) -> None:
        """Sync the file to the disk: for a pause, a stop and the end."""
        if self._descriptor >= 0:
            with io_errors_as_own_fault(str(self._file)):
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; the next ``append`` opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, *, changed: bool = False) -> None:
        """Open the file and cut it to the position, or begin it again; ``position`` says which.

        ``changed``: another program wrote to it while it was open, so nothing in it is known good.
        """
        self.close()
        with io_errors_as_own_fault(str(self._file)):
            self._descriptor = self._opened()
            try:
                length = self.position[0]
                if not changed and length and _sound(self._descriptor, length):
                    os.ftruncate(self._descriptor, length)
                    return
                self.position = NOTHING
                os.ftruncate(self._descriptor, 0)
                _write(self._descriptor, HEADER, 0)
            except BaseException:
                self.close()
                raise

    def _opened(self) -> int:
        """Return the descriptor of the file, made where it is missing. Raises OSError where it is no regular file."""
        folder, name = self._file.place.folder(), self._file.name
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=folder.descriptor)
        except FileNotFoundError:
            return folder.create(name, FILE_MODE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a regular file; remove it")
        return descriptor

    def _lost(self) -> bool:
        """Return whether the path no longer leads to our file, or another program wrote to it."""
        try:
            folder = self._file.place.folder(make=False)
            there = os.stat(self._file.name, dir_fd=folder.descriptor, follow_symlinks=False)
        except OSError:
            return True
        ours = os.fstat(self._descriptor)
        same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        return not same or ours.st_size != (self.position[0] or len(HEADER))

    def _bytes(self, rows: list[AttemptRow]) -> bytes:
        columns: Any = AttemptRow._make(zip(*rows, strict=True))  # each field holds its whole column
        labels: Iterable[str] = map(str, columns.row_in_file)
        if len(self._prefixes) > 1:
            in_files = zip(columns.file_no, columns.row_in_file, strict=True)
            labels = [f"{self._prefixes[no]}{row}" for no, row in in_files]
        return lines(
            zip(
                self._times.cells(columns.at),
                labels,
                guarded(columns.email),
                map(str, columns.attempt),
                columns.result,
                columns.category,
                [str(code) if code else "" for code in columns.smtp_code],
                columns.enhanced,
                reply_cells(columns.reply),
                columns.stage,
                guarded(columns.mx_host),
                columns.mx_ip,
                columns.source_ip,
                columns.tls,
                map(str, columns.duration_ms),
                self._times.cells(columns.next_attempt_at),
                strict=True,
            )
        )


def _sound(descriptor: int, length: int) -> bool:
    """Return whether the file may well be ours up to ``length``: our header, a line end there, no holes before it.

    After a power cut the length can be right and the last blocks zeros: the data was never waited for.
    """
    if os.fstat(descriptor).st_size < length or os.pread(descriptor, len(HEADER), 0) != HEADER:
        return False
    tail = os.pread(descriptor, _TAIL, max(0, length - _TAIL))[: min(length, _TAIL)]
    return tail.endswith(b"\r\n") and b"\0" not in tail


def _write(descriptor: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, start)
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        view = view[written:]
        start += written
