"""A served API on a real socket: the reactor runs in a process of its own, the client here is the commands' own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bulkmail.spool import SqliteStore, open_reader

SERVE = """
import asyncio, sys
from twisted.internet import reactor
from twisted.internet.task import deferLater
from bulkmail.control.problems import RequestProblem
from bulkmail.control.server import ControlServer
from bulkmail.mail import BulkmailError, OwnFault, UnknownName

async def answering(call):
    name = call.operation.name
    if name == "pause":
        return {"order": call.order.model_dump(by_alias=True), "name": call.path["name"]}
    if name == "resume":
        raise UnknownName("campaign", call.path["name"], ["spring"])
    if name == "cancel":
        raise BulkmailError("spring is finished already")
    if name == "remove":
        raise OwnFault("the disk is full")
    if name == "sites":
        raise ZeroDivisionError
    if name == "providers":
        await deferLater(reactor, 0.2)
    return {"asked": name, **call.query, **call.path}

server = ControlServer(reactor, sys.argv[1], answering)
server.open()
reactor.callWhenRunning(print, "listening", flush=True)
reactor.run()
"""


@pytest.fixture
def served(tmp_path, popen, end):
    """The folder of a control socket whose service answers by rote; its process."""
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    process = popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"listening\n", process.communicate()
        yield folder, process
    finally:
        end(process)


@pytest.fixture
def waiting(tmp_path):
    """A reader of a real spool with the campaign "spring", of which 250 rows wait."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    made = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1000.0
    )
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in range(1, 251)]
    store.add_rows(made.id, rows, {}, True, 1000.0)
    reader = open_reader(str(tmp_path))
    yield reader
    reader.close()
    store.close()
