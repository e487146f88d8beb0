"""Programs of bulkmail that are forked from an interpreter which has imported them, in place of one that starts anew.

To import bulkmail takes a second of the processor, and the tests start some hundred programs. ``python launcher.py FD``
imports it once, then forks a process for each request that it reads from the socket FD: a JSON line with words (the
program, ``twistd`` or ``bulkmail``, and its arguments), cwd, env, out, err. It answers with a line ``{"pid": N}``, and
with a line ``{"pid": N, "status": S}`` when that one has ended. From the fork on the process does what the program's
own script does, in a session of its own; the mailer's workers are interpreters of their own, as always.

`Launcher.start` is the other side of the socket; what it returns is used as a `subprocess.Popen`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Launched:
    """One process: what the tests use of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, launcher: Launcher, pid: int, words: Sequence[str]) -> None:
        self.args = words
        self.pid = pid
        self.returncode: int | None = None
        self._launcher = launcher

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._launcher.status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Launcher:
    """The interpreter to fork from, started with the first program; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._rest = b""
        self._started: list[int] = []
        self._ended: dict[int, int] = {}

    def start(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], out: Path, err: Path) -> Launched:
        with self._lock:
            return self._start(words, cwd, env, out, err)

    def _start(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], out: Path, err: Path) -> Launched:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, __file__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
            atexit.register(self._close, process)
        os.umask(umask := os.umask(0))
        asked: dict[str, Any] = {
            "words": list(words),
            "cwd": str(cwd),
            "env": dict(env),
            "out": str(out),
            "err": str(err),
        }
        asked["umask"] = umask
        self._socket.sendall(json.dumps(asked).encode("ascii") + b"\n")
        while not self._started:
            self._listen(None)
        return Launched(self, self._started.pop(), words)

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        assert self._socket is not None
        self._socket.close()
        process.wait()

    def status(self, pid: int) -> int | None:
        """How it ended, as `subprocess.Popen.returncode` says it; None while it runs."""
        with self._lock:
            self._listen(0.0)
            return self._ended.get(pid)

    def _listen(self, patience: float | None) -> None:
        assert self._socket is not None
        self._socket.settimeout(patience)
        try:
            data = self._socket.recv(1 << 16)
        except (TimeoutError, BlockingIOError):
            return
        finally:
            self._socket.settimeout(None)
        assert data, "the interpreter that programs are forked from has ended"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in map(json.loads, lines):
            if "status" in line:
                self._ended[line["pid"]] = line["status"]
            else:
                self._started.append(line["pid"])


def _serve(peer: socket.socket) -> dict[str, Any]:
    """Fork for each request; returns in the forked process, with the request. Ends with the peer."""
    import select

    running: dict[int, int] = {}  # descriptor of a process: its id
    rest = b""

    def tell(**facts: int) -> None:
        peer.sendall(json.dumps(facts).encode("ascii") + b"\n")

    while True:
        ready = select.select([peer.fileno(), *running], [], [])[0]
        for descriptor in ready:
            if descriptor in running:
                pid = running.pop(descriptor)
                os.close(descriptor)
                tell(pid=pid, status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if peer.fileno() not in ready:
            continue
        data = peer.recv(1 << 16)
        if not data:
            raise SystemExit
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            pid = os.fork()
            if not pid:
                return dict(json.loads(line))
            running[os.pidfd_open(pid)] = pid
            tell(pid=pid)


def _become(asked: dict[str, Any]) -> None:
    """Make of the forked process what a started one is: its session, folder, descriptors, environment and words."""
    os.setsid()
    os.chdir(asked["cwd"])
    os.umask(asked["umask"])
    for name, descriptor in (("out", 1), ("err", 2)):
        opened = os.open(asked[name], os.O_WRONLY)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(asked["env"])
    program, *arguments = asked["words"]
    sys.argv = [program, *arguments]
    sys.path[0] = os.path.dirname(program)
    from bulkmail import failpoints

    try:
        failpoints.armed.update(failpoints.parse(os.environ.get(failpoints.VARIABLE, "")))
    except ValueError as error:
        raise SystemExit(f"{failpoints.VARIABLE}: {error}") from None


def main() -> None:
    import gc

    import twisted.scripts.twistd

    import bulkmail.cli
    import bulkmail.tap
    import twisted.plugins.bulkmail_plugin

    assert "twisted.internet.reactor" not in sys.modules, "a reactor of several processes is none of any"
    programs = {"twistd": twisted.scripts.twistd.run, "bulkmail": bulkmail.cli.main}
    gc.collect()
    gc.freeze()
    peer = socket.socket(fileno=int(sys.argv[1]))
    asked = _serve(peer)
    peer.detach()  # closed below
    _become(asked)
    sys.exit(programs[os.path.basename(sys.argv[0])]())


if __name__ == "__main__":
    main()
