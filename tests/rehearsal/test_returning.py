"""When it is sent back, and that all of it has been at the end."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.rehearsal import returning
from bulkmail.rehearsal.returning import Returning
from bulkmail.rehearsal.store import NoStore, ReceivedMessage

MESSAGE = b"From: news@example.com\r\nSubject: spring\r\n\r\nHello\r\n"


class Kept(NoStore):
    def __init__(self):
        self.messages = []
        self.closed = False

    def add(self, received):
        self.messages.append(received)

    def close(self):
        self.closed = True


class Scene:
    def __init__(self, monkeypatch):
        self.clock, self.kept = Clock(), Kept()
        self.sending = []
        monkeypatch.setattr(returning, "sendmail", self.send)
        self.back = Returning(self.clock, self.kept, lambda: 2525, lambda *_: 0.999, 60.0)

    def send(self, host, sender, to, octets, name, port, reactor):
        assert (host, port) == ("127.76.0.1", 2525)
        answer = Deferred()
        self.sending.append((to[0], answer))
        return answer

    def take(self, *recipients):
        for recipient in recipients:
            path = f"bounces+{recipient.partition('@')[0]}@in.example.com"
            self.back.add(
                ReceivedMessage(
                    0.0, "mx.d.test", "127.0.0.2", "127.0.0.1", path, [recipient], MESSAGE, "", answered=True
                )
            )

    def answer(self):
        self.sending.pop(0)[1].callback((1, []))


@pytest.fixture
def scene(monkeypatch):
    return Scene(monkeypatch)


def test_it_comes_after_its_time_divided_by_the_speed(scene):
    scene.take("late-bounce@d.test", "ann@d.test")
    assert len(scene.kept.messages) == 2
    scene.clock.advance(1.9)
    assert scene.sending == []
    scene.clock.advance(0.2)
    assert [to for to, _ in scene.sending] == ["bounces+late-bounce@in.example.com"]
    scene.answer()
    assert scene.back.sent == {"late-bounce": 1}


def test_a_second_copy_has_no_further_consequences(scene):
    scene.take("late-bounce@d.test", "late-bounce@d.test")
    scene.clock.advance(10.0)
    assert len(scene.sending) == 1


def test_at_the_end_nothing_is_waited_for_and_a_few_at_a_time_are_sent(scene):
    scene.take(*[f"late-full+{n}@d.test" for n in range(25)])
    done = []
    scene.back.rest().addCallback(done.append)
    assert (len(scene.sending), done) == (10, [])
    for _ in range(24):
        scene.answer()
    scene.sending.pop()[1].errback(ConnectionRefusedError())
    assert done == [None]
    assert scene.back.sent == {"late-full": 24, "failed": 1}


def test_one_that_is_not_answered_is_given_up(scene):
    scene.take("away@d.test")
    done = []
    scene.back.rest().addCallback(done.append)
    scene.clock.advance(30.0)
    assert (done, scene.back.sent) == ([None], {"failed": 1})


def test_where_nothing_waits_it_is_done_at_once(scene):
    done = []
    scene.back.rest().addCallback(done.append)
    assert done == [None]
    scene.back.flush()
    scene.back.close()
    assert scene.kept.closed
