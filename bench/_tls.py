"""Receivers that speak TLS and cost little: smtp-sink behind stunnel, both in C and in processes of their own.

smtp-sink knows no STARTTLS. stunnel (``protocol = smtp``) offers it, answers EHLO itself until then, and hands what it
decrypts to smtp-sink. A whole mail server in its place, such as Postfix's smtpd with its queue, takes several times as
much of the machine for a message as the senders do that are to be measured.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import _lab as lab
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

KEYS = ("ecdsa", "rsa")


def certificate(folder: Path, kind: str, addresses: int) -> Path:
    """A PEM file with a certificate for the receivers' names and addresses, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.test")])
    names: list[x509.GeneralName] = [x509.DNSName(f"mx{n}.test") for n in range(addresses)]
    names += [x509.IPAddress(ipaddress.ip_address(f"127.0.1.{n + 1}")) for n in range(addresses)]
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
    built = built.not_valid_after(now + dt.timedelta(days=30))
    built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{kind}.pem"
    path.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + encoded)
    path.chmod(0o600)
    return path


@contextmanager
def tls_sinks(folder: Path, addresses: int, *, kind: str = "ecdsa", resumption: bool = True) -> Iterator[int]:
    """As `lab.sinks`, with STARTTLS and TLS 1.3; ``kind``: of the certificate's key; ``resumption``: of sessions."""
    lab.need("stunnel", "smtp-sink")
    pem = certificate(folder, kind, addresses)
    with lab.sinks(addresses) as behind:
        port = lab.free_port()
        lines = ["foreground = yes", "syslog = no", "pid =", "debug = 3", f"cert = {pem}", "sslVersionMin = TLSv1.3"]
        lines += [
            f"sessionResume = {'yes' if resumption else 'no'}",
            "sessionCacheSize = 20000",
            "socket = r:TCP_NODELAY=1",
        ]
        lines += ["socket = l:TCP_NODELAY=1"]
        for n in range(addresses):
            at = f"127.0.1.{n + 1}"
            lines += [f"[mx{n}]", "protocol = smtp", f"accept = {at}:{port}", f"connect = {at}:{behind}"]
        config = folder / f"stunnel-{kind}-{resumption}.conf"
        config.write_text("\n".join(lines) + "\n")
        log = folder / "stunnel.log"
        with log.open("wb") as told, lab.running(["stunnel", str(config)], stdout=told, stderr=subprocess.STDOUT) as it:
            time.sleep(0.5)
            if it.poll() is not None:
                raise SystemExit(f"stunnel does not start: {log.read_text()[-1000:]}")
            yield port
