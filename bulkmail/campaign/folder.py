"""The watched folder: campaigns are dropped into it as subfolders, and each is started once its files keep still.

`scan` looks once; `DropFolder` compares what successive looks saw and says what to do. A campaign that ended or was
refused is left alone until one of its files changes; what the service writes into the folder itself (report/,
rehearsal/, STATUS.txt and the like) is no change, and neither are the marks.

Marks are files that people put into a campaign's folder to steer it: APPROVED, PAUSE, CANCEL and ACCEPT. Each is told
when it appears, and PAUSE when it is removed, from the start of the campaign to its end.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args

from bulkmail.campaign.files import BEFORE, CAMPAIGN_FILE, PROBLEMS_FILE, STATUS_FILE, walk
from bulkmail.files import Folder, MissingFileError
from bulkmail.mail import OwnFault, WrongState
from bulkmail.yamlfile import one_line

MAX_STATUS = 1_000_000
MAX_NAME = 100  # characters of who put a mark there

Mark = Literal["APPROVED", "PAUSE", "CANCEL", "ACCEPT"]
"""The name of a file by which people steer a campaign."""
_AT_REST: frozenset[Mark] = frozenset({"ACCEPT", "CANCEL"})  # what they ask for is done at a further start
_MARKS: tuple[Mark, ...] = get_args(Mark)


@dataclass(frozen=True, slots=True)
class FolderState:
    """One look at one subfolder. ``reason``: why it cannot be a campaign, ``""`` when it can."""

    path: str
    seen_at: float
    fingerprint: str = ""
    reason: str = ""
    marks: frozenset[Mark] = frozenset()
    problems: bool = False  # a check has left PROBLEMS.txt


@dataclass(frozen=True, slots=True)
class Action:
    """What to do with the folder at ``path``.

    ``start`` its campaign; ``ignore`` it, and tell once why. Of one that was started: a mark has ``appeared`` or was
    ``removed`` (``reason`` is its name); its files have ``changed``; it is ``gone``, or has come ``back``.
    """

    kind: Literal["start", "ignore", "appeared", "removed", "changed", "gone", "back"]
    path: str
    reason: str = ""


def scan(root: str, now: float) -> list[FolderState]:
    """Return what stands in the watched folder, in a fixed order; ``now`` in seconds of any clock that only grows.

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
            fingerprint, marks, problems = _looked_into(entry)
        except ValueError as error:
            found.append(FolderState(entry.path, now, reason=str(error)))
        else:
            if fingerprint:
                found.append(FolderState(entry.path, now, fingerprint, marks=marks, problems=problems))
    return found


def _looked_into(entry: os.DirEntry[str]) -> tuple[str, frozenset[Mark], bool]:
    """Return what changes when a file of the folder does, the marks in it, and whether a check has left problems there.

    The first is ``""`` without a campaign.yaml. Raises ValueError with the reason why it cannot be a campaign.
    """
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
        return "", frozenset(), False
    if not regular:
        raise ValueError("its campaign.yaml is not a regular file")
    marks = frozenset(mark for mark in _MARKS if _is_there(folder, mark))
    return (
        sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest(),
        marks,
        _is_there(folder, PROBLEMS_FILE),
    )


