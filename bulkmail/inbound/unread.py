"""The folder of reports that were not understood, for people to look at. It is bounded: the oldest are removed."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict

from twisted.logger import Logger

from bulkmail.inbound.durable import DurableFiles, File, make_folders
from bulkmail.inbound.received import Received
from bulkmail.inbound.trace import traced
from bulkmail.mail import OwnFault

_log = Logger("bulkmail")

_SUFFIX = ".eml"


def aside_in(folder: str) -> str:
    """Return the folder beside `UnreadFolder`'s for what is not whole yet; its `open` makes and empties it."""
    return os.path.join(folder, "tmp")


class UnreadFolder:
    """Keeps messages in ``folder``/unread, within ``most_files`` and ``most_octets``; ``dropped`` counts what went."""

    def __init__(self, files: DurableFiles, folder: str, hostname: str, *, most_files: int, most_octets: int) -> None:
        self.path = os.path.join(folder, "unread")
        self.dropped = 0
        self._files = files
        self._aside = aside_in(folder)
        self._hostname = hostname
        self._most_files, self._most_octets = most_files, most_octets
        self._kept: OrderedDict[str, int] = OrderedDict()  # name -> octets, the oldest first
        self._octets = 0

    def open(self) -> None:
        """Make the folders, remove what a killed process left half written, and see what is there. Raises OwnFault."""
        make_folders(self.path, self._aside)
        try:
            for name in os.listdir(self._aside):
                os.unlink(os.path.join(self._aside, name))
            found = sorted(
                (status.st_mtime_ns, entry.name, status.st_size)
                for entry in os.scandir(self.path)
                for status in (entry.stat(follow_symlinks=False),)
            )
        except OSError as error:
            raise OwnFault(f"the folder {self.path} cannot be looked at ({error.strerror})") from None
        for _, name, size in found:
            self._add(name, size)
        self._shrink()

    def __len__(self) -> int:
        """Return how many messages are kept."""
        return len(self._kept)

    async def __call__(self, received: Received) -> None:
        """Keep a message. Raises OwnFault."""
        content = received.body.below(traced(received, self._hostname))
        name = received.id + _SUFFIX
        await self._files.write(File(self.path, self._aside, name, content))
        self._add(name, len(content))
        self._shrink()

    def _add(self, name: str, size: int) -> None:
        self._kept[name] = size
        self._octets += size

    def _shrink(self) -> None:
        dropped = 0
        while self._kept and (len(self._kept) > self._most_files or self._octets > self._most_octets):
            name, size = self._kept.popitem(last=False)
            self._octets -= size
            with contextlib.suppress(FileNotFoundError):  # a person has removed it
                os.unlink(os.path.join(self.path, name))
                dropped += 1
        if dropped:
            self.dropped += dropped
            _log.warn(
                "inbound: {path} is full; the oldest of it were removed, {dropped} now and {all} since the start",
                path=self.path,
                dropped=dropped,
                all=self.dropped,
            )
