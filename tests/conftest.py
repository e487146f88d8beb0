"""The whole program over real sockets: a name server, a mail server, a campaign folder, and twistd as people start it.

Everything is made under the test's own folder, every port is one that is free, and whatever a test starts is ended
with the test, by its process id. Used by tests/behaviour and tests/interop; unit tests have no need of it.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import importlib.util
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

# The tests start some thousand interpreters. Where the environment forbids bytecode, each would compile bulkmail anew,
# which is two fifths of all the processor's time that the tests of whole campaigns take. Before the imports below:
# pytest rewrites the asserts of Hypothesis, and would do so again in each of its own processes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import pytest  # noqa: E402
import yaml  # noqa: E402
from hypothesis import HealthCheck  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402

from tests.ports import free_port  # noqa: E402

# An example that takes long says that the machine is busy, not that a law is broken.
hypothesis_settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("few", hypothesis_settings.get_profile("whole"), max_examples=10)
QUICK = os.environ.get("BULKMAIL_TEST_QUICK") == "1"
hypothesis_settings.load_profile("few" if QUICK or os.environ.get("BULKMAIL_TEST_FEW_EXAMPLES") == "1" else "whole")

# While ten thousand tests are collected nothing becomes garbage, and what is collected stays: no look at it then, and
# none in each collection of the tests' own garbage.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes begin with what takes long, then take what waits: none is left alone with it at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:

        def place(item: pytest.Item) -> int:
            marks = {mark.name for mark in item.iter_markers()}
            return 0 if "slow" in marks else 1 if marks & {"loopback", "interop", "process"} else 2

        items.sort(key=place)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


BIN = Path(sys.executable).parent
RECEIVER = Path(__file__).parent / "receiver.py"
PATIENCE = 300.0  # for what hangs
WITNESS = "witness.test"
WITNESS_RECORD = f"dns-rr={WITNESS},2,026e73047465737400"  # its NS is ns.test
NOTHING_SKIPPED = "BULKMAIL_TEST_NOTHING_SKIPPED"
HTML = "<html><body><p>Hello {{ first_name }}</p></body></html>\n"


def _neighbour(name: str) -> Any:
    """A module beside this file: test folders are no packages."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


_RECONCILING = _neighbour("reconciling")
_PACING = _neighbour("pacing")
_NAMESERVER = _neighbour("nameserver")
_LAUNCHER = _neighbour("launcher").Launcher()
_READ_LATER = {"BULKMAIL_FAILPOINTS", "INVOCATION_ID"}  # by bulkmail itself, not by the interpreter that starts


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE, every: float = 0.02) -> Any:
    """Wait until ``condition()`` gives something; fail, saying what was waited for."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:g} s in vain for {what}")
        time.sleep(every)
    return found


def missing(reason: str) -> NoReturn:
    """Skip for want of ``reason``; where nothing may be skipped, fail."""
    if os.environ.get(NOTHING_SKIPPED) == "1":
        pytest.fail(f"{reason}, and {NOTHING_SKIPPED}=1 says that nothing may be skipped")
    pytest.skip(reason)


def program(name: str, package: str) -> str:
    """The path of a program, or a skip that names the Debian package it is in."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return found or missing(f"{name} is not installed (Debian: {package})")


