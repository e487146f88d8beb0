"""The watched folder: campaigns are dropped into it as subfolders, and each is started once its files keep still.

`scan` looks once; `DropFolder` compares what successive looks saw and says what to start. A campaign that ended or
was refused is left alone until one of its files changes; what we write into the folder ourselves (report/,
rehearsal/, STATUS.txt) is no change.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from bulkmail.campaign.files import CAMPAIGN_FILE, STATUS_ASIDE, STATUS_FILE, inside, walk
from bulkmail.mail import OwnFault
from bulkmail.yamlfile import one_line

MAX_STATUS = 1_000_000


@dataclass(frozen=True, slots=True)
class FolderState:
    """One look at one subfolder. ``reason``: why it cannot be a campaign, ``""`` when it can."""

    path: str
    seen_at: float
    fingerprint: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """What to do: start the campaign in ``path``, or tell once why it is ignored."""

    kind: Literal["start", "ignore"]
    path: str
    reason: str = ""


def scan(root: str, now: float) -> list[FolderState]:
    """What stands in the watched folder, in a fixed order; ``now`` in seconds of any clock that only grows.

    Subfolders without a campaign.yaml are not listed: they may be arriving. Raises OwnFault when ``root`` is gone.
    """
    try:
        with os.scandir(root) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise OwnFault(f"the watched folder {root} cannot be read ({error.strerror})") from None
    found = []
    for entry in entries:
        try:
            fingerprint = _fingerprint(entry)
        except ValueError as error:
            found.append(FolderState(entry.path, now, reason=str(error)))
        else:
            if fingerprint:
                found.append(FolderState(entry.path, now, fingerprint))
    return found


def _fingerprint(entry: os.DirEntry[str]) -> str:
    """Changes when a file of the folder does; ``""`` without a campaign.yaml. Raises ValueError with the reason."""
    name = entry.name
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("its name is not UTF-8; rename it") from None
    try:
        one_line(name)
    except ValueError as error:
        raise ValueError(f"its name {error}; rename it") from None
    if name.startswith("."):
        raise ValueError("its name starts with a dot, so it is hidden")
    if entry.is_symlink():
        raise ValueError("it is a symbolic link; move the folder itself here")
    if not entry.is_dir(follow_symlinks=False):
        raise ValueError("it is not a folder; a campaign is a folder with a campaign.yaml")
    lines = [_line(file, item) for file, item in walk(entry.path)]
    campaign_file = os.path.join(entry.path, CAMPAIGN_FILE)
    if not os.path.lexists(campaign_file):
        if os.path.lexists(os.path.join(entry.path, "campaign.yml")):
            raise ValueError("rename its campaign.yml to campaign.yaml")
        return ""
    if not os.path.isfile(inside(entry.path, CAMPAIGN_FILE)):
        raise ValueError("its campaign.yaml is not a regular file")
    return sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _line(name: str, entry: os.DirEntry[str]) -> str:
    """Name, inode, size and time of a file; of a link also where it leads."""
    try:
        info = entry.stat(follow_symlinks=False)
        line = f"{name!r} {info.st_mode} {info.st_ino} {info.st_size} {info.st_mtime_ns}"
        if stat.S_ISLNK(info.st_mode):
            line += f" {os.readlink(entry.path)!r}"
            with contextlib.suppress(OSError):
                target = os.stat(entry.path)
                line += f" {target.st_ino} {target.st_size} {target.st_mtime_ns}"
    except FileNotFoundError:  # removed since the folder was listed
        return f"{name!r} gone"
    except OSError as error:
        raise ValueError(f"its file {name} cannot be read ({error.strerror})") from None
    return line


@dataclass(slots=True)
class _Known:
    """What is remembered of a subfolder between two looks."""

    fingerprint: str
    since: float  # when this fingerprint was first seen
    started: str = ""  # the fingerprint it was last started with
    running: bool = False
    told: str = ""  # the reason that was told last


class DropFolder:
    """Says which campaigns of a watched folder to start. Fed with scans; told by `ended` when one is over."""

    def __init__(self, quiet: float = 3.0) -> None:
        self._quiet = quiet
        self._known: dict[str, _Known] = {}

    def look(self, states: Iterable[FolderState]) -> list[Action]:
        """The actions that one scan leads to. A started campaign counts as running until `ended`."""
        actions = []
        there = set()
        for state in states:
            there.add(state.path)
            known = self._known.get(state.path)
            if known is None:
                known = self._known[state.path] = _Known(state.fingerprint, state.seen_at)
            if known.fingerprint != state.fingerprint:
                known.fingerprint, known.since = state.fingerprint, state.seen_at
            if state.reason:
                if state.reason != known.told:
                    actions.append(Action("ignore", state.path, state.reason))
                known.told = state.reason
                continue
            known.told = ""
            changed = state.fingerprint != known.started
            if changed and not known.running and state.seen_at - known.since >= self._quiet:
                known.started, known.running = state.fingerprint, True
                actions.append(Action("start", state.path))
        for path in [path for path, known in self._known.items() if path not in there and not known.running]:
            del self._known[path]
        return actions

    def ended(self, path: str) -> None:
        """The campaign there is finished or was refused: leave it alone until its files have changed."""
        if path in self._known:
            self._known[path].running = False


def write_status(folder: str, text: str) -> bool:
    """Put ``text`` into the folder's STATUS.txt, whole or not at all, readable by all. False: it said so already.

    Raises OSError, for example when the folder is gone.
    """
    data = text.encode("utf-8", "replace")
    path = os.path.join(folder, STATUS_FILE)
    if _content(path) == data:
        return False
    aside = os.path.join(folder, STATUS_ASIDE)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside)  # left by a crash, or put there to lead us elsewhere
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o644)  # whatever the umask: it is for people
        file.write(data)
    os.rename(aside, path)
    return True


def _content(path: str) -> bytes | None:
    """What is in our own file; None when it is not there or is no regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_STATUS) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
