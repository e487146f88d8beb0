from __future__ import annotations

import errno
import select
import socket

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from bulkmail.rehearsal.farm import Farm, require_loopback
from bulkmail.rehearsal.network import SimulatedNetwork
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.store import NoStore
from bulkmail.rehearsal.zone import Zone


class Flushed(NoStore):
    times = 0

    def flush(self) -> None:
        self.times += 1


class Planted:
    """A farm whose reactor only notes what would be bound."""

    def __init__(self, *, addresses: int = 2000, everywhere: str = "") -> None:
        self.reactor = MemoryReactorClock()
        self.store = Flushed()
        zone = Zone(everywhere=everywhere)
        self.network = SimulatedNetwork(
            zone,
            clock=self.reactor.seconds,
            now=self.reactor.seconds,
            call_later=self.reactor.callLater,
            store=self.store,
        )
        self.farm = Farm(self.reactor, self.network, lambda *_: None, port=2525, addresses=addresses)
        self.relay = self.farm.open()

    @property
    def bound(self) -> list[str]:
        return [interface for _port, _factory, _backlog, interface in self.reactor.tcpServers]


def test_an_address_is_bound_when_its_host_is_first_asked_for() -> None:
    planted = Planted()
    assert planted.bound == [planted.relay] == ["127.77.0.1"]
    first = planted.farm.address_of("mx.example.org")
    assert first == planted.farm.address_of("mx.example.org")
    assert planted.bound == ["127.77.0.1", first]
    assert planted.farm.address_of("mx.example.net") != first
    assert {port for port, *_ in planted.reactor.tcpServers} <= {2525, planted.farm.port}


def test_no_mail_host_no_address() -> None:
    planted = Planted()
    assert planted.farm.address_of("www.example.org") is None
    assert planted.farm.address_of("mx.lost-mx.test") is None
    assert len(planted.bound) == 1


def test_where_nobody_listens_nothing_is_bound() -> None:
    planted = Planted()
    dead = planted.farm.address_of("mx.dead.test")
    assert dead is not None
    assert dead.startswith("127.78.")
    assert planted.farm.address_of("mx.dead.test") == dead
    assert planted.farm.address_of("mx1.half-dead.test") not in (dead, None)
    assert len(planted.bound) == 1


def test_hosts_share_when_there_are_no_more_addresses() -> None:
    planted = Planted(addresses=150, everywhere="accept")
    handed = {planted.farm.address_of(f"mx.d{number}.example.org") for number in range(1000)}
    assert len(planted.bound) <= 150
    assert len(handed) == len(planted.bound) - 1
    exchangers = planted.farm._by_persona["accept"]
    assert sum(len(exchanger.hosts) for exchanger in exchangers) == 1000
    assert max(len(exchanger.hosts) for exchanger in exchangers) < 20


def test_a_persona_that_comes_late_gets_an_address_of_its_own() -> None:
    planted = Planted(addresses=0)
    for number in range(500):
        planted.farm.address_of(f"mx.d{number}.example.org")
    for name in PERSONAS:
        domain = planted.network.zone.domain(f"{name}.test")
        for _, host in domain.hosts:
            planted.farm.address_of(host)
    assert len(planted.bound) <= 2 * len(PERSONAS)
    for persona, exchangers in planted.farm._by_persona.items():
        assert exchangers
        assert all(exchanger.persona.name == persona for exchanger in exchangers)


def test_hosts_share_when_an_address_cannot_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = Planted()
    first = planted.farm.address_of("mx.example.org")

    def refuse(*args: object, **kwargs: object) -> None:
        raise CannotListenError("127.77.0.3", 2525, OSError(24, "Too many open files"))

    monkeypatch.setattr(planted.reactor, "listenTCP", refuse)
    assert planted.farm.address_of("mx.example.net") == first
    with pytest.raises(CannotListenError):
        planted.farm.address_of("mx.greylist.test")


def test_only_loopback_is_ever_bound() -> None:
    planted = Planted(addresses=600, everywhere="accept")
    for number in range(600):
        planted.farm.address_of(f"mx.d{number}.example.org")
    assert len(planted.bound) > 500
    for interface in planted.bound:
        assert require_loopback(interface) == interface


@pytest.mark.parametrize(
    "ip",
    [
        "",
        "0.0.0.0",
        "::1",
        "::",
        "10.0.0.1",
        "127.0.0.1.example.com",
        "127.0.0.256",
        "127.1",
        "1127.0.0.1",
        "localhost",
    ],
)
def test_no_other_address_is_allowed(ip: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.0/8"):
        require_loopback(ip)


def test_it_writes_each_second_and_at_the_end() -> None:
    planted = Planted()
    planted.reactor.pump([1.0] * 3)
    assert planted.store.times == 3
    planted.farm.close()
    assert planted.store.times == 4
    assert planted.reactor.getDelayedCalls() == []


def test_a_hole_never_answers() -> None:
    """Its queue of connections is full: the kernel drops what comes, and whoever connects waits."""
    planted = Planted()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        planted.farm.port = probe.getsockname()[1]
    first, second = (planted.farm.address_of(f"mx.{name}.test") for name in ("hole", "hole2"))
    try:
        assert (first, second) == ("127.79.0.1", "127.79.0.2")
        assert planted.farm.address_of("mx.hole.test") == first
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex((first, planted.farm.port)) == errno.EINPROGRESS
            assert select.select([], [client], [], 0.2) == ([], [], [])
    finally:
        planted.farm.close()
    with socket.socket() as client:
        assert client.connect_ex((first, planted.farm.port)) == errno.ECONNREFUSED, "filled in again"
