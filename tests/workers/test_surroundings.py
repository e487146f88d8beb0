from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from bulkmail.workers import DATABASE, Worker, WorkerFailedError, surroundings

SECRETS = {"RELAY_PASSWORD": "secret", "AWS_SECRET_ACCESS_KEY": "secret", "PGPASSWORD": "secret", "MY_PATH": "x"}


def test_a_child_sees_a_short_list_of_variables() -> None:
    ours = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C.UTF-8", "PYTHONPATH": "/p", "BULKMAIL_FAILPOINTS": "", **SECRETS}
    assert sorted(surroundings((), ours)) == ["BULKMAIL_FAILPOINTS", "HOME", "LC_ALL", "PATH", "PYTHONPATH"]
    assert "PGPASSWORD" in surroundings(DATABASE, ours)
    assert surroundings(()) == surroundings((), os.environ)


@pytest.mark.process
class Children(TestCase):
    timeout = 300

    async def environment(self, *further: Any) -> str:
        worker = Worker.start(reactor, "bulkmail.content.compose:Composer", None, *further)
        try:
            # an answer, whatever it is: the child runs, and the kernel shows its own environment, not one of before
            with contextlib.suppress(WorkerFailedError):
                await worker.ask(("no job",), None)
            return Path(f"/proc/{worker.pid}/environ").read_text("utf-8")
        finally:
            await worker.close()

    async def test_no_password_stands_in_the_environment_of_a_child(self) -> None:
        self.patch(os, "environ", {**os.environ, **SECRETS})
        assert "secret" not in await self.environment()
        assert "PGPASSWORD=secret" in await self.environment(DATABASE)
