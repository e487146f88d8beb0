"""The service's end of the pipes: how the process is started, what it is answered, and how it ends."""

from __future__ import annotations

import os
import pickle
import socket
import sys

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from bulkmail.inbound.server_process import ServerProcess
from bulkmail.inbound.wire import ANSWERS, CALLS, CLOSE, FAULT, LOG, OPEN, UP, plain_event, plain_found
from bulkmail.mail import Found, LateEvent, LateResult, OwnFault
from bulkmail.workers import Frames, frame

FOUND = Found(1, 7, "spring", "news", "marketing", "ann@d.example", unsubscribed=False, in_spool=True)
EVENT = LateEvent(LateResult.RETURNED, 0.0, "bounced", key="1f")


class Returns:
    """Stands for what records; ``waiting``: an answer that takes its time."""

    def __init__(self):
        self.told, self.waiting = [], Deferred()

    async def token_key(self):
        return b"k"

    async def find(self, token):
        return await self.waiting

    async def members(self, envelope_id, addresses):
        raise OwnFault("the disk is full")

    async def returned(self, token, event):
        self.told.append(("returned", token, event))
        return FOUND

    async def complained(self, token, event):
        self.told.append(("complained", token, event))

    async def unsubscribe(self, token, how, key):
        self.told.append(("unsubscribe", token, how, key))
        return FOUND

    def unattributed(self, what):
        self.told.append(what)


class Transport:
    def __init__(self):
        self.written, self.signals, self.gone = b"", [], False

    def write(self, data):
        self.written += data

    def signalProcess(self, name):
        if self.gone:
            raise ProcessExitedAlready
        self.signals.append(name)


class Reactor(Clock):
    fault = None

    def spawnProcess(self, process, program, words, env, childFDs):
        if self.fault is not None:
            raise self.fault
        self.started = (program, words, childFDs)
        process.transport = self.transport = Transport()


class Scene:
    def __init__(self):
        self.reactor, self.returns = Reactor(), Returns()
        with socket.socket() as one:
            self.socket = one.fileno()
            self.process = ServerProcess.start(self.reactor, self.returns, "an order", [one])

    def hear(self, *value):
        self.process.outReceived(frame(value))

    def said(self):
        self.reactor.advance(0.005)
        found = Frames().feed(self.reactor.transport.written)
        self.reactor.transport.written = b""
        return found

    def end(self):
        self.reactor.transport.gone = True
        self.process.processEnded(Failure(ProcessDone(0)))


def test_it_gets_the_sockets_and_an_order():
    scene = Scene()
    program, words, descriptors = scene.reactor.started
    assert (program, words) == (sys.executable, [sys.executable, "-P", "-m", "bulkmail.inbound", str(os.getpid())])
    assert descriptors == {0: "w", 1: "r", 2: "r", 3: scene.socket}
    [(verb, order, count)] = scene.said()
    assert (verb, pickle.loads(order), count) == (OPEN, "an order", 1)
    scene.hear(UP)
    assert scene.process.up.called
    scene.reactor.advance(1000)
    assert scene.reactor.transport.signals == []


def test_many_calls_are_begun_a_few_in_each_turn():
    scene = Scene()
    scene.said()
    scene.hear(UP)
    scene.hear(CALLS, [(n, "returned", (f"t{n}", plain_event(EVENT))) for n in range(1, 19)])
    scene.hear(CALLS, [(19, "returned", ("t19", plain_event(EVENT)))])
    assert len(scene.returns.told) == 8
    scene.reactor.advance(0)
    assert [name for _, name, _ in scene.returns.told] == [f"t{n}" for n in range(1, 20)], "in order"
    [(verb, answers)] = scene.said()
    assert (verb, [number for number, _, _ in answers]) == (ANSWERS, list(range(1, 20)))
    scene.hear(CALLS, [(n, "returned", ("more", plain_event(EVENT))) for n in range(20, 40)])
    scene.end()
    scene.reactor.advance(1)
    assert len(scene.returns.told) == 19 + 8, "nobody waits for the others any more"


def test_answers_of_some_milliseconds_go_together():
    scene = Scene()
    scene.said()
    calls = [(1, "find", ("t",)), (2, "token_key", ()), (3, "members", ("e", ["a"])), (0, "unattributed", ("failed",))]
    calls += [(4, "returned", ("t", plain_event(EVENT))), (5, "complained", ("t", plain_event(EVENT)))]
    scene.hear(CALLS, [*calls, (6, "unsubscribe", ("t", "mail", "1f"))])
    answers = [(2, True, b"k"), (3, False, "the disk is full"), (4, True, plain_found(FOUND)), (5, True, None)]
    assert scene.said() == [(ANSWERS, [*answers, (6, True, plain_found(FOUND))])]
    assert scene.returns.told == [
        "failed", ("returned", "t", EVENT), ("complained", "t", EVENT), ("unsubscribe", "t", "mail", "1f"),
    ]  # fmt: skip
    scene.returns.waiting.callback(None)
    assert scene.said() == [(ANSWERS, [(1, True, None)])]


def test_its_lines_are_in_our_log():
    scene, seen = Scene(), []
    globalLogPublisher.addObserver(seen.append)
    try:
        scene.hear(LOG, "error", "inbound: {a} brace")
    finally:
        globalLogPublisher.removeObserver(seen.append)
    assert [(event["log_level"], event["text"]) for event in seen] == [(LogLevel.error, "inbound: {a} brace")]


def test_a_fault_of_its_start_is_ours():
    scene = Scene()
    scene.hear(FAULT, "the folder cannot be used")
    scene.process.up.addErrback(lambda failure: str(failure.value))
    assert scene.process.up.result == "the folder cannot be used"
    scene.end()


def test_one_that_does_not_start_is_killed_and_is_a_fault():
    scene = Scene()
    scene.reactor.advance(61)
    assert scene.reactor.transport.signals == ["KILL"]
    scene.end()
    scene.process.up.addErrback(lambda failure: str(failure.value))
    assert "did not start" in scene.process.up.result


def test_where_no_process_can_be_started(monkeypatch):
    monkeypatch.setattr(Reactor, "fault", OSError(11, "Resource temporarily unavailable"))
    with pytest.raises(OwnFault, match="no process can be started for incoming mail"):
        Scene()


def test_it_has_its_time_for_the_end_and_no_more():
    scene = Scene()
    scene.said()
    scene.hear(UP)
    ended = scene.process.close(10.0)
    assert scene.said() == [(CLOSE, 10.0)]
    scene.reactor.advance(14.9)
    assert scene.reactor.transport.signals == []
    scene.reactor.advance(0.2)
    assert scene.reactor.transport.signals == ["KILL"]
    scene.end()
    assert ended.called
    scene.process.say((CLOSE, 1.0))  # nobody hears that
    assert scene.reactor.transport.written == b""
    assert scene.reactor.getDelayedCalls() == []
