"""The page on a real socket: the reactor runs in a process of its own, with an object that knows tokens by rote."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent

SERVE = """
import json, sys, time
from twisted.internet import reactor
from twisted.internet.defer import Deferred
reactor.seconds = time.monotonic
from bulkmail.public import PublicServer
from bulkmail.settings import load_settings
from bulkmail.settings.public import Public
from bulkmail.settings.values import Reading
from tests.public.known import Known

settings = Public.model_validate(json.loads(sys.argv[1]), context=Reading(sys.argv[2]))
server = PublicServer(reactor, settings, Known(lambda line: print(line, flush=True)))
server.open()
reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(server.close()))
reactor.callWhenRunning(print, "listening", flush=True)
reactor.run()
"""


@dataclass
class Served:
    """A page that is served: its port, its process, and what it has asked for."""

    port: int
    process: subprocess.Popen[str]
    calls: Path

    def asked(self) -> list[list[str]]:
        """What the page has asked its object for, up to now."""
        return [json.loads(line) for line in self.calls.read_text().splitlines() if line.startswith("[")]

    def send(self, *pieces: bytes, patience: float = 20.0) -> bytes:
        """All that is answered to these octets, up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port)) as one:
            one.settimeout(patience)
            data = b""
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    one.sendall(piece)
                while piece := one.recv(65536):
                    data += piece
        return data


@pytest.fixture
def serving(tmp_path: Path, popen: Any, until: Any, end: Any) -> Iterator[Callable[..., Served]]:
    """Serve the page with these settings on a free port."""
    started = []

    def serve(**settings: Any) -> Served:
        port = free_port()
        calls = tmp_path / f"calls-{port}"
        given = {"listen": f"127.0.0.1:{port}", "url": "https://mail.example.com", **settings}
        with calls.open("w") as out:
            words = [sys.executable, "-c", SERVE, json.dumps(given), str(tmp_path)]
            process = popen(words, stdout=out, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        started.append(process)
        served = Served(port, process, calls)
        until(lambda: "listening" in calls.read_text() or process.poll() is not None, "the page")
        assert process.poll() is None, process.communicate()[1]
        return served

    yield serve
    for process in started:
        end(process)
