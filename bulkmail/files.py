"""Opening files that others made: regular ones only, without waiting, and beneath a folder without leaving it.

A path that was checked can lead elsewhere when it is opened by its name afterwards: the owner of a folder on the way
may have put a link there. So a campaign's folder is opened once, and everything in it is reached from that descriptor,
one part of the path at a time; a link is followed only after it was checked. A process that goes on with the work is
given the device and inode of the folder and the files, and refuses others.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator

FileId = tuple[int, int]
"""Device and inode: they differ where another file or folder was put in its place."""

_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ON_THE_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # as Linux, path_resolution(7)
_DEEPEST = 100
_NO_FOLDER = "it is a link or a file, and must be a folder; remove it"
_OUT = "leads out of the campaign's folder; copy the file into it"


class MissingFileError(ValueError):
    """There is no file of this name."""


class _Unfit(ValueError):
    """The rest of a sentence that begins with the file's name."""


def open_regular(path: str, *, follow: bool = True) -> int:
    """Return a descriptor of a regular file, opened for reading. Raises ValueError with the rest of the sentence.

    Never waits (a FIFO without a writer would) and, without ``follow``, opens no symbolic link.
    """
    try:
        descriptor = os.open(path, _FILE | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        raise ValueError(_cannot(error)) from None
    return _regular(descriptor)


def read_regular(path: str, limit: int, *, follow: bool = True) -> bytes:
    """Return the bytes of a regular file of at most ``limit``. Raises ValueError with the rest of the sentence."""
    return read_open(open_regular(path, follow=follow), limit)


def read_open(descriptor: int, limit: int) -> bytes:
    """Return what is left to read of ``descriptor``, at most ``limit`` bytes; close it. Raises ValueError as above."""
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise _Unfit(_cannot(error)) from None
    if len(data) > limit:
        raise _Unfit(
            f"is larger than {limit / 1_000_000:g} MB" if limit >= 1_000_000 else f"is larger than {limit:,} bytes"
        )
    return data


def identity(descriptor: int) -> FileId:
    """Of what ``descriptor`` is open on."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


class Folder:
    """An open folder. What it opens, makes and removes is beneath it, whatever happens to its path meanwhile.

    Links in it are followed as far as they stay in it. Closed when nothing refers to it any more.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self.path = path  # as it was opened, for messages

    @classmethod
    def open(cls, path: str, *, known: FileId | None = None, follow: bool = True) -> Folder:
        """Return the folder at ``path``; its last part may be a link only with ``follow``. Raises OSError.

        ``known``: what it must be, so that nothing else is taken that stands there by now.
        """
        folder = cls(os.open(path, _FOLDER | (0 if follow else os.O_NOFOLLOW)), path)
        if known is not None and folder.id != known:
            raise OSError(errno.ESTALE, "another folder has taken the place of the one that was checked")
        return folder

    @property
    def id(self) -> FileId:
        """Its device and inode."""
        return identity(self.descriptor)

    # reading; names may have several parts

    def open_file(self, name: str) -> int:
        """Return a descriptor of the regular file ``name``, for reading. Raises ValueError with a sentence.

        The ValueError is a MissingFileError where there is no such file.
        """
        with self._sentence(name), self._found(name) as (above, part):
            return _regular(os.open(part, _FILE | os.O_NOFOLLOW, dir_fd=above))

    def read(self, name: str, limit: int) -> bytes:
        """Return the bytes of the regular file ``name``, at most ``limit``. Raises ValueError with a sentence."""
        descriptor = self.open_file(name)
        with self._sentence(name):
            return read_open(descriptor, limit)

    def status(self, name: str) -> os.stat_result:
        """Of what ``name`` leads to. Raises ValueError with a sentence."""
        with self._sentence(name), self._found(name) as (above, part):
            return os.stat(part, dir_fd=above, follow_symlinks=False)

    def enter(self, name: str) -> Folder:
        """Return the folder ``name``. Raises ValueError with a sentence."""
        with self._sentence(name), self._found(name) as (above, part):
            descriptor = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
        return Folder(descriptor, os.path.join(self.path, name))

    @contextlib.contextmanager
    def _sentence(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = MissingFileError if error.errno in (errno.ENOENT, errno.ENOTDIR) else ValueError
            raise kind(f"{name} {_cannot(error)}") from None
        except _Unfit as unfit:
            raise ValueError(f"{name} {unfit}") from None

    @contextlib.contextmanager
    def _found(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the folder that ``name`` leads into, and its last part, which is no link. Raises OSError, _Unfit."""
        if os.path.normpath(name).split("/")[0] == "..":
            raise _Unfit(_OUT)
        way: list[int] = []  # the folders entered, the innermost last
        ahead = name.split("/")[::-1]
        links = 0
        try:
            while True:
                part = ahead.pop()
                above = way[-1] if way else self.descriptor
                if part in ("", "."):
                    part = "."
                elif part == "..":
                    if not way:
                        raise _Unfit(_OUT)
                    os.close(way.pop())
                    above, part = way[-1] if way else self.descriptor, "."
                elif (target := _link(part, above)) is not None:
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    if target.startswith("/"):
                        target = self._beneath(target)
                        while way:
                            os.close(way.pop())
                    ahead += target.split("/")[::-1]
                    continue
                elif ahead:
                    if len(way) == _DEEPEST:
                        raise _Unfit(f"is nested more than {_DEEPEST} levels deep")
                    way.append(os.open(part, _ON_THE_WAY, dir_fd=above))
                    continue
                if not ahead:
                    yield above, part
                    return
        finally:
            for descriptor in way:
                os.close(descriptor)

    def _beneath(self, target: str) -> str:
        """Return the rest of an absolute link's target where that leads into this folder; it is looked up from here."""
        for root in (os.path.abspath(self.path), os.path.realpath(self.path)):
            if target == root or target.startswith(root.rstrip("/") + "/"):
                return target[len(root) :].lstrip("/") or "."
        raise _Unfit(_OUT)

    # writing; names have one part, and no link is ever followed. All raise OSError

    def subfolder(self, name: str, make: int | None = None) -> Folder:
        """Return the folder ``name``; ``make``: the mode it is made with, whatever the umask, where it is missing."""
        made = False
        if make is not None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, make, dir_fd=self.descriptor)
                made = True
        try:
            descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self.descriptor)
        except NotADirectoryError:
            raise NotADirectoryError(errno.ENOTDIR, _NO_FOLDER) from None
        if made and make is not None:
            os.fchmod(descriptor, make)
        return Folder(descriptor, os.path.join(self.path, name))

    def create(self, name: str, mode: int) -> int:
        """Return a descriptor of a new file, for writing; what stood there is removed, unless it is a folder."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, mode, dir_fd=self.descriptor)
        os.fchmod(descriptor, mode)  # whatever the umask
        return descriptor

    def rename(self, name: str, to: str) -> None:
        """Put the file ``name`` in the place of ``to``."""
        os.rename(name, to, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def unlink(self, name: str) -> None:
        """Remove the file ``name``."""
        os.unlink(name, dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Remove the folder ``name`` with everything in it; a link or a file of that name is an error."""
        if stat.S_ISDIR(os.lstat(name, dir_fd=self.descriptor).st_mode):
            shutil.rmtree(name, dir_fd=self.descriptor)
        else:
            raise NotADirectoryError(errno.ENOTDIR, _NO_FOLDER)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _link(part: str, above: int) -> str | None:
    """Return where the link ``part`` leads; None where it is none. Raises OSError."""
    try:
        return os.readlink(part, dir_fd=above)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _regular(descriptor: int) -> int:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise _Unfit("is a folder, not a file" if stat.S_ISDIR(mode) else "is not a regular file")


def _cannot(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "does not exist"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be read by this user (permission denied)"
    if error.errno == errno.ENXIO:  # what open() says of a socket
        return "is not a regular file"
    return f"cannot be read ({error.strerror})"
