"""The service that takes mail in, as people start it: what outsiders see, where mail goes, and that none is lost."""

from __future__ import annotations

import contextlib
import datetime as dt
import mailbox
import os
import random
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ports import free_port

RELAYS = [
    "user@other.example",
    "user%other.example@in.example.com",
    "other.example!user@in.example.com",
    '"user@other.example"@in.example.com',
    "@in.example.com:user@other.example",
    "@other.example:bounces+x@in.example.com",
    "user@other.example.",
    "bounces+x@in.example.com.",
    "bounces+x@sub.in.example.com",
    "user@[127.0.0.1]",
]


class Service:
    """A service of this test, and the port it takes mail in on."""

    def __init__(self, world: Any, until: Callable[..., Any], **inbound: Any) -> None:
        self.world, self.until = world, until
        self.port = free_port()
        world.nameserver = world.nameserver or "127.0.0.1:9"
        self.settings(**inbound)
        self.running: Any = None

    def settings(self, **inbound: Any) -> None:
        given = {"listen": [f"127.0.0.1:{self.port}"], "domains": ["in.example.com"], **inbound}
        self.world.settings(port=25, inbound=given, dns={"must_exist": []})

    def start(self, *more: str, environment: dict[str, str] | None = None) -> Service:
        self.running = self.world.start(*more, "--settings", "bulkmail.yaml", environment=environment)
        self.until(lambda: self.greets() or self.running.process.poll() is not None, "a greeting")
        assert self.running.process.poll() is None, self.running.said()
        return self

    def greets(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 10) as one:
            return one.recv(3) == b"220"
        return False

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=120)

    def send(
        self, to: str, text: bytes = b"Subject: x\r\n\r\nhello\r\n", sender: str = "a@b.example"
    ) -> tuple[int, bytes]:
        """The last reply: to the message, or to the recipient where it is refused."""
        with self.client() as one:
            one.ehlo("client.example")
            assert one.mail(sender)[0] == 250
            code, words = one.docmd(f"RCPT TO:<{to}>")
            return one.data(text) if code == 250 else (code, words)

    @property
    def unread(self) -> list[Path]:
        return sorted((self.world.folder / "spool" / "inbound" / "unread").glob("*.eml"))


