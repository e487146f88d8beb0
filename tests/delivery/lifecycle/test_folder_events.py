"""Real events of the kernel, through the real reactor."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import inotify, reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bulkmail.delivery.lifecycle import folder_events as module
from bulkmail.delivery.lifecycle.folder_events import FolderEvents


class Events(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        (self.root / "spring").mkdir()
        self.heard: list[None] = []
        self.events = FolderEvents(reactor, str(self.root), lambda: self.heard.append(None))
        self.addCleanup(self.events.close)

    async def heard_after(self, change: Any) -> bool:
        del self.heard[:]
        change()
        for _ in range(20):
            if self.heard:
                return True
            await deferLater(reactor, 0.02)  # type: ignore[arg-type]
        return False

    async def test_a_folder_that_is_dropped_is_heard_of(self) -> None:
        assert self.events.there
        assert await self.heard_after((self.root / "summer").mkdir)

    async def test_files_of_a_folder_that_is_followed_are_heard_of(self) -> None:
        spring = self.root / "spring"
        assert not await self.heard_after((spring / "PAUSE").touch)
        self.events.follow([str(spring)])
        assert await self.heard_after((spring / "CANCEL").touch)
        assert await self.heard_after((spring / "CANCEL").unlink)
        assert await self.heard_after(lambda: (spring / "body.txt").write_text("x"))
        assert await self.heard_after(lambda: os.rename(spring / "body.txt", spring / "other.txt"))

    async def test_what_the_service_writes_is_not_heard_of(self) -> None:
        spring = self.root / "spring"
        self.events.follow([str(spring)])
        for name in ("STATUS.txt", ".STATUS.txt.new", "check.csv", "plan.txt"):
            assert not await self.heard_after(lambda name=name: (spring / name).write_text("x")), name
        assert not await self.heard_after((spring / "report").mkdir)

    async def test_a_folder_that_is_not_followed_any_more_is_not_heard_of(self) -> None:
        spring = self.root / "spring"
        self.events.follow([str(spring)])
        self.events.follow([])
        assert not await self.heard_after((spring / "PAUSE").touch)

    async def test_a_folder_that_is_gone_ends_the_events_and_nothing_else(self) -> None:
        said: list[str] = []
        self.patch(module._log, "warn", lambda words, **_: said.append(words))
        self.events.follow([str(self.root / "not-there")])
        assert len(said) == 1
        assert not self.events.there

    async def test_where_there_are_no_watches_left_it_is_told(self) -> None:
        def no_more(*_: Any, **__: Any) -> None:
            raise inotify.INotifyError(28)

        said: list[str] = []
        self.patch(module._log, "warn", lambda words, **_: said.append(words))
        self.patch(inotify.INotify, "watch", no_more)
        self.events.follow([str(self.root / "spring")])
        assert len(said) == 1
        assert not self.events.there
