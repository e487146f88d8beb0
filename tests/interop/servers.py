"""Mail servers that others wrote, each run for one test: where it listens, what it kept, what it said.

Recipients are treated by the beginning of their address, by every server alike:

    bounce   550 5.1.1 to RCPT        busy   451 4.3.0 to RCPT
    reject   550 5.7.1 to the message
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.interop import configurations
from tests.ports import free_port

HERE = Path(__file__).parent
FETCHED = HERE.parent.parent / ".venv" / "servers"
HOST = "mx.interop.test"
PATIENCE = 300.0
EXIM_ID = OPENSMTPD_ID = 101
OPENSMTPD_QUEUE_ID = 102
MAIL_ID = 103
COURIER_ID = 104


class Missing(Exception):
    """A server that is not here, and what it would take."""


@dataclass
class Server:
    """A running server: ``kept`` is the folder with one file for each message it took, ``said`` its log."""

    port: int
    kept: Path
    said: Path

    def count(self) -> int:
        return len(os.listdir(self.kept)) if self.kept.is_dir() else 0

    def messages(self) -> list[bytes]:
        return [path.read_bytes() for path in self.kept.iterdir()]

    def log(self) -> str:
        return self.said.read_text("utf-8", "replace") if self.said.exists() else ""


@contextlib.contextmanager
def postfix(*, connections: int, messages: int, more: str = "", services: str = "") -> Iterator[Server]:
    """Postfix with TLS, PIPELINING and CHUNKING; ``connections`` at once. Its services change to other users, so the
    place is open to them. ``more`` is added to main.cf, where ``{place}`` is its folder, and ``services`` to master.cf.
    """
    del messages  # it counts the messages of a minute, not those of a connection
    command = shutil.which("postfix", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    files = Path("/etc/postfix/postfix-files")
    if command is None or not files.exists():
        raise Missing("postfix is not installed (Debian: postfix)")
    if os.geteuid() != 0:
        raise Missing("postfix can only be started by root")
    with tempfile.TemporaryDirectory(prefix="bulkmail-postfix-") as name:
        place = Path(name)
        for folder in ("", "etc", "queue", "data", "mail", "log"):
            (place / folder).mkdir(exist_ok=True)
            (place / folder).chmod(0o755)
        etc = place / "etc"
        for path in (files, files.with_name("dynamicmaps.cf")):
            if path.exists():
                shutil.copy(path, etc)
        write_certificate(etc)
        port = free_port()
        (etc / "main.cf").write_text(
            configurations.POSTFIX_MAIN.format(place=place, connections=connections) + more.format(place=place)
        )
        (etc / "master.cf").write_text(configurations.POSTFIX_MASTER.format(port=port) + services)
        (etc / "recipients").write_text(configurations.POSTFIX_RECIPIENTS)
        (etc / "headers").write_text(configurations.POSTFIX_HEADERS)
        shutil.chown(place / "mail", "nobody")
        shutil.chown(place / "data", "postfix")
        server = Server(port, place / "mail" / "all" / "new", place / "log" / "maillog")
        whole = [command, "-c", str(etc)]
        environment = {**os.environ, "MAIL_CONFIG": str(etc)}
        with _running([*whole, "start-fg"], port, server.said, place / "said", env=environment):
            try:
                yield server
            finally:
                subprocess.run([*whole, "stop"], env=environment, capture_output=True, timeout=PATIENCE, check=False)


@contextlib.contextmanager
def exim(*, connections: int, messages: int, routes: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Exim with TLS, PIPELINING and CHUNKING; ``connections`` at once, ``messages`` on each.

    ``routes``: the ADDRESS:PORT that mail for each of some domains goes to; then no recipient is refused.
    """
    with _rooted("exim", "usr/sbin/exim4") as root:
        port = free_port()
        _passwd(root, {"Debian-exim": EXIM_ID})
        _folders(root, EXIM_ID, "mail", "spool", "log")
        (root / "etc" / "exim4").mkdir()
        conf = configurations.EXIM.format(port=port, connections=connections, messages=messages)
        conf = configurations.exim_relay(conf, routes) if routes else conf
        (root / "etc" / "exim4" / "exim4.conf").write_text(conf)
        write_certificate(root / "etc", owner=EXIM_ID)
        server = Server(port, root / "mail" / "new", root / "log" / "main")
        with _running(["chroot", str(root), "/usr/sbin/exim4", "-bdf"], port, server.said, root / "said"):
            yield server


