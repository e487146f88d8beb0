"""The files of a campaign's folder: nothing outside it is ever opened, and nothing that could make us wait."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bulkmail.yamlfile import open_regular, read_regular

CAMPAIGN_FILE = "campaign.yaml"
STATUS_FILE = "STATUS.txt"
STATUS_ASIDE = ".STATUS.txt.new"
OURS = frozenset({"report", "rehearsal", STATUS_FILE, STATUS_ASIDE})  # what we write into the folder ourselves
MAX_FILES = 10_000
MAX_DEPTH = 10


def inside(folder: str, name: str) -> str:
    """The real path of ``name`` in ``folder``, links resolved. Raises ValueError with a sentence."""
    if not name:
        raise ValueError("must name a file, not nothing")
    if name.startswith("~"):
        raise ValueError(f"{name}: ~ is not expanded; name a file inside the campaign's folder")
    if os.path.isabs(name):
        raise ValueError(f"{name} is an absolute path; name a file inside the campaign's folder")
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root:
        raise ValueError(f"{name} leads out of the campaign's folder; copy the file into it")
    return path


def size_inside(folder: str, name: str, limit: int | None = None) -> int:
    """The size of a readable regular file in the folder, at most ``limit`` bytes. Raises ValueError with a sentence."""
    path = inside(folder, name)
    try:
        descriptor = open_regular(path, follow=False)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
    if limit is not None and size > limit:
        raise ValueError(f"{name} is larger than {limit // 1_000_000} MB")
    return size


def read_inside(folder: str, name: str, limit: int) -> bytes:
    """The bytes of a regular file in the folder, at most ``limit``. Raises ValueError with a sentence."""
    path = inside(folder, name)
    try:
        return read_regular(path, limit, follow=False)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def walk(folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file (link, socket, ...) below ``folder``, with its path inside it, in a fixed order.

    Left out: what we write there ourselves; links to folders are entries, not ways. Raises ValueError past 10,000
    files or ten levels, and when a folder in it cannot be read.
    """
    found = 0
    ahead = [("", 0)]
    while ahead:
        where, depth = ahead.pop()
        try:
            with os.scandir(os.path.join(folder, where)) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise ValueError(f"the folder {where or '.'} cannot be read ({error.strerror})") from None
        for entry in entries:
            if not where and entry.name in OURS:
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
            yield name, entry
