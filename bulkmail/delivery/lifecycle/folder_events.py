"""What the kernel tells of the watched folder (inotify), so that a change is seen at once and not at the next look.

Events are a hint and nothing more: they say that looking is worth while. Where there are none (a network share, no
watches left), changes are found by looking.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import inotify
from twisted.logger import Logger
from twisted.python.filepath import FilePath

from bulkmail.campaign import is_ours

_log = Logger("bulkmail")

_MASK = inotify.IN_CREATE | inotify.IN_DELETE | inotify.IN_MOVED_FROM | inotify.IN_MOVED_TO | inotify.IN_CLOSE_WRITE


class FolderEvents:
    """Calls ``heard()`` when something in ``root``, or in one of the folders that are followed, has changed."""

    def __init__(self, reactor: Any, root: str, heard: Callable[[], None]) -> None:
        self._root = root
        self._heard = heard
        self._watching: set[str] = set()
        self._notify: Any = None
        try:
            self._notify = inotify.INotify(reactor)  # type: ignore[no-untyped-call]
            self._notify.startReading()
            self.follow([root])
        except OSError as error:
            self._give_up(error)

    @property
    def there(self) -> bool:
        """Whether the kernel tells of changes."""
        return self._notify is not None

    def follow(self, folders: Iterable[str]) -> None:
        """Hear of these folders and of no others but the root."""
        if self._notify is None:
            return
        wanted = {self._root, *folders}
        try:
            for path in wanted - self._watching:
                self._notify.watch(FilePath(path), mask=_MASK, callbacks=[self._told])
                self._watching.add(path)
        except (OSError, inotify.INotifyError) as error:
            self._give_up(error)
            return
        for path in self._watching - wanted:
            self._notify.ignore(FilePath(path))
            self._watching.discard(path)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._notify is not None:
            self._notify.loseConnection()
            self._notify = None

    def _give_up(self, error: Exception) -> None:
        words = "the kernel does not tell of changes in {root} ({error}); they are found by looking"
        _log.warn(words, root=self._root, error=error)
        self.close()

    def _told(self, _watch: object, path: FilePath[Any], _mask: int) -> None:
        name = os.fsdecode(path.basename())
        if not is_ours(name):
            self._heard()
