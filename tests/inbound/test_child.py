"""The process's end of the pipes: what the service orders is done, and what it is to know goes to it."""

from __future__ import annotations

import pickle

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel

from bulkmail.inbound.child import Child
from bulkmail.inbound.wire import ANSWERS, CALLS, CLOSE, FAULT, LOG, OPEN, UP
from bulkmail.mail import OwnFault
from bulkmail.workers import Frames, frame


class Serving:
    """Stands for the server."""

    fault = None

    def __init__(self):
        self.opened, self.closing = [], Deferred()

    def open(self, order, sockets, records):
        self.opened.append((order, sockets))
        self.records = records
        if self.fault is not None:
            raise self.fault

    async def close(self, within):
        self.within = within
        await self.closing


class Scene:
    def __init__(self):
        self.clock, self.serving, self.left = Clock(), Serving(), []
        self.child = Child(self.clock, self.serving, lambda: self.left.append(1), lambda descriptor: descriptor)
        self.transport = StringTransport()
        self.child.makeConnection(self.transport)

    def hear(self, *value):
        self.child.dataReceived(frame(value))

    def said(self):
        found = Frames().feed(self.transport.value())
        self.transport.clear()
        return found


def test_it_serves_what_is_ordered():
    scene = Scene()
    scene.hear(OPEN, pickle.dumps("an order"), 2)
    assert scene.serving.opened == [("an order", [3, 4])]
    assert scene.said() == [(UP,)]


def test_its_records_are_the_service_s():
    scene = Scene()
    scene.hear(OPEN, pickle.dumps("an order"), 0)
    asked = Deferred.fromCoroutine(scene.serving.records.token_key())
    scene.clock.advance(1)
    assert scene.said() == [(UP,), (CALLS, [(1, "token_key", ())])]
    scene.hear(ANSWERS, [(1, True, b"k")])
    assert asked.result == b"k"


def test_it_leaves_when_everything_is_closed():
    scene = Scene()
    scene.hear(OPEN, pickle.dumps("an order"), 0)
    scene.hear(CLOSE, 3.0)
    assert scene.serving.within == 3.0
    assert not scene.transport.disconnecting
    scene.serving.records.unattributed("failed")
    scene.serving.closing.callback(None)
    assert scene.said() == [(UP,), (CALLS, [(0, "unattributed", ("failed",))])]
    assert scene.transport.disconnecting
    scene.child.connectionLost()
    assert scene.left == [1]


def test_a_fault_is_told_before_it_leaves():
    scene = Scene()
    scene.serving.fault = OwnFault("the folder cannot be used")
    scene.serving.closing.callback(None)
    scene.hear(OPEN, pickle.dumps("an order"), 0)
    assert scene.said() == [(FAULT, "the folder cannot be used")]
    assert scene.transport.disconnecting


@pytest.mark.parametrize(
    ("namespace", "level", "told"),
    [("bulkmail", LogLevel.info, True), ("twisted", LogLevel.info, False), ("twisted", LogLevel.warn, True)],
)
def test_what_is_for_the_log(namespace, level, told):
    scene = Scene()
    scene.child.log({"log_namespace": namespace, "log_level": level, "log_format": "{a} b", "a": 1, "log_time": 0.0})
    assert scene.said() == ([(LOG, level.name, "1 b")] if told else [])
