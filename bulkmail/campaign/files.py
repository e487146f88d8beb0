"""The files of a campaign's folder: nothing outside it is ever opened, and nothing that could make us wait.

`ListPath` is how a list goes from the process that checked it to the one that reads it.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import IO, Any

from bulkmail.files import FileId, Folder, MissingFileError, identity, open_regular

CAMPAIGN_FILE = "campaign.yaml"
STATUS_FILE = "STATUS.txt"
STATUS_ASIDE = ".STATUS.txt.new"
REPORTS = frozenset({"report", "rehearsal"})
MARKS = frozenset({"APPROVED", "PAUSE", "CANCEL", "ACCEPT"})
"""Files by which people steer a campaign; they are no part of it."""
BEFORE = ".before"
"""What is added to the name of a mark that counts no longer."""
PROBLEMS_FILE = "PROBLEMS.txt"
PLAN_FILE = "plan.txt"
OURS = frozenset(
    {"report", "rehearsal", "preview", STATUS_FILE, STATUS_ASIDE, PLAN_FILE, f".{PLAN_FILE}.new"}
    | {"check.csv", ".check.csv.new", PROBLEMS_FILE, ".PROBLEMS.txt.new"}
    | {mark + BEFORE for mark in MARKS}
)
"""What the service writes into the folder itself."""
MAX_FILES = 10_000
MAX_DEPTH = 10

Reference = tuple[str, FileId, str, FileId, str, str]
"""A list as plain data: the path and the id of the campaign's folder, the list's name in it and its id, then the sheet
and the column of the addresses where campaign.yaml names them, else ``""``."""

Earlier = tuple[str, str, str, str, tuple[str, ...]]
"""An `EarlierList` as plain data: `EARLIER`, the spool, the word, the campaign, the statuses."""

EARLIER = "earlier"


def is_ours(name: str) -> bool:
    """Return whether a file or folder of this name in a campaign's folder is what the service writes there."""
    return name in OURS


class ListPath(str):
    """The path of a list, for messages, that knows how the list is opened.

    One of a campaign's folder is opened beneath it, and only where folder and list are those that were checked; one
    that the operator named (``reference`` is None) by its path.
    """

    __slots__ = ("email", "reference", "sheet")

    reference: Reference | None
    sheet: str | None
    email: str | None

    @classmethod
    def of(cls, given: Any) -> ListPath:
        """Return the path from plain data: what ``plain`` gave (marshal may have made lists of tuples), or a path."""
        if isinstance(given, ListPath):
            return given
        if given[0] == EARLIER:
            return EarlierList.made_of(*given[1:])
        if isinstance(given, str):
            path = ListPath(given)
            path.reference = path.sheet = path.email = None
        else:
            folder, folder_id, name, file_id, sheet, email = (*given, "", "")[:6]
            path = ListPath(os.path.join(folder, name))
            path.reference = folder, tuple(folder_id), name, tuple(file_id), sheet, email
            path.sheet, path.email = sheet or None, email or None
        return path

    @property
    def plain(self) -> str | Reference | Earlier:
        """As plain data, for `of`."""
        return str(self) if self.reference is None else self.reference

    def open(self) -> int:
        """Return a descriptor for reading. Raises ValueError with the rest of the sentence."""
        if self.reference is None:
            return open_regular(self)
        path, folder_id, name, file_id = self.reference[:4]
        try:
            folder = Folder.open(path, known=folder_id)
        except OSError as error:
            raise ValueError(f"cannot be read ({error.strerror})") from None
        try:
            descriptor = folder.open_file(name)
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"{name} ")) from None
        if identity(descriptor) != file_id:
            os.close(descriptor)
            raise ValueError("is another file than the one that was checked; start again")
        return descriptor

    def size(self) -> int:
        """Return the bytes of the list. Raises ValueError with the rest of the sentence."""
        descriptor = self.open()
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)


class EarlierList(ListPath):
    """A list that is made of the rows of an earlier campaign, which is in the spool at ``spool``.

    ``word``: ``rest_of`` or ``got``. ``statuses``: which rows; none for those that the word says. Before it is opened,
    what can read the spool has to make it: then ``file`` is open on it, for as long as this object lives.
    """

    __slots__ = ("campaign", "file", "spool", "statuses", "word")

    spool: str
    word: str
    campaign: str
    statuses: tuple[str, ...]
    file: IO[bytes] | None

    @classmethod
    def made_of(cls, spool: str, word: str, campaign: str, statuses: Sequence[str] = ()) -> EarlierList:
        """Return the list, not made yet."""
        path = cls(f"{word}: {campaign}")
        path.reference = path.file = path.sheet = path.email = None
        path.spool = spool
        path.word = word
        path.campaign = campaign
        path.statuses = tuple(statuses)
        return path

    @property
    def plain(self) -> Earlier:
        """As plain data, for `of`."""
        return EARLIER, self.spool, self.word, self.campaign, self.statuses

    def open(self) -> int:
        """Return a descriptor for reading, from the beginning. Raises ValueError with the rest of the sentence."""
        if self.file is None:
            raise ValueError("has not been made of the spool")
        return open_regular(f"/proc/self/fd/{self.file.fileno()}")  # with a position of its own, unlike dup()

    def __del__(self) -> None:
        if self.file is not None:
            self.file.close()


