"""Servers that others wrote, each private to the test: Postfix, its smtp-sink, and those of servers.py by name."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.interop import namespaces, relays, servers
from tests.interop.servers import PATIENCE, Server, greets
from tests.ports import free_port
from tests.public import conftest as public

serving = public.serving  # the page for unsubscribing


@pytest.fixture
def start_server(missing: Callable[[str], None]) -> Iterator[Callable[..., Server]]:
    """``start_server(name, connections=..., messages=...)``: a server of servers.py, or a skip; ``more`` goes to it."""
    with contextlib.ExitStack() as ending:

        def start(name: str, *, connections: int, messages: int, **more: Any) -> Server:
            try:
                server: Server = ending.enter_context(
                    getattr(servers, name)(connections=connections, messages=messages, **more)
                )
            except servers.Missing as reason:
                missing(str(reason))
            return server

        yield start


@pytest.fixture
def postfix(start_server: Callable[..., Server]) -> Server:
    """A Postfix of the test's own."""
    return start_server("postfix", connections=50, messages=0)


@pytest.fixture
def relay(missing: Callable[[str], None]) -> Iterator[relays.Relay]:
    """Postfix and Dovecot, together a relay; or a skip."""
    with contextlib.ExitStack() as ending:
        try:
            found: relays.Relay = ending.enter_context(relays.postfix_and_dovecot())
        except servers.Missing as reason:
            missing(str(reason))
        yield found


@pytest.fixture
def cable(missing: Callable[[str], None]) -> Iterator[namespaces.Cable]:
    """A cable between two network namespaces, still to be laid; or a skip."""
    with contextlib.ExitStack() as ending:
        try:
            made = ending.enter_context(namespaces.cable())
        except servers.Missing as reason:
            missing(str(reason))
        yield made


@pytest.fixture
def certificate() -> Callable[[Path], None]:
    """``certificate(folder)`` writes cert.pem and key.pem for mx.interop.test."""
    return servers.write_certificate


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
        sink = Sink(free_port(), [place / f"dump{n}" for n in range(len(addresses))])
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        for address, dump in zip(addresses, sink.dumps, strict=True):
            process = subprocess.Popen(
                [command, *user, "-D", str(dump), f"{address}:{sink.port}", "1000"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            processes.append(process)
            until(lambda address=address: greets(address, sink.port), f"smtp-sink on {address}", PATIENCE)
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
