"""Programs of bulkmail that are forked from an interpreter which has imported them, in place of one that starts anew.

To import bulkmail takes a second of the processor, and what a worker needs a sixth of one; the tests start some hundred
programs, and each of those some workers. ``python launcher.py FD`` imports it all once, then forks a process for each
request that it reads from the socket FD: a JSON object with words (the program, ``twistd``, ``bulkmail`` or
tests/receiver.py, and its arguments, or ``-m``, a module and its arguments), cwd, umask, nice, env, session, and fds,
the numbers of the descriptors that come with it. It answers with the id of the process, which is a child of whoever
asks, as one that it had started itself: its parent waits for it, and is told of its end. From the fork on the process
does what the program's own script does.

Each program has such a server of its own, forked from it before it begins, and by it Twisted starts what is ``python -P
-m MODULE``, with nice(1) before it or without: the mailer's workers, children of the mailer as always. What the server
cannot do, or does no more because it was killed too, Twisted does.

`Launcher` is the other side of the socket; what it returns is used as a `subprocess.Popen`.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import platform
import resource
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

# clone(2): its number, which the C library does not give; the child's parent is the caller's
_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
_CLONE_PARENT = 0x8000
_MOST = 1 << 17  # bytes of a request
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]

_LEFT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORKER = "bulkmail.workers.child"
_IMPORTED = (
    *("bulkmail.cli", "bulkmail.tap", "twisted.plugins.bulkmail_plugin", "twisted.scripts.twistd"),
    *("twisted.internet.epollreactor", "twisted.internet.process", "twisted.internet.stdio", "receiver"),
    *("bulkmail.content.compose", "bulkmail.listing", "bulkmail.reporter", "bulkmail.routing.resolver", _WORKER),
    *("bulkmail.preflight.inspector", "bulkmail.returns.reader", "bulkmail.delivery.lifecycle.checker"),
    *("bulkmail.inbound.child", "bulkmail.inbound.serving"),
)

KNOWN = _CLONE is not None
"""Whether processes can be forked here."""


class ForkServer:
    """The asking side of a server, by its socket."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def fork(
        self,
        words: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
        fds: Mapping[int, int],
        *,
        nice: int = 0,
        session: bool = False,
    ) -> int:
        """Fork a child of this process; return its id. ``fds``: its descriptors, each of ours. Raises OSError."""
        os.umask(umask := os.umask(0))
        asked: dict[str, Any] = {"words": list(words), "cwd": cwd, "env": dict(env), "fds": list(fds)}
        asked |= {"umask": umask, "nice": nice, "session": session}
        socket.send_fds(self._peer, [json.dumps(asked).encode("ascii")], list(fds.values()))
        answer = self._peer.recv(32)
        if not answer:
            raise ConnectionError("the interpreter that programs are forked from has ended")
        return int(answer)

    def close(self) -> None:
        self._peer.close()


class Launched:
    """One process: what the tests use of `subprocess.Popen`."""

    stderr = None

    def __init__(
        self, pid: int, words: Sequence[str], stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
    ) -> None:
        self.args = words
        self.stdin = stdin
        self.stdout = stdout
        self.pid = pid
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if ended else None
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
        self._server: ForkServer | None = None

    def start(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], out: Path, err: Path) -> Launched:
        with self._lock, open(os.devnull, "rb") as nothing, out.open("wb") as out_file, err.open("wb") as err_file:
            fds = {0: nothing.fileno(), 1: out_file.fileno(), 2: err_file.fileno()}
            return Launched(self._running().fork(words, str(cwd), env, fds, session=True), words)

    def start_piped(self, words: Sequence[str]) -> Launched:
        """Start a program that talks with us by pipes."""
        read, stdin = os.pipe()
        stdout, written = os.pipe()
        try:
            with self._lock:
                pid = self._running().fork(words, os.getcwd(), os.environ, {0: read, 1: written, 2: 2})
        finally:
            os.close(read)
            os.close(written)
        return Launched(pid, words, open(stdin, "wb"), open(stdout, "rb"))

    def _running(self) -> ForkServer:
        if self._server is None:
            ours, theirs = _pair()
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, __file__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
            self._server = ForkServer(ours)
            atexit.register(self._close, self._server, process)
        return self._server

    @staticmethod
    def _close(server: ForkServer, process: subprocess.Popen[bytes]) -> None:
        server.close()
        process.wait()


def _pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection that keeps requests apart."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs


