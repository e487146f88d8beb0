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

from bulkmail.campaign.files import CAMPAIGN_FILE, STATUS_ASIDE, STATUS_FILE, walk
from bulkmail.files import Folder, MissingFileError
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
    try:
        folder = Folder.open(entry.path, follow=False)
    except OSError as error:
        raise ValueError(f"the folder . cannot be read ({error.strerror})") from None
    lines = [_line(folder, *found) for found in walk(folder)]
    try:
        regular = stat.S_ISREG(folder.status(CAMPAIGN_FILE).st_mode)
    except MissingFileError:
        if _is_there(folder, CAMPAIGN_FILE):
            raise ValueError("its campaign.yaml is a link that leads nowhere") from None
        if _is_there(folder, "campaign.yml"):
            raise ValueError("rename its campaign.yml to campaign.yaml") from None
        return ""
    if not regular:
        raise ValueError("its campaign.yaml is not a regular file")
    return sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_there(folder: Folder, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except OSError:
        return False
    return True


def _line(folder: Folder, name: str, status: os.stat_result | None, target: str) -> str:
    """Name, inode, size and time of a file; of a link also where it leads, and the same of what is there."""
    if status is None:
        return f"{name!r} gone"
    line = f"{name!r} {status.st_mode} {_change(status)}"
    if target:
        line += f" {target!r}"
        with contextlib.suppress(ValueError):
            line += f" {_change(folder.status(name))}"
    return line


def _change(status: os.stat_result) -> str:
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


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


def write_status(path: str, text: str) -> bool:
    """Put ``text`` into STATUS.txt of the folder at ``path``, whole or not at all, readable by all. False: it said so.

    Raises OSError, for example when the folder is gone, or a link by now.
    """
    data = text.encode("utf-8", "replace")
    folder = Folder.open(path, follow=False)
    if _content(folder) == data:
        return False
    with os.fdopen(folder.create(STATUS_ASIDE, 0o644), "wb") as file:
        file.write(data)
    folder.rename(STATUS_ASIDE, STATUS_FILE)
    return True


def _content(folder: Folder) -> bytes | None:
    """What is in our own file; None when it is not there or is nothing of ours."""
    try:
        if not stat.S_ISREG(os.stat(STATUS_FILE, dir_fd=folder.descriptor, follow_symlinks=False).st_mode):
            return None
        return folder.read(STATUS_FILE, MAX_STATUS)
    except (OSError, ValueError):
        return None