def end(process: subprocess.Popen[Any], patience: float = 10.0) -> None:
    """Ask a process of ours to end, and make it end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@dataclass
class Finished:
    """How a program ended: its status and what it said."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class Running:
    """A program that was started in a process group of its own, its output in files."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.out.read_text("utf-8", "replace") + self.err.read_text("utf-8", "replace")

    def wait(self, patience: float = PATIENCE) -> Finished:
        """Until it has ended. Whatever happens to it, it never shows a traceback."""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {patience:g} s; it said:\n{self.said()[-4000:]}") from None
        finished = Finished(status, self.out.read_text("utf-8", "replace"), self.err.read_text("utf-8", "replace"))
        assert "Traceback" not in finished.said, finished.said
        assert "Unhandled" not in finished.said, finished.said
        return finished

    def signal(self, number: int) -> None:
        """To the daemon alone, as an operator would."""
        self.process.send_signal(number)

    def kill_group(self) -> None:
        """kill -9 for the daemon and all its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def group(self) -> list[int]:
        """The processes of its group that are alive."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _group_of(pid) == self.pid]


def _group_of(pid: int) -> int:
    """The process group of a process that is alive; 0 for a zombie or none."""
    try:
        state, _, group = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[:3]
    except OSError:
        return 0
    return 0 if state == "Z" else int(group)


class PgServer:
    """A PostgreSQL of our own on a socket in a folder. It refuses root, who starts it as Debian's user for it."""

    def __init__(self, *, durable: bool = False, standby_of: PgServer | None = None) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
        which = shutil.which("initdb")
        if not found and which is None:
            missing("initdb is not installed (Debian: postgresql)")
        self.bin = found[-1].parent if found else Path(str(which)).parent
        self.folder = Path(tempfile.mkdtemp(prefix="bulkmail-pg-", dir="/tmp"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.data = self.folder / "data"
        settings = {"unix_socket_directories": str(self.folder), "max_connections": "200"}
        self.port = free_port() if durable else 5432
        settings |= {"listen_addresses": "127.0.0.1" if durable else "", "port": str(self.port)}
        if not durable:
            settings["fsync"] = "off"
        if standby_of is None:
            self._as("initdb", "-D", self.data, "-U", "bulkmail", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        else:
            where = ("-h", standby_of.folder, "-p", standby_of.port, "-U", "bulkmail")
            self._as("pg_basebackup", *where, "-D", self.data, "-R", "-X", "stream", "-c", "fast")
        self.set(**settings)
        self.start()
        self._schemas = 0

    def set(self, **settings: str) -> None:
        """Settings for its next start, or `reload`."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def reload(self) -> None:
        self._as("pg_ctl", "-D", self.data, "reload")

    def promote(self) -> None:
        """A standby becomes the one that takes writes."""
        self._as("pg_ctl", "-D", self.data, "-w", "-t", "30", "promote")

    def start(self, *, wait: bool = True) -> None:
        self._as("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w" if wait else "-W", "-t", "30", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._as("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "30", "stop")

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, schema: str = "public") -> str:
        return f"postgresql://bulkmail@/postgres?host={self.folder}&port={self.port}&options=-csearch_path%3D{schema}"

    def fresh(self) -> str:
        """The address of an empty schema."""
        self._schemas += 1
        schema = f"test{os.getpid()}_{self._schemas}"
        self.run(f"CREATE SCHEMA {schema}")
        return self.dsn(schema)

    def run(self, statement: str) -> Any:
        import psycopg

        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def _as(self, name: str, *arguments: Any) -> None:
        other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*other, str(self.bin / name), *map(str, arguments)],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip


class GivenPg(PgServer):
    """The server that BULKMAIL_TEST_PG names; each test gets a schema of its own in it."""

    def __init__(self, dsn: str) -> None:
        self._given = dsn
        self._schemas = 0

    def dsn(self, schema: str = "public") -> str:
        return f"{self._given}{'&' if '?' in self._given else '?'}options=-csearch_path%3D{schema}"

    def close(self) -> None:
        for number in range(1, self._schemas + 1):
            self.run(f"DROP SCHEMA test{os.getpid()}_{number} CASCADE")


def _need_psycopg() -> None:
    if QUICK:
        pytest.skip("--quick starts no server")
    if importlib.util.find_spec("psycopg") is None:
        missing("psycopg is not installed (pip install bulkmail[postgres])")


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PgServer]:
    """PostgreSQL for the whole run, or a skip that says what is missing."""
    _need_psycopg()
    given = os.environ.get("BULKMAIL_TEST_PG")
    made = GivenPg(given) if given else PgServer()
    try:
        yield made
    finally:
        made.close()


class PgPair:
    """A primary and its standby, of which one has everything that the other has confirmed."""

    def __init__(self) -> None:
        self.primary = PgServer(durable=True)
        try:
            self.standby = PgServer(durable=True, standby_of=self.primary)
        except BaseException:
            self.primary.close()
            raise
        self.primary.set(synchronous_standby_names="*")
        self.primary.reload()
        sync = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        until(lambda: self.primary.run(sync), "the standby to follow")

    def fresh(self) -> str:
        """The address of an empty schema, on whichever of the two takes writes."""
        schema = self.primary.fresh().rpartition("%3D")[2]
        both = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        options = f"target_session_attrs=read-write&options=-csearch_path%3D{schema}"
        return f"postgresql://bulkmail@{both}/postgres?{options}"

    def fail_over(self) -> None:
        """The primary dies; the standby takes over."""
        self.primary.stop()
        self.standby.promote()

    def close(self) -> None:
        self.primary.close()
        self.standby.close()


@pytest.fixture
def pg_pair() -> Iterator[PgPair]:
    """A PostgreSQL and its synchronous standby, of this test's own."""
    _need_psycopg()
    made = PgPair()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def own_pg_server() -> Iterator[PgServer]:
    """A PostgreSQL of this test's own, which may stop and start it."""
    _need_psycopg()
    made = PgServer(durable=True)
    try:
        yield made
    finally:
        made.close()


@dataclass
class MailServer:
    """tests/receiver.py, listening on ``port`` of all its addresses."""

    process: subprocess.Popen[bytes]
    port: int
    record: Path
    kept: Path

    def received(self) -> list[dict[str, Any]]:
        """Every accepted message, in order."""
        return [json.loads(line) for line in self.record.read_text("ascii").splitlines()]

    def count(self) -> int:
        return self.record.read_bytes().count(b"\n")

    def connections(self) -> list[dict[str, Any]]:
        """Every connection that opened or closed, in order."""
        return [json.loads(line) for line in self.record.with_name("connections").read_text("ascii").splitlines()]

    def ids(self) -> dict[str, list[str]]:
        """Recipient -> the Message-IDs of what was accepted for it."""
        found: dict[str, list[str]] = {}
        for one in self.received():
            found.setdefault(one["to"], []).append(one["message_id"])
        return found


@dataclass
class Campaign:
    """A campaign folder, and what its report says."""

    folder: Path
    addresses: list[str] = field(default_factory=list)

    @property
    def yaml(self) -> Path:
        return self.folder / "campaign.yaml"

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def rows(self) -> list[dict[str, str]]:
        """recipients.csv."""
        return self._read("recipients.csv")

    def attempts(self) -> list[dict[str, str]]:
        """attempts.csv; only whole lines are allowed in it."""
        return self._read("attempts.csv")

    def _read(self, name: str) -> list[dict[str, str]]:
        text = (self.report / name).read_bytes().decode("utf-8-sig")
        assert text.endswith("\r\n"), f"{name} ends in the middle of a line: {text[-200:]!r}"
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        torn = [row for row in rows if None in row or None in row.values()]
        assert not torn, f"{name} has torn lines: {torn[:3]}"
        return rows

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.report / "summary.json").read_text("utf-8"))
        return found

    def statuses(self) -> Counter[str]:
        return Counter(row["status"] for row in self.rows())

    def check_report(self) -> None:
        """What holds for every report: one row per input row in its order, and all the figures agree."""
        rows, summary = self.rows(), self.summary()
        # not what came back later
        tried = ("delivered", "failed", "deferred", "unknown")
        attempts = [one for one in self.attempts() if one["result"] in tried]
        assert [row["row"] for row in rows] == [str(n + 1) for n in range(len(self.addresses))]
        assert [row["email"] for row in rows] == self.addresses
        assert {key: n for key, n in summary["by_status"].items() if n} == dict(self.statuses())
        assert summary["input_rows"] == len(rows)
        lines = Counter(attempt["row"] for attempt in attempts)
        assert {row["row"]: int(row["attempts"] or 0) for row in rows if row["attempts"] not in ("", "0")} == lines
        assert len({(attempt["row"], attempt["attempt"]) for attempt in attempts}) == len(attempts)


class World:
    """One test's world: its folder, name server, mail server, settings and programs."""

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder = folder
        self.fresh = fresh  # each program is started anew, and none forked (tests/launcher.py)
        self.server: MailServer
        self.nameserver = ""
        self.witnesses: list[str] = []  # what the name server must know; the rehearsal's knows all there may be
        self._ending = contextlib.ExitStack()
        self.environment: dict[str, str] = {}  # of every program that is started
        self._started = 0
        self._end_names: Callable[[], None] = lambda: None

    def close(self) -> None:
        self._ending.close()

    def on_end(self, call: Callable[..., Any], *arguments: Any) -> None:
        self._ending.callback(call, *arguments)

    # servers

    def start_names(self, zone: Mapping[str, Sequence[str]], hosts: Mapping[str, str]) -> None:
        """dnsmasq. ``zone``: domain -> its MX hosts, the most preferred first; ``hosts``: name -> address."""
        lines = [f"mx-host={name},{mx},{10 * (n + 1)}" for name, mxs in zone.items() for n, mx in enumerate(mxs)]
        lines += [f"host-record={name},{address}" for name, address in hosts.items()]
        (self.folder / "dnsmasq.conf").write_text("\n".join([*lines, "local=/test/", WITNESS_RECORD]) + "\n")
        (self.folder / "liar.conf").write_text("address=/#/\n")  # NXDOMAIN, whatever is asked for
        (self.folder / "alone.conf").write_text("")  # no upstream: REFUSED, whatever is asked for
        for _ in range(5):
            if self._dnsmasq("dnsmasq.conf", free_port()):
                return
        raise AssertionError("dnsmasq does not start")

    def names_lie(self, lie: bool) -> None:
        """From now on the name server says of everything that it does not exist, or the truth again."""
        self._names_as("liar.conf" if lie else "dnsmasq.conf")

    def names_refuse(self, refuse: bool) -> None:
        """From now on the name server has no upstream and refuses everything, or answers again."""
        self._names_as("alone.conf" if refuse else "dnsmasq.conf")

    def _names_as(self, conf: str) -> None:
        self._end_names()
        port = int(self.nameserver.rpartition(":")[2])
        until(lambda: self._dnsmasq(conf, port), "the name server's port")

    def _dnsmasq(self, conf: str, port: int) -> bool:
        dnsmasq = program("dnsmasq", "dnsmasq-base")
        process = subprocess.Popen(
            [dnsmasq, "--no-daemon", "--no-resolv", "--no-hosts", f"--port={port}", "--listen-address=127.0.0.1",
             "--bind-interfaces", f"--conf-file={self.folder / conf}", "--pid-file=", "--cache-size=0",
             *_as_root("--user=root")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._end_names = partial(end, process)
        self.on_end(end, process)
        until(lambda: process.poll() is not None or _listens(port), "dnsmasq")
        self.nameserver, self.witnesses = f"127.0.0.1:{port}", [WITNESS]
        return process.poll() is None

    def start_mail(
        self, addresses: Sequence[str], *, delay: float = 0.0, most: int = 100, chunking: bool = False, refuse: str = ""
    ) -> MailServer:
        """tests/receiver.py, keeping the messages as they came."""
        self._started += 1
        place = self.folder / f"mail{self._started}"
        kept = place / "kept"
        kept.mkdir(parents=True)
        record = place / "record"
        record.touch()
        words = [
            str(RECEIVER),
            "--record",
            str(record),
            "--connections",
            str(place / "connections"),
            "--keep",
            str(kept),
        ]
        words += ["--delay", str(delay), "--most", str(most), *(["--chunking"] if chunking else [])]
        words += [*(["--refuse", refuse] if refuse else []), *addresses]
        words = [sys.executable, *words]
        popen = subprocess.Popen if self.fresh else _LAUNCHER.popen
        process = popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.on_end(end, process)
        assert process.stdout is not None
        self.server = MailServer(process, json.loads(process.stdout.readline())["port"], record, kept)
        return self.server

    # files

    def settings(self, *, port: int = 0, **changes: Any) -> Path:
        """bulkmail.yaml: the test's servers, brisk retries; ``changes`` are merged into it."""
        values: dict[str, Any] = {
            "hostname": "mta1.example.com",
            "spool": "./spool",
            "dns": {"nameservers": [self.nameserver], "timeout": "5s", "must_exist": self.witnesses},
            "routing": {"allow_networks": ["127.0.0.0/8"]},
            "smtp": {"port": port or self.server.port},
            "retry": {"schedule": ["500ms"], "unknown_after": "500ms", "greylist_after": "500ms"},
            "shaping": {"default": {"connections": 10, "rate": "10000/s", "connection_rate": "1000/s"}},
            "stop_within": "5s",
            "approval": "none",
        }
        path = self.folder / "bulkmail.yaml"
        path.write_text(yaml.safe_dump(_merged(values, changes), sort_keys=False))
        return path

    def campaign(
        self,
        name: str,
        addresses: Sequence[str],
        *,
        html: str = HTML,
        more: str = "",
        columns: Sequence[str] = ("first_name",),
        cells: Callable[[int], Sequence[str]] = lambda n: [f"Name {n}"],
        parent: Path | None = None,
    ) -> Campaign:
        """A campaign folder. ``cells(n)`` gives the row's cells behind the address; ``more`` is further YAML."""
        folder = (parent or self.folder) / name
        folder.mkdir(parents=True)
        with (folder / "recipients.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["email", *columns])
            writer.writerows([address, *cells(n)] for n, address in enumerate(addresses))
        (folder / "body.html.j2").write_text(html, "utf-8")
        (folder / "campaign.yaml").write_text(
            f"name: {name}\n"
            'from: "Example Shop <news@example.com>"\n'
            'subject: "{{ first_name }}, spring is here"\n'
            "template: {html: body.html.j2}\n"
            f"recipients: recipients.csv\n{more}",
            "utf-8",
        )
        return Campaign(folder, list(addresses))

    # programs

    def start(
        self,
        *arguments: str,
        command: Sequence[str] = ("twistd", "-n", "--pidfile=", "bulkmail"),
        environment: Mapping[str, str] | None = None,
    ) -> Running:
        """Start `twistd -n bulkmail ARGUMENTS` in the world's folder. ``environment`` is added to ours."""
        self._started += 1
        out, err = (self.folder / f"run{self._started}.{name}" for name in ("out", "err"))
        words = [str(BIN / command[0]), *command[1:], *arguments]
        further = {**self.environment, **(environment or {})}
        env = {**os.environ, **further}
        with out.open("wb") as out_file, err.open("wb") as err_file:
            known = command[0] == "bulkmail" or tuple(command[:2]) == ("twistd", "-n")  # as a daemon it is started anew
            forked = known and not self.fresh and further.keys() <= _READ_LATER
            process = (_LAUNCHER.popen if forked else subprocess.Popen)(
                words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file, env=env,
                start_new_session=True,
            )  # fmt: skip
        running = Running(process, out, err)
        self.on_end(running.kill_group)
        return running

    def run(self, *arguments: str, patience: float = PATIENCE) -> Finished:
        """Run `twistd -n bulkmail ARGUMENTS` to its end."""
        return self.start(*arguments).wait(patience)

    def failing(self, points: str, *arguments: str) -> Running:
        """Start `twistd -n bulkmail ARGUMENTS` with faults on purpose (bulkmail.failpoints)."""
        return self.start(*arguments, environment={"BULKMAIL_FAILPOINTS": points})

    def reconciled(self, campaign: Campaign, *, keep: bool = False) -> Any:
        """The accounts of a campaign that has ended (tests/reconciling.py); fails where they do not add up."""
        campaign.check_report()
        accounts = _RECONCILING.reconcile(
            campaign.addresses, campaign.report, self.folder / "spool", self.server.record, keep=keep
        )
        assert accounts.fine, (accounts.wrong, accounts.examples)
        return accounts

    def bulkmail(self, *arguments: str) -> Finished:
        """Run the `bulkmail` command."""
        return self.start(*arguments, command=("bulkmail",)).wait()

    def daemonise(self, *arguments: str, umask: int = 0o022) -> tuple[Finished, Path]:
        """Run twistd without -n: how the shell sees it end, and the pid file."""
        pid_file = self.folder / "twistd.pid"
        self.on_end(_end_daemon, pid_file)
        before = os.umask(umask)
        try:
            command = ("twistd", f"--pidfile={pid_file}", f"--logfile={self.folder}/twistd.log", "bulkmail")
            running = self.start(*arguments, command=command)
        finally:
            os.umask(before)
        return running.wait(), pid_file

    def stored_attempts(self) -> int:
        """How many attempts the spool knows."""
        return self._stored("SELECT count(*) FROM attempt")

    def stored_rows(self) -> int:
        """How many input rows the spool knows; 0 while there is no spool."""
        return self._stored("SELECT coalesce(sum(input_rows), 0) FROM campaign")

    def _stored(self, query: str) -> int:
        path = self.folder / "spool" / "spool.sqlite3"
        if not path.exists():
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            found: int = store.execute(query).fetchone()[0]
        return found


def _as_root(*arguments: str) -> tuple[str, ...]:
    return arguments if os.geteuid() == 0 else ()


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        inner = values.get(key)
        values[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return values


def _end_daemon(pid_file: Path) -> None:
    """A daemon is nobody's child: only its pid file tells which process it is."""
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(int(pid_file.read_text("ascii")), signal.SIGKILL)


@pytest.fixture
def name_server() -> Iterator[Callable[[], Any]]:
    """``name_server()``: a running tests/nameserver.py, ended with the test."""
    running: list[Any] = []

    def start() -> Any:
        running.append(_NAMESERVER.DnsServer())
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def pacing() -> Any:
    """tests/pacing.py."""
    return _PACING


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """d0.test to d19.test, each with one of four MX hosts on 127.0.1.1 to 127.0.1.4, and a mail server there."""
    made = World(tmp_path, fresh=request.node.get_closest_marker("fresh") is not None)
    try:
        hosts = {f"mx{n}.test": f"127.0.1.{n + 1}" for n in range(4)}
        made.start_names({f"d{n}.test": [f"mx{n % 4}.test"] for n in range(20)}, hosts)
        made.start_mail(list(hosts.values()))
        made.settings()
        yield made
    finally:
        made.close()


@pytest.fixture
def clock_of_programs(world: World, missing: Callable[[str], None]) -> Path:
    """A file that says how far the clock of the world's programs is off, as ``+3600``; they believe it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        missing("libfaketime is not installed (Debian: libfaketime)")
    path = world.folder / "clock"
    path.write_text("+0\n")
    world.environment = {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(path),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return path


@pytest.fixture(scope="session")
def world_in() -> Callable[[Path], World]:
    """An empty world in a folder, for suites that bring their own servers; to be closed by who made it."""
    return World


@pytest.fixture(scope="session")
def popen() -> Callable[..., subprocess.Popen[Any]]:
    """`subprocess.Popen` for a Python program that is not about its own start: it is forked (tests/launcher.py)."""
    made: Callable[..., subprocess.Popen[Any]] = _LAUNCHER.popen
    return made


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`subprocess.run` for such a program, which takes what it says: ``run_python(words, given="")``."""
    made: Callable[..., subprocess.CompletedProcess[str]] = _LAUNCHER.run
    return made


@pytest.fixture
def disk(world: World) -> Callable[[str], Path]:
    """``disk(size)``: the folder of a file system of its own, of so many bytes (as mount(8) writes them)."""

    def mount(size: str) -> Path:
        if os.geteuid() != 0:
            missing("only root can mount a small file system")
        place: Path = world.folder / "disk"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "bulkmail-test", str(place)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            missing(f"no file system can be mounted here: {mounted.stderr.strip()}")
        world.on_end(subprocess.run, ["umount", "-l", str(place)])
        return place

    return mount


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    """`until` for tests: conftest files are not imported."""
    return until


@pytest.fixture
def needs() -> Callable[[str, str], str]:
    """``needs(program, Debian package)``: its path, or a skip."""
    return program


@pytest.fixture(name="missing")
def _missing() -> Callable[[str], NoReturn]:
    return missing


@pytest.fixture(name="end")
def _end() -> Callable[..., None]:
    return end