def _fork_sibling() -> int:
    """Fork, as `os.fork` does it, a child of this process's parent. For a process without threads."""
    python = ctypes.pythonapi  # which keeps the interpreter's lock
    python.PyOS_BeforeFork()
    pid: int = ctypes.PyDLL(None).syscall(_CLONE, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    (python.PyOS_AfterFork_Parent if pid else python.PyOS_AfterFork_Child)()
    if pid < 0:
        raise OSError("no process can be forked")
    return pid


def _serve(peer: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for each request; returns in the forked process, with the request and its descriptors."""
    while True:
        data, fds, _, _ = socket.recv_fds(peer, _MOST, 16)
        if not data:
            os._exit(0)
        pid = _fork_sibling()
        if not pid:
            peer.detach()  # closed with all others
            return json.loads(data), fds
        for fd in fds:
            os.close(fd)
        peer.send(str(pid).encode("ascii"))


def _become(asked: Mapping[str, Any], fds: Sequence[int]) -> None:
    """Make of the forked process what a started one is: its session, folder, limits, descriptors and environment."""
    if asked["session"]:
        os.setsid()
    os.chdir(asked["cwd"])
    os.umask(asked["umask"])
    os.nice(asked["nice"])
    for limit in _LIMITS:
        resource.setrlimit(limit, resource.prlimit(os.getppid(), limit))
    beyond = max(asked["fds"]) + 1
    apart = [fcntl.fcntl(fd, fcntl.F_DUPFD, beyond) for fd in fds]
    for number, fd in zip(asked["fds"], apart, strict=True):
        os.dup2(fd, number)
    os.closerange(beyond, 1024)
    os.environ.clear()
    os.environ.update(asked["env"])
    from bulkmail import failpoints

    failpoints.armed.clear()
    try:
        failpoints.armed.update(failpoints.parse(os.environ.get(failpoints.VARIABLE, "")))
    except ValueError as error:
        raise SystemExit(f"{failpoints.VARIABLE}: {error}") from None


def _obey(peer: socket.socket) -> NoReturn:
    """Serve; in a forked process, run the program that was asked for."""
    for number in _LEFT:
        signal.signal(number, signal.SIG_IGN)
    asked, fds = _serve(peer)
    for number in _LEFT:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _become(asked, fds)
    with _short_end():
        _run(asked["words"])
    sys.exit()


@contextlib.contextmanager
def _short_end() -> Iterator[None]:
    """End the process as the interpreter does, without the teardown of its modules: it would copy all their memory."""
    status = 1

    def end() -> None:
        gc.collect()  # complains of what nobody has handled
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(end)  # before what the program registers, so it is called behind that
    try:
        yield
        status = 0
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            status = ended.code or 0
        raise
    except KeyboardInterrupt:
        atexit.unregister(end)
        raise


def _run(words: list[str]) -> None:
    """Do what the script ``words[0]`` does; ``-m``: what ``python -P -m`` does with the words behind it."""
    if words[0] == "-m":
        sys.argv = words[1:]
        if sys.argv[0] == _WORKER:  # which starts nothing
            del sys.modules[_WORKER]  # runpy warns of a module that is there already
        else:
            _fork_for_twisted()
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    sys.argv = words
    sys.path.insert(0, os.path.dirname(words[0]))
    if os.path.basename(words[0]) == "receiver.py":
        import asyncio

        import receiver

        asyncio.run(receiver.main())
        return
    import twisted.scripts.twistd

    import bulkmail.cli

    _fork_for_twisted()
    sys.exit({"twistd": twisted.scripts.twistd.run, "bulkmail": bulkmail.cli.main}[os.path.basename(words[0])]())


def _fork_for_twisted() -> None:
    """Begin a server of this process's own, by which Twisted starts what is ``python -P -m MODULE``."""
    from twisted.internet.process import Process

    from bulkmail.workers.limits import end_with_parent

    ours, theirs = _pair()
    parent = os.getpid()
    if not os.fork():
        ours.close()
        end_with_parent(parent)
        with open(os.devnull, "r+b") as nothing:  # else it holds open what this process is given
            os.dup2(nothing.fileno(), 0)
            os.dup2(nothing.fileno(), 1)
        _obey(theirs)
    theirs.close()
    server, ids, spawn = ForkServer(ours), (os.getresuid(), os.getresgid()), Process._trySpawnInsteadOfFork

    def fork(
        process: Any, path: Any, uid: Any, gid: Any, executable: Any, args: Any, environment: Any, kwargs: Any
    ) -> bool:
        words = list(map(os.fsdecode, args))
        words, nice = (words[1:], 10) if words[0] == "/usr/bin/nice" else (words, 0)
        if words[:3] == [sys.executable, "-P", "-m"] and (os.getresuid(), os.getresgid()) == ids:
            env = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
            try:
                process.pid = server.fork(words[2:], os.getcwd(), env, kwargs["fdmap"], nice=nice)
            except OSError:
                pass  # it was killed
            else:
                process.status = -1
                return True
        return bool(spawn(process, path, uid, gid, executable, args, environment, kwargs))

    Process._trySpawnInsteadOfFork = fork


def main() -> None:
    from importlib import import_module

    for module in _IMPORTED:
        import_module(module)
    from bulkmail.commands import COMMANDS, command

    for name in COMMANDS:
        command(name)
    assert "twisted.internet.reactor" not in sys.modules, "a reactor of several processes is none of any"
    del sys.path[0]
    gc.collect()
    gc.freeze()
    _obey(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
