"""Servers that others wrote: a real Postfix with TLS, and Postfix's smtp-sink, each private to the tests."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HOST = "mx.interop.test"
PATIENCE = 30.0

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.interop.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {place}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
smtpd_tls_cert_file = {place}/etc/cert.pem
smtpd_tls_key_file = {place}/etc/key.pem
smtpd_tls_security_level = may
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_rate_limit = 0
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}/log
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
virtual unix - n n - 20 virtual
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
flush unix n - n 1000? 0 flush
"""


@dataclass
class Postfix:
    """A running Postfix that delivers everything into one maildir."""

    port: int
    place: Path

    @property
    def new(self) -> Path:
        return self.place / "mail" / "all" / "new"

    def count(self) -> int:
        return len(os.listdir(self.new)) if self.new.is_dir() else 0

    def messages(self) -> list[bytes]:
        return [path.read_bytes() for path in self.new.iterdir()]

    def log(self) -> str:
        found = self.place / "log" / "maillog"
        return found.read_text("utf-8", "replace") if found.exists() else ""


def _certificate(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "key.pem").chmod(0o600)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
    return port


def _greets(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 5) as one:
            return one.recv(4).startswith(b"220")
    except OSError:
        return False


@pytest.fixture
def postfix(needs: Callable[..., str], missing: Callable[[str], None], until: Callable[..., Any]) -> Iterator[Postfix]:
    """A Postfix of the test's own; its services change to other users, so the place is open to them."""
    command = needs("postfix", "postfix")
    if os.geteuid() != 0:
        missing("Postfix can only be started by root")
    if not Path("/etc/postfix/postfix-files").exists():
        missing("/etc/postfix/postfix-files is not there (Debian: postfix)")
    place = Path(tempfile.mkdtemp(prefix="bulkmail-postfix-"))
    place.chmod(0o755)
    found = Postfix(_free_port(), place)
    for name in ("etc", "queue", "data", "mail", "log"):
        (place / name).mkdir()
        (place / name).chmod(0o755)
    etc = place / "etc"
    shutil.copy("/etc/postfix/postfix-files", etc)
    if Path("/etc/postfix/dynamicmaps.cf").exists():
        shutil.copy("/etc/postfix/dynamicmaps.cf", etc)
    _certificate(etc)
    (etc / "main.cf").write_text(MAIN_CF.format(place=place))
    (etc / "master.cf").write_text(MASTER_CF.format(port=found.port))
    shutil.chown(place / "mail", "nobody")
    shutil.chown(place / "data", "postfix")
    environment = {**os.environ, "MAIL_CONFIG": str(etc)}
    said = (place / "said").open("wb")
    master = subprocess.Popen(
        [command, "-c", str(etc), "start-fg"],
        env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
    )  # fmt: skip
    try:
        until(
            lambda: _greets("127.0.0.1", found.port) or master.poll() is not None,
            f"Postfix to greet; {place}/said and {place}/log say why it does not", PATIENCE,
        )  # fmt: skip
        assert master.poll() is None, (place / "said").read_text() + found.log()
        yield found
    finally:
        subprocess.run(
            [command, "-c", str(etc), "stop"], env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        try:
            master.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            master.kill()
            master.wait()
        said.close()
        shutil.rmtree(place, ignore_errors=True)


@dataclass
class Sink:
    """smtp-sink on some loopback addresses, one dump file for each."""

    port: int
    dumps: list[Path]

    def dumped(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.dumps if path.exists())


@pytest.fixture
def smtp_sink(
    needs: Callable[..., str], until: Callable[..., Any], end: Callable[[Any], None]
) -> Iterator[Callable[..., Sink]]:
    """``smtp_sink(addresses)`` starts one for each address, on one port."""
    command = needs("smtp-sink", "postfix")
    place = Path(tempfile.mkdtemp(prefix="bulkmail-sink-"))
    place.chmod(0o777)
    processes: list[subprocess.Popen[bytes]] = []

    def start(addresses: list[str]) -> Sink:
        sink = Sink(_free_port(), [place / f"dump{n}" for n in range(len(addresses))])
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        for address, dump in zip(addresses, sink.dumps, strict=True):
            process = subprocess.Popen(
                [command, *user, "-D", str(dump), f"{address}:{sink.port}", "1000"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            processes.append(process)
            until(lambda address=address: _greets(address, sink.port), f"smtp-sink on {address}", PATIENCE)
        return sink

    try:
        yield start
    finally:
        for process in processes:
            end(process)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def dkim_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