def check_name(name: str) -> None:
    """Raise ValueError, with a sentence, for what cannot be the name of a file in the campaign's folder."""
    if not name:
        raise ValueError("must name a file, not nothing")
    if name.startswith("~"):
        raise ValueError(f"{name}: ~ is not expanded; name a file inside the campaign's folder")
    if os.path.isabs(name):
        raise ValueError(f"{name} is an absolute path; name a file inside the campaign's folder")


def is_template(name: str) -> bool:
    """Return whether an attachment is another file for each row."""
    return "{{" in name or "{%" in name


def id_inside(folder: Folder, name: str) -> FileId:
    """Return device and inode of what ``name`` leads to in the folder. Raises ValueError with a sentence."""
    check_name(name)
    status = folder.status(name)
    return status.st_dev, status.st_ino


def size_inside(folder: Folder, name: str, limit: int | None = None) -> int:
    """Return the size, at most ``limit`` bytes, of a readable regular file in the folder. Raises ValueError."""
    check_name(name)
    try:
        descriptor = folder.open_file(name)
    except MissingFileError as error:
        raise MissingFileError(f"{error}{_near(folder, name)}") from None
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
    if limit is not None and size > limit:
        raise ValueError(f"{name} is larger than {limit // 1_000_000} MB")
    return size


def _near(folder: Folder, name: str) -> str:
    """Name the file of the folder that is probably meant; "" where none is near."""
    where, wanted = os.path.split(name)
    try:
        inner = folder.enter(where or ".")
        with os.scandir(inner.descriptor) as listing:
            there = sorted(entry.name for entry in islice(listing, MAX_FILES) if entry.is_file(follow_symlinks=False))
    except (OSError, ValueError):
        return ""
    there = [one for one in there if one.isprintable() and not one.startswith(".")]
    for one in there:
        if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", wanted):
            words = (
                "looks the same and is made of other characters (Unicode NFC and NFD, as some systems write accents)"
            )
            return f"; the file {os.path.join(where, one)} {words}: rename it to what stands here"
    for one in there:
        if one.casefold() == wanted.casefold():
            return f"; did you mean {os.path.join(where, one)!r}? Capitals and small letters are not the same"
    near = get_close_matches(wanted, there, 1, 0.75)  # an extension alone is not near
    return f"; did you mean {os.path.join(where, near[0])!r}?" if near else ""


def read_inside(folder: Folder, name: str, limit: int) -> bytes:
    """Return the bytes of a regular file in the folder, at most ``limit``. Raises ValueError with a sentence."""
    check_name(name)
    return folder.read(name, limit)


def walk(folder: Folder) -> Iterator[tuple[str, os.stat_result | None, str]]:
    """Yield every file (link, socket, ...) below ``folder``, in a fixed order: path inside it, status, a link's target.

    No status: it was removed since the folder was listed. Left out: what we write there ourselves; links to folders are
    entries, not ways. Raises ValueError past 10,000 files or ten levels, and when a folder in it cannot be read.
    """
    found = 0
    ahead = [("", 0)]
    while ahead:
        where, depth = ahead.pop()
        try:
            inner = folder.enter(where or ".")
            with os.scandir(inner.descriptor) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"the folder {where or '.'} cannot be read ({why})") from None
        for entry in entries:
            if not where and entry.name in OURS | MARKS:
                continue
            name = os.path.join(where, entry.name)
            if entry.is_dir(follow_symlinks=False):
                if depth == MAX_DEPTH:
                    raise ValueError(f"the folders are nested more than {MAX_DEPTH} levels deep")
                ahead.append((name, depth + 1))
                continue
            found += 1
            if found > MAX_FILES:
                raise ValueError(f"the folder holds more than {MAX_FILES:,} files")
            yield name, *_looked_at(inner, entry, name)


def _looked_at(folder: Folder, entry: os.DirEntry[str], name: str) -> tuple[os.stat_result | None, str]:
    try:
        status = entry.stat(follow_symlinks=False)
        target = os.readlink(entry.name, dir_fd=folder.descriptor) if stat.S_ISLNK(status.st_mode) else ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        raise ValueError(f"its file {name} cannot be read ({error.strerror})") from None
    return status, target