@contextlib.contextmanager
def opensmtpd(*, connections: int, messages: int, routes: Mapping[str, str] | None = None) -> Iterator[Server]:
    """OpenSMTPD with ``messages`` on each connection; it has no limit of ``connections``. Debian 12's offers STARTTLS
    and cannot do it (github.com/OpenSMTPD/OpenSMTPD/issues/1171), as such servers are met in the world.

    ``routes``: the ADDRESS:PORT that mail for each of some domains goes to; then no recipient is refused.
    """
    del connections
    with _rooted("opensmtpd", "usr/sbin/smtpd") as root:
        port = free_port()
        _passwd(root, {"opensmtpd": OPENSMTPD_ID, "opensmtpq": OPENSMTPD_QUEUE_ID, "mail": MAIL_ID})
        _folders(root, MAIL_ID, "mail")
        _folders(root, 0, "var/spool/smtpd", "var/lib/opensmtpd/empty", "var/run", "tmp")
        (root / "var" / "spool" / "smtpd").chmod(0o711)
        (root / "tmp").chmod(0o1777)
        conf = configurations.OPENSMTPD.format(port=port, messages=messages)
        conf = configurations.opensmtpd_relay(conf, routes) if routes else conf
        (root / "etc" / "smtpd.conf").write_text(conf)
        write_certificate(root / "etc")
        server = Server(port, root / "mail" / "new", root / "said")
        with _running(["chroot", str(root), "/usr/sbin/smtpd", "-d"], port, server.said, server.said):
            yield server


@contextlib.contextmanager
def sendmail(*, connections: int, messages: int, routes: Mapping[str, str]) -> Iterator[Server]:
    """Debian's sendmail, which keeps nothing: ``routes`` says the ADDRESS:PORT that mail for each domain goes to."""
    del connections, messages
    with _rooted("sendmail", "usr/libexec/sendmail/sendmail") as root:
        port = free_port()
        _passwd(root, {"mail": MAIL_ID, "daemon": 1})
        _folders(root, 0, "var/spool/mqueue", "var/lib/sendmail", "var/run/sendmail/mta", "log", "tmp")
        (root / "var" / "spool" / "mqueue").chmod(0o700)
        mc, table = configurations.sendmail(port, routes)
        mail = root / "etc" / "mail"
        (mail / "sendmail.mc").write_text(mc)
        (mail / "mailertable").write_text(table)
        (mail / "service.switch-nodns").write_text("hosts files\naliases files\n")
        written = subprocess.run(
            ["chroot", str(root), "/usr/bin/m4", "/etc/mail/sendmail.mc"], capture_output=True, check=True
        )
        (mail / "sendmail.cf").write_bytes(written.stdout)
        server = Server(port, root / "mail" / "new", root / "log" / "traffic")
        command = ["chroot", str(root), "/usr/libexec/sendmail/sendmail", "-bD", "-q1m", "-X", "/log/traffic"]
        with _running(command, port, server.said, root / "said"):
            yield server


@contextlib.contextmanager
def courier(*, connections: int, messages: int, routes: Mapping[str, str]) -> Iterator[Server]:
    """Debian's Courier, which keeps nothing: ``routes`` says the ADDRESS:PORT that mail for each domain goes to."""
    del messages
    with _rooted("courier", "usr/sbin/couriertcpd") as root:
        port = free_port()
        _passwd(root, {"courier": COURIER_ID, "daemon": 1})
        spool = ["allfilters", "filters", "msgq", "msgs", "tmp", "track"]
        _folders(root, COURIER_ID, *(f"var/lib/courier/{name}" for name in spool))
        _folders(root, COURIER_ID, "run/courier", "tmp")
        etc = root / "etc" / "courier"
        for name, text in configurations.courier(routes).items():
            (etc / name).write_text(text)
        server = Server(port, root / "mail" / "new", root / "said")
        options = [f"-{name}={connections}" for name in ("maxprocs", "maxperc", "maxperip")]
        options += ["-user=courier", "-group=courier", "-nodnslookup", "-noidentlookup", "-address=127.0.0.1"]
        listen = ["chroot", str(root), "/usr/sbin/couriertcpd", *options, str(port), "/usr/sbin/courieresmtpd"]
        # RELAYCLIENT: every client may send to everywhere; the rest is as in Debian's esmtpd and courierd
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SHELL": "/bin/sh", "DEFAULTDELIVERY": "./Maildir"}
        receiving = {**environment, "RELAYCLIENT": "", "BOFHCHECKDNS": "0", "NOADDMSGID": "1", "NOADDDATE": "1"}
        deliver = ["chroot", str(root), "/usr/lib/courier/courier/courierd"]
        with (  # the second has no port of its own: what comes in before it runs waits for it
            _running(listen, port, server.said, server.said, env=receiving),
            _running(deliver, port, server.said, server.said, env=environment),
        ):
            yield server