def _is_there(folder: Folder, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except OSError:
        return False
    return True


def _line(folder: Folder, name: str, status: os.stat_result | None, target: str) -> str:
    """Return name, inode, size and time of a file; of a link also where it leads, and the same of what is there."""
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
    marks: frozenset[Mark] = frozenset()  # those that were told since it was started
    changed: str = ""  # the fingerprint that was told as changed since
    gone: bool = False
    problems: bool = False  # PROBLEMS.txt was there when it was looked at last
    told: str = ""  # the reason that was told last


class DropFolder:
    """Says what to do with the campaigns of a watched folder. Fed with scans; told by `ended` when one is over."""

    def __init__(self, quiet: float = 3.0) -> None:
        self._quiet = quiet
        self._known: dict[str, _Known] = {}

    @property
    def unsettled(self) -> bool:
        """Whether a folder has changed so lately that it is to be looked at again soon."""
        return any(known.fingerprint not in (known.started, known.changed) for known in self._known.values())

    def look(self, states: Iterable[FolderState]) -> list[Action]:
        """Return the actions that one scan leads to. A started campaign counts as running until `ended`."""
        actions: list[Action] = []
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
            actions += self._of_one(known, state)
        for path, known in list(self._known.items()):
            if path in there:
                continue
            if not known.running:
                del self._known[path]
            elif not known.gone:
                known.gone = True
                actions.append(Action("gone", path))
        return actions

    def _of_one(self, known: _Known, state: FolderState) -> list[Action]:
        path, still = state.path, state.seen_at - known.since >= self._quiet
        if not known.running:
            asked = (state.marks - known.marks) & _AT_REST
            known.marks &= state.marks
            corrected, known.problems = known.problems and not state.problems, state.problems
            if corrected:
                known.started = ""  # corrected beside this process, so it is looked at again
            if (state.fingerprint == known.started and not asked) or not still:
                return []
            known.started, known.running = state.fingerprint, True
            known.marks = frozenset()
            known.changed = state.fingerprint
            known.gone = False
            known.problems = False
            return [Action("start", path), *_marked(known, state)]
        actions = []
        if known.gone:
            known.gone = False
            actions.append(Action("back", path))
        actions += _marked(known, state)
        if still and state.fingerprint != known.changed:
            known.changed = state.fingerprint
            actions.append(Action("changed", path))
        return actions

    def ended(self, path: str) -> None:
        """Leave the campaign at ``path`` alone until its files have changed: it is finished, or was refused."""
        if path in self._known:
            self._known[path].running = False

    def again(self, path: str) -> None:
        """Start what is there once more, though nothing of it has changed."""
        if path in self._known:
            self._known[path].started = ""


def _marked(known: _Known, state: FolderState) -> list[Action]:
    appeared = [Action("appeared", state.path, mark) for mark in _MARKS if mark in state.marks - known.marks]
    removed = [Action("removed", state.path, mark) for mark in _MARKS if mark in known.marks - state.marks]
    known.marks = state.marks
    return appeared + removed


def write_status(path: str, text: str) -> bool:
    """Put ``text`` into STATUS.txt of the folder at ``path``; see `write_beside`."""
    return write_beside(path, STATUS_FILE, text)


def write_status_in(folder: Folder, text: str) -> bool:
    """Do the same in a folder that is open, wherever it is by now. Raises OSError."""
    return _written(folder, STATUS_FILE, text)


def read_status(path: str) -> str:
    """Return what STATUS.txt of the folder at ``path`` says; "" where it has none of ours."""
    try:
        content = _content(Folder.open(path, follow=False), STATUS_FILE)
    except OSError:
        return ""
    return "" if content is None else content.decode("utf-8", "replace")


def write_beside(path: str, name: str, text: str) -> bool:
    """Put ``text`` into a file of the folder at ``path``, whole or not at all, readable by all. False: it said so.

    The file is one of ours (`files.OURS`). Raises OSError, for example when the folder is gone, or a link by now.
    """
    return _written(Folder.open(path, follow=False), name, text)


def _written(folder: Folder, name: str, text: str) -> bool:
    data = text.encode("utf-8", "replace")
    if _content(folder, name) == data:
        return False
    aside = f".{name}.new"
    with os.fdopen(folder.create(aside, 0o644), "wb") as file:
        file.write(data)
    folder.rename(aside, name)
    return True


def put_aside(path: str, mark: str) -> bool:
    """Rename a mark in the folder at ``path``, so that it counts no longer; whether it was there. Raises OSError."""
    try:
        Folder.open(path, follow=False).rename(mark, mark + BEFORE)
    except FileNotFoundError:
        return False
    return True


def check_no_pause_file(path: str, name: str) -> None:
    """Raise WrongState where the file PAUSE lies in the folder at ``path`` of the campaign ``name``."""
    mark: Mark = "PAUSE"
    file = os.path.join(path, mark)
    if os.path.lexists(file):
        raise WrongState(f"{name} is paused by the file {file}; remove that file, and the campaign goes on")


def said_by(path: str, mark: str) -> str:
    """Return the first line of a mark in the folder at ``path``, at most 100 characters: who put it there, or ""."""
    try:
        text = Folder.open(path, follow=False).read(mark, MAX_STATUS).decode("utf-8", "replace")
        return one_line(text.strip().partition("\n")[0].strip()[:MAX_NAME])
    except (OSError, ValueError):
        return ""


def _content(folder: Folder, name: str) -> bytes | None:
    """Return what is in our own file; None when it is not there or is nothing of ours."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_mode):
            return None
        return folder.read(name, MAX_STATUS)
    except (OSError, ValueError):
        return None
