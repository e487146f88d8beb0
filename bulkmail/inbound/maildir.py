"""A Maildir that messages are delivered to, for any program that reads one."""

from __future__ import annotations

import os
import re

from bulkmail.inbound.durable import DurableFiles, File, make_folders
from bulkmail.inbound.received import Received
from bulkmail.inbound.trace import traced

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")


class Maildir:
    """Delivers to ``path``. ``hostname``: our name; ``process``: this process's id, for names that no other has."""

    def __init__(self, files: DurableFiles, path: str, hostname: str, process: int) -> None:
        self._files = files
        self._path = path
        self._hostname = hostname
        self._process = process

    def open(self) -> None:
        """Make what is missing of it. Raises OwnFault."""
        make_folders(*(os.path.join(self._path, name) for name in ("tmp", "new", "cur")))

    async def __call__(self, received: Received) -> None:
        """Deliver a message. Raises OwnFault."""
        host = _UNSAFE.sub("_", self._hostname)
        name = f"{int(received.at)}.{received.id}P{self._process}.{host}"
        new, tmp = os.path.join(self._path, "new"), os.path.join(self._path, "tmp")
        await self._files.write(File(new, tmp, name, received.body.below(traced(received, self._hostname))))