def write_certificate(folder: Path, name: str) -> None:
    """cert.pem and key.pem for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    certificate = made.not_valid_before(start).not_valid_after(start + dt.timedelta(36500)).sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    (folder / "key.pem").chmod(0o600)


@pytest.fixture
def service(world: Any, until: Callable[..., Any]) -> Callable[..., Service]:
    return lambda **inbound: Service(world, until, **inbound)


def test_reports_and_mail_for_people_are_kept_and_nothing_is_relayed(
    service: Callable[..., Service], world: Any
) -> None:
    one = service(forward={"maildir": "./inbox"}).start()
    assert one.send("bounces+Tok_1@in.example.com")[0] == 250
    assert one.send("anna@in.example.com")[0] == 250
    assert one.send("postmaster")[0] == 250
    for path in RELAYS:
        code, words = one.send(path)
        assert (code, words[:6]) == (550, b"5.7.1 "), (path, words)
        assert one.send(path, sender="")[0] == 550
    (report,) = one.unread
    assert b"\r\nDelivered-To: Tok" not in report.read_bytes()
    assert b"\r\nDelivered-To: bounces+Tok_1@in.example.com\r\n" in report.read_bytes()
    kept = [message["Delivered-To"] for message in mailbox.Maildir(world.folder / "inbox", create=False)]
    assert sorted(kept) == ["anna@in.example.com", "postmaster@in.example.com"]
    one.running.signal(signal.SIGTERM)
    finished = one.running.wait()
    assert finished.status == 3
    assert finished.said.count("inbound: took") == 3
    assert "to <user@other.example>: 550 5.7.1 Relaying denied" in finished.said


def test_without_a_forward_only_those_that_must_be_are_taken(service: Callable[..., Service]) -> None:
    one = service().start()
    assert one.send("anna@in.example.com") == (550, b"5.1.1 No such mailbox here")
    assert one.send("abuse@in.example.com")[0] == 250
    assert len(one.unread) == 1


def test_swaks_as_an_outsider(
    service: Callable[..., Service], needs: Callable[[str, str], str], tmp_path: Path
) -> None:
    swaks = needs("swaks", "swaks")
    one = service().start()

    def said(*arguments: str) -> str:
        command = [swaks, "--server", "127.0.0.1", "--port", str(one.port), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120).stdout

    assert " 250 2.0.0 Ok: taken as" in said("--to", "bounces+a@in.example.com", "--pipeline")
    assert "550 5.7.1 Relaying denied" in said("--to", "x@other.example", "--from", "<>")
    assert len(one.unread) == 1


def test_kill_9_loses_nothing_that_got_a_250(service: Callable[..., Service], world: Any) -> None:
    """Five times, at random moments, while ten clients send."""
    one = service(forward={"maildir": "./inbox"}, limits={"connections_per_address": 100})
    taken: list[str] = []
    dice = random.Random(7)

    def client(number: int, life: int) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException), one.client() as smtp:
            for count in range(10_000):
                name = f"{life}x{number}x{count}"
                to = f"{'bounces+' if count % 2 else 'to-'}{name}@in.example.com"
                smtp.sendmail("a@b.example", [to], f"X-Name: {name}\r\n\r\n")
                taken.append(name)

    for life in range(5):
        one.start()
        threads = [threading.Thread(target=client, args=(number, life)) for number in range(10)]
        for thread in threads:
            thread.start()
        before = len(taken)
        one.until(lambda before=before: len(taken) >= before + dice.randint(5, 60), "messages to be taken")
        one.running.kill_group()
        for thread in threads:
            thread.join(120)
    one.start()
    files = [*one.unread, *(world.folder / "inbox" / "new").iterdir()]
    kept = {path.read_bytes().partition(b"X-Name: ")[2].partition(b"\r\n")[0].decode() for path in files}
    assert len(taken) >= 25
    assert set(taken) <= kept
    assert "" not in kept  # nothing is half there


@pytest.mark.parametrize("point", ["inbound-written", "inbound-renamed"])
def test_killed_between_the_steps_of_storing_the_client_has_no_250(service: Callable[..., Service], point: str) -> None:
    """It is the process that takes mail in which is killed: the service replaces it."""
    one = service()
    one.running = one.world.failing(f"{point}:kill", "--settings", "bulkmail.yaml")
    one.until(one.greets, "a greeting")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        one.send("bounces+a@in.example.com")
    one.until(one.greets, "a greeting of another process")
    assert "the process that takes mail in has ended" in one.running.said()
    one.running.kill_group()
    one.start()
    assert len(one.unread) == (1 if point == "inbound-renamed" else 0)
    assert one.send("bounces+a@in.example.com")[0] == 250
    assert os.listdir(one.world.folder / "spool" / "inbound" / "tmp") == []


def test_a_full_disk_is_a_451_and_the_server_lives_on(service: Callable[..., Service]) -> None:
    one = service()
    one.running = one.world.failing("inbound-written:enospc@1", "--settings", "bulkmail.yaml")
    one.until(one.greets, "a greeting")
    code, words = one.send("bounces+a@in.example.com")
    assert (code, words) == (451, b"4.3.0 The message could not be stored; try again later")
    assert one.send("bounces+a@in.example.com")[0] == 250
    assert "cannot be written (No space left on device)" in one.running.said()


def test_a_renewed_certificate_is_shown_and_a_bad_one_is_not(service: Callable[..., Service], world: Any) -> None:
    write_certificate(world.folder, "old.example.com")
    one = service(tls={"certificate": "cert.pem", "key": "key.pem"}).start()

    def shown() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with one.client() as smtp:
            smtp.starttls(context=context)
            assert smtp.docmd("MAIL FROM:<>")[0] == 503  # EHLO is to be said again
            der = smtp.sock.getpeercert(binary_form=True)
        return ssl.DER_cert_to_PEM_cert(der)

    old = (world.folder / "cert.pem").read_text()
    assert shown().split() == old.split()
    write_certificate(world.folder, "new.example.com")
    new = (world.folder / "cert.pem").read_text()
    one.until(lambda: shown().split() == new.split(), "the new certificate", every=1.0)
    (world.folder / "cert.pem").write_text("spoilt")
    one.until(lambda: shown() and "stays in use" in one.running.said(), "the bad one to be told", every=1.0)
    assert shown().split() == new.split()


def test_mail_for_people_is_passed_on_while_the_client_waits(service: Callable[..., Service], world: Any) -> None:
    server = world.start_mail(["127.0.0.1"])
    one = service(forward={"host": "127.0.0.1", "port": server.port}).start()
    assert one.send("anna@in.example.com", b"Subject: x\r\n\r\n.dot\r\n")[0] == 250
    (kept,) = server.kept.iterdir()
    assert kept.read_bytes().startswith(b"Return-Path: <a@b.example>\r\nDelivered-To: anna@in.example.com\r\n")
    assert kept.read_bytes().endswith(b"\r\n\r\n.dot\r\n")
    assert one.send("anna@in.example.com", kept.read_bytes()) == (554, b"5.4.6 The message goes in circles")
    server.process.kill()
    server.process.wait()
    assert one.send("anna@in.example.com")[0] == 451
    assert one.send("bounces+a@in.example.com")[0] == 250


def test_a_reload_keeps_the_port_and_takes_the_new_settings(service: Callable[..., Service], world: Any) -> None:
    one = service().start(environment={"INVOCATION_ID": "x"})
    assert one.send("anna@in.example.com")[0] == 550
    one.settings(forward={"maildir": "./inbox"})
    one.running.signal(signal.SIGHUP)

    def taken() -> bool:
        with contextlib.suppress(smtplib.SMTPException):  # 421 while it is between the two
            return one.send("anna@in.example.com")[0] == 250
        return False

    one.until(taken, "the new settings", every=0.2)


def test_a_port_that_is_taken_refuses_the_start(service: Callable[..., Service], world: Any) -> None:
    one = service()
    with socket.create_server(("127.0.0.1", one.port)):
        finished = world.run("--settings", "bulkmail.yaml")
    assert finished.status == 1
    assert f"inbound.listen: 127.0.0.1:{one.port} cannot be listened on (Address already in use)" in finished.err


def test_a_rehearsal_listens_nowhere(service: Callable[..., Service], world: Any) -> None:
    one = service()
    campaign = world.campaign("small", ["a@x.example"])
    with socket.create_server(("127.0.0.1", one.port)):
        assert (
            world.run("-c", str(campaign.yaml), "--settings", "bulkmail.yaml", "--rehearse", "--speed", "max").status
            == 0
        )


def test_as_root_the_port_is_taken_before_privileges_are_dropped(
    service: Callable[..., Service], world: Any, missing: Callable[[str], None]
) -> None:
    if os.geteuid() != 0:
        missing("only root can drop privileges")
    try:
        subprocess.run([sys.executable, "-c", ""], user=65534, check=True, capture_output=True, cwd="/")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this interpreter lies where no other user can read it")
    one = service()
    for port in range(900, 1000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            one.port = port
            break
    one.settings()
    world.folder.chmod(0o755)
    for folder in world.folder.parents:
        with contextlib.suppress(PermissionError):
            if folder.name and folder.is_relative_to("/tmp/"):
                folder.chmod(folder.stat().st_mode | 0o011)
    shutil.chown(world.folder, "nobody")
    (world.folder / "bulkmail.yaml").chmod(0o644)
    command = ("twistd", "-n", "--pidfile=", "--uid", "65534", "--gid", "65534", "bulkmail")
    one.running = world.start("--settings", "bulkmail.yaml", command=command)
    one.until(lambda: one.greets() or one.running.process.poll() is not None, "a greeting")
    assert one.running.process.poll() is None, one.running.said()
    assert one.send("bounces+a@in.example.com")[0] == 250
    assert one.unread[0].stat().st_uid == 65534


def test_a_socket_of_systemd_is_used(
    service: Callable[..., Service], world: Any, needs: Callable[[str, str], str]
) -> None:
    activate = needs("systemd-socket-activate", "systemd")
    one = service()
    one.settings(listen=["systemd"])
    twistd = str(Path(sys.executable).parent / "twistd")
    command = [activate, "-l", f"127.0.0.1:{one.port}", twistd, "-n", "--pidfile=", "bulkmail"]
    process = subprocess.Popen(
        [*command, "--settings", "bulkmail.yaml"], cwd=world.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    world.on_end(process.wait)
    world.on_end(process.kill)
    world.on_end(process.stdout.close)
    one.until(one.greets, "a greeting")
    assert one.send("bounces+a@in.example.com")[0] == 250
