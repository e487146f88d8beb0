"""The sockets are made once; the process that serves them is started, replaced and ended."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.inbound import Listening, opening, sockets
from bulkmail.mail import OwnFault
from bulkmail.settings import Settings

RETURNS = object()


class Process:
    """Stands for the process that serves."""

    fault: OwnFault | None = None
    made: list[Process] = []

    def __init__(self, returns, order, served):
        assert returns is RETURNS
        self.order, self.served, self.within = order, served, None
        self.up, self.ended = Deferred(), Deferred()
        Process.made.append(self)
        if self.fault is not None:
            self.up.errback(self.fault)
        else:
            self.up.callback(None)

    @classmethod
    def start(cls, _, returns, order, served):
        return cls(returns, order, list(served))

    def close(self, within):
        self.within = within
        self.ended.callback("done")
        return self.ended


def settings(folder, **inbound):
    given = {"listen": ["127.0.0.1:25"], "domains": ["in.example.com"], **inbound}
    return Settings.model_validate({"spool": str(folder / "spool"), "hostname": "mta1.example.com", "inbound": given})


@pytest.fixture
def scene(monkeypatch):
    """What listens, with sockets on free ports whatever the settings say."""
    asked = []

    def bound(addresses):
        asked.extend(addresses)
        return sockets.bound([(host, 0) for host, _ in addresses])

    monkeypatch.setattr(opening, "bound", bound)
    monkeypatch.setattr(opening, "ServerProcess", Process)
    monkeypatch.setattr(Process, "made", [])
    clock = Clock()
    listening = Listening(clock, lambda: "own.example.com")
    yield clock, listening, asked
    assert Deferred.fromCoroutine(listening.close(1.0)).called
    assert clock.getDelayedCalls() == []
    listening.shut()


def opened(listening, given):
    done = Deferred.fromCoroutine(listening.open(given, RETURNS))
    assert done.called
    return done.result


def failed(listening, given):
    done = Deferred.fromCoroutine(listening.open(given, RETURNS))
    error = done.result.value
    done.addErrback(lambda _: None)
    assert isinstance(error, OwnFault)
    return str(error)


def test_nothing_is_opened_unless_it_is_set(scene, tmp_path):
    _, listening, asked = scene
    listening.bind(Settings(spool=str(tmp_path)))
    opened(listening, Settings(spool=str(tmp_path)))
    assert (asked, Process.made, list(tmp_path.iterdir())) == ([], [], [])


def test_the_ports_are_taken_once_and_served_again(scene, tmp_path):
    _, listening, asked = scene
    first = settings(tmp_path)
    listening.bind(first)
    assert (asked, Process.made) == ([("127.0.0.1", 25)], [])
    opened(listening, first)
    assert Process.made[0].order.hostname == "mta1.example.com"
    assert Process.made[0].order.folder == str(tmp_path / "spool" / "inbound")
    Deferred.fromCoroutine(listening.close(7.0))
    assert Process.made[0].within == 7.0
    opened(listening, settings(tmp_path, hostname="in.example.com"))
    assert (len(asked), len(Process.made)) == (1, 2)
    assert Process.made[0].served == Process.made[1].served
    assert Process.made[1].order.hostname == "in.example.com"


def test_a_place_that_is_not_listed_any_more_is_given_up(scene, tmp_path):
    _, listening, asked = scene
    listening.bind(settings(tmp_path, listen=["127.0.0.1:25", "127.0.0.1:26"]))
    (kept,), (given_up,) = listening._sockets.values()
    listening.bind(settings(tmp_path, listen=["127.0.0.1:25"]))
    assert given_up.fileno() == -1
    assert kept.fileno() > 0
    assert len(asked) == 2


def test_a_port_that_cannot_be_had_is_told_when_it_is_needed(scene, tmp_path, monkeypatch):
    def activated():
        raise OwnFault("systemd has passed no TCP socket")

    monkeypatch.setattr(opening, "activated", activated)
    _, listening, _ = scene
    listening.bind(settings(tmp_path, listen=["systemd"]))
    assert failed(listening, settings(tmp_path, listen=["systemd"])) == "systemd has passed no TCP socket"


def test_a_fault_of_the_process_is_told_and_it_is_not_started_again(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(Process, "fault", OwnFault("the folder cannot be used"))
    clock, listening, _ = scene
    assert failed(listening, settings(tmp_path)) == "the folder cannot be used"
    clock.advance(60)
    assert len(Process.made) == 1


def test_a_process_that_ends_is_replaced_on_the_same_sockets(scene, tmp_path, monkeypatch):
    clock, listening, asked = scene
    opened(listening, settings(tmp_path))
    Process.made[0].ended.callback("killed")
    clock.advance(0.4)
    assert len(Process.made) == 1
    monkeypatch.setattr(Process, "fault", OwnFault("the disk is full"))
    clock.advance(0.2)
    monkeypatch.setattr(Process, "fault", None)
    clock.advance(4.9)
    assert len(Process.made) == 2
    clock.advance(0.2)
    assert len(Process.made) == 3
    assert (Process.made[0].served, len(asked)) == (Process.made[2].served, 1)
    Deferred.fromCoroutine(listening.close(1.0))
    assert Process.made[2].within == 1.0


def test_it_is_not_replaced_once_it_is_to_serve_no_more(scene, tmp_path):
    clock, listening, _ = scene
    opened(listening, settings(tmp_path))
    Process.made[0].ended.callback("killed")
    Deferred.fromCoroutine(listening.close(1.0))
    clock.advance(60)
    assert len(Process.made) == 1