@contextlib.contextmanager
def aiosmtpd(*, connections: int, messages: int) -> Iterator[Server]:
    """aiosmtpd with TLS, and without PIPELINING; each connection takes ``messages`` MAILs, then 421."""
    del connections
    with _program([sys.executable, str(HERE / "aiosmtpd_server.py")], {"messages": messages}) as server:
        yield server


@contextlib.contextmanager
def smtp_server(*, connections: int, messages: int) -> Iterator[Server]:
    """Nodemailer's smtp-server with TLS and PIPELINING; ``connections`` at once."""
    del messages
    packages = FETCHED / "npm" / "node_modules"
    node = shutil.which("node")
    if node is None or not (packages / "smtp-server").is_dir():
        raise Missing("node or the npm package smtp-server is not there (scripts/servers)")
    environment = {**os.environ, "NODE_PATH": str(packages)}
    command = [node, str(HERE / "smtp_server.cjs")]
    with _program(command, {"connections": connections}, env=environment) as server:
        yield server


@contextlib.contextmanager
def _program(command: Sequence[str], limits: dict[str, int], **kwargs: Any) -> Iterator[Server]:
    """A server of a few lines around a library: it is given PORT CERTIFICATE-FOLDER KEPT-FOLDER LIMIT."""
    with tempfile.TemporaryDirectory(prefix="bulkmail-server-") as name:
        place = Path(name)
        (place / "kept").mkdir()
        write_certificate(place)
        server = Server(free_port(), place / "kept", place / "said")
        whole = [*command, str(server.port), str(place), str(server.kept), *map(str, limits.values())]
        with _running(whole, server.port, server.said, server.said, **kwargs):
            yield server


@contextlib.contextmanager
def _rooted(name: str, program: str) -> Iterator[Path]:
    """A copy of a fetched tree, to be the server's root directory."""
    if os.geteuid() != 0:
        raise Missing(f"{name} can only be started by root")
    if not (FETCHED / name / program).exists():
        why = FETCHED / f"{name}.missing"
        raise Missing(f"{name} is not there: {why.read_text().strip() if why.exists() else 'run scripts/servers'}")
    with tempfile.TemporaryDirectory(prefix=f"bulkmail-{name}-") as place:
        root = Path(place) / "root"
        shutil.copytree(FETCHED / name, root, symlinks=True)
        root.chmod(0o755)
        (root / "dev").mkdir()
        for device, minor in {"null": 3, "urandom": 9}.items():
            os.mknod(root / "dev" / device, 0o020666, os.makedev(1, minor))
            (root / "dev" / device).chmod(0o666)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
        yield root


def _passwd(root: Path, users: dict[str, int]) -> None:
    everybody = {"root": 0, **users}
    shell = "/bin/sh"
    lines = [f"{name}:x:{number}:{number}::/var/lib/opensmtpd/empty:{shell}\n" for name, number in everybody.items()]
    (root / "etc" / "passwd").write_text("".join(lines))
    (root / "etc" / "group").write_text("".join(f"{name}:x:{number}:\n" for name, number in everybody.items()))


def _folders(root: Path, owner: int, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        os.chown(root / name, owner, owner)


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, log: Path, said: Path, **kwargs: Any) -> Iterator[None]:
    """Run a server until the block is left; it has greeted when the block begins."""
    with said.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **kwargs
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not greets("127.0.0.1", port):
                told = said.read_text("utf-8", "replace") + (log.read_text() if log != said and log.exists() else "")
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}: {told}"
                assert time.monotonic() < deadline, f"{command} does not greet: {told}"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with contextlib.suppress(ProcessLookupError):  # what it started and left behind, as Courier does
                os.killpg(process.pid, signal.SIGKILL)


def write_certificate(folder: Path, host: str = HOST, *, owner: int = 0) -> None:
    """cert.pem and key.pem for the host, signed by itself: nobody can verify it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    secret.chmod(0o600)
    if owner:
        os.chown(secret, owner, owner)


def greets(address: str, port: int) -> bool:
    """Whether an SMTP server greets there."""
    try:
        with socket.create_connection((address, port), 5) as one:
            return one.recv(4).startswith(b"220")
    except OSError:
        return False
