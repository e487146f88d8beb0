from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bulkmail.files import Folder
from bulkmail.mail import OwnFault
from bulkmail.rehearsal.process import Where, WorldProcess, rehearsed
from bulkmail.settings import load_settings
from tests import traps


def test_a_rehearsal_leads_nowhere_but_to_loopback(tmp_path: Path) -> None:
    settings = load_settings(None, str(tmp_path))
    changed = rehearsed(settings, Where("127.0.0.1:5300", 2500), str(tmp_path / "spool"), 600.0)
    assert changed.dns.nameservers == ("127.0.0.1:5300",)
    assert changed.smtp.port == 2500
    assert changed.routing.allow_networks == ("127.0.0.0/8",)
    assert changed.spool == str(tmp_path / "spool")
    assert settings.smtp.port == 25


def test_waits_are_divided_and_patience_stays_reasonable(tmp_path: Path) -> None:
    settings = load_settings(None, str(tmp_path))
    fast = rehearsed(settings, Where("127.0.0.1:53", 25), "x", 600.0)
    assert fast.retry.schedule[0] == 1.0
    assert fast.retry.expire_after == 432.0
    assert fast.retry.greylist_after == 0.5
    assert fast.smtp.timeouts.dot == 5.0
    real = rehearsed(settings, Where("127.0.0.1:53", 25), "x", 1.0)
    assert real.retry.schedule == settings.retry.schedule
    assert real.smtp.timeouts == settings.smtp.timeouts


@pytest.mark.loopback
class TheProcess(TestCase):
    timeout = 300

    async def test_it_starts_listens_and_ends_with_its_input(self) -> None:
        world = WorldProcess(reactor, self.store(), 600.0)
        where = await world.start()
        with socket.create_connection(("127.0.0.1", int(where.dns.rpartition(":")[2])), 5):
            pass
        await world.stop()
        await world.stop()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", int(where.dns.rpartition(":")[2])), 5).close()

    async def test_it_imports_no_module_of_the_current_folder(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        folder = Path(self.place())
        traps.set_in(folder)
        os.chdir(folder)
        world = WorldProcess(reactor, self.store(), 600.0)
        await world.start()
        await world.stop()
        assert traps.sprung_in(folder) == []

    async def test_one_that_cannot_start_says_why(self) -> None:
        blocked = self.store()
        (Path(blocked.path) / "received.jsonl").mkdir()
        world = WorldProcess(reactor, blocked, 600.0)
        error = await self.assertFailure(Deferred.fromCoroutine(world.start()), OwnFault)
        assert "could not be started" in str(error)

    def place(self) -> str:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def store(self) -> Folder:
        return Folder.open(self.place())
