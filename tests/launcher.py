"""Programs of bulkmail that are forked from an interpreter which has imported them, in place of one that starts anew.

To import bulkmail takes a second of the processor, and what a worker needs a sixth of one; the tests start some hundred
programs, and each of those some workers. ``python launcher.py FD`` imports it all once, then forks a process for each
request that it reads from the socket FD: a JSON object with words (``twistd``, ``bulkmail`` or the interpreter, and its
arguments), cwd, umask, nice, env, session, and fds, the numbers of the descriptors that come with it. It answers with
the id of the process, which is a child of whoever asks, as one that it had started itself: its parent waits for it, and
is told of its end. From the fork on the process does what the program's own script does, or the interpreter.

Each program has such a server of its own, forked from it before it begins, and by it Twisted starts what is ``python -P
-m MODULE``, with nice(1) before it or without: the mailer's workers, children of the mailer as always. What the server
cannot do, or does no more because it was killed too, Twisted does.

`Launcher` is the other side of the socket; what it starts is a `subprocess.Popen`.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import inspect
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
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

# clone(2): its number, which the C library does not give; the child's parent is the caller's
_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
_CLONE_PARENT = 0x8000
_MOST = 1 << 17  # bytes of a request
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]

_STARTING: Any = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")

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


class Forked(subprocess.Popen[Any]):
    """A program that ``fork`` (as `ForkServer.fork`) starts."""

    def __init__(self, fork: Callable[..., int], words: Sequence[str], **options: Any) -> None:
        self._fork = fork
        super().__init__(words, **options)

    def _execute_child(self, *given: Any) -> None:
        asked = _STARTING.bind(self, *given).arguments
        given_fds = (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])  # each of ours, or -1: as ours is
        fds = {number: number if fd == -1 else fd for number, fd in enumerate(given_fds)}
        cwd, env = asked["cwd"], asked["env"]
        env = os.environ if env is None else env
        self.pid = self._fork(
            asked["args"], os.fspath(cwd or os.getcwd()), env, fds, session=asked["start_new_session"]
        )
        this: Any = self
        this._child_created = True
        this._close_pipe_fds(*(asked[name] for name in _PIPES))


class Launcher:
    """The interpreter to fork from, started with the first program; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: ForkServer | None = None

    def popen(self, words: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """Start a program as `subprocess.Popen` does. ``options``: cwd, env, stdin, stdout, stderr, text, a session."""
        words = list(map(os.fspath, words))
        return Forked(self._fork, words, **options) if KNOWN else subprocess.Popen(words, **options)

    def run(
        self, words: Sequence[str | Path], *, given: str | None = None, patience: float = 300.0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as `subprocess.run` does, and take what it says. ``patience``: seconds."""
        pipes = {"stdin": subprocess.DEVNULL if given is None else subprocess.PIPE, "text": True}
        with self.popen(words, **pipes, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
            try:
                out, err = process.communicate(given, patience)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def _fork(self, *arguments: Any, **options: Any) -> int:
        with self._lock:
            return self._running().fork(*arguments, **options)

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
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
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
    """Do what the interpreter does with ``words``, or what the script ``words[0]`` does."""
    if words[0] == sys.executable:
        _interpret(words[1:])
        return
    sys.argv = words
    sys.path.insert(0, os.path.dirname(words[0]))
    import twisted.scripts.twistd

    import bulkmail.cli

    _fork_for_twisted()
    sys.exit({"twistd": twisted.scripts.twistd.run, "bulkmail": bulkmail.cli.main}[os.path.basename(words[0])]())


def _interpret(words: list[str]) -> None:
    """Run ``-m`` and a module, ``-c`` and a text, or a script; each with its arguments, and after ``-P`` or without."""
    if words[0] == "-P":
        words = words[1:]
    else:
        sys.path.insert(0, {"-m": os.getcwd(), "-c": ""}.get(words[0], os.path.dirname(words[0])))
    what = words[1] if words[0] in ("-m", "-c") else words[0]
    if what != _WORKER:  # which starts nothing
        _fork_for_twisted()
    if words[0] == "-m":
        sys.argv = words[1:]
        if not hasattr(sys.modules.get(what), "__path__"):
            sys.modules.pop(what, None)  # runpy warns of a module that is there already
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), main.__dict__)
    else:
        sys.argv = words
        runpy.run_path(what, run_name="__main__")


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
                process.pid = server.fork(words, os.getcwd(), env, kwargs["fdmap"], nice=nice)
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
