"""What an answer of rspamd means; the real one is asked in tests/interop."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from bulkmail.inbound import Refusal
from bulkmail.inbound.rspamd import Rspamd
from bulkmail.mail import OwnFault


class Agent:
    """Answers by rote."""

    def __init__(self, code=200, body=b"", pieces=1):
        self.code, self.body, self.pieces = code, body, pieces
        self.asked = []

    def request(self, method, url, headers, body):
        self.asked.append((method, url, dict(headers.getAllRawHeaders())))
        if isinstance(self.body, Exception):
            return fail(self.body)
        return succeed(SimpleNamespace(code=self.code, deliverBody=self._deliver))

    def _deliver(self, protocol):
        protocol.makeConnection(SimpleNamespace(loseConnection=lambda: None))
        for _ in range(self.pieces):
            protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ConnectionDone()))


def verdict(action, score=1.5, **more):
    return json.dumps({"action": action, "score": score, "message-id": "undef", **more}).encode()


def ask(agent, received):
    found = []
    Deferred.fromCoroutine(Rspamd(Clock(), "http://127.0.0.1:11333", agent)(received)).addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def test_what_it_is_told(message):
    agent = Agent(body=verdict("no action"))
    assert ask(agent, message()) == b""
    method, url, headers = agent.asked[0]
    assert (method, url) == (b"POST", b"http://127.0.0.1:11333/checkv2")
    shown = {name.lower(): value for name, value in headers.items()}
    assert shown == {
        b"from": [b"<s@t.example>"],
        b"rcpt": [b"<anna@in.example.com>"],
        b"ip": [b"192.0.2.1"],
        b"helo": [b"a.example"],
        b"queue-id": [b"ID1"],
    }


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("no action", b""),
        ("greylist", b""),
        ("add header", b"X-Spam: Yes\r\nX-Spam-Score: 1.50\r\n"),
        ("rewrite subject", b"X-Spam: Yes\r\nX-Spam-Score: 1.50\r\n"),
        ("quarantine", b"X-Spam: Yes\r\nX-Spam-Score: 1.50\r\n"),
        ("reject", 550),
        ("discard", 550),
        ("soft reject", 451),
    ],
)
def test_actions(message, action, result):
    agent = Agent(body=verdict(action))
    if isinstance(result, int):
        with pytest.raises(Refusal) as caught:
            ask(agent, message())
        assert caught.value.code == result
    else:
        assert ask(agent, message()) == result


@pytest.mark.parametrize(
    "agent",
    [
        Agent(500, b'{"error":"invalid command"}'),
        Agent(200, b"not JSON"),
        Agent(200, b'{"action":"no action","score":0.0}'),  # as to an empty upload
        Agent(200, b'{"error":"x"}'),
        Agent(200, b"[]"),
        Agent(200, verdict(3)),
        Agent(200, verdict("no action", score="x")),
        Agent(200, b"x" * 600_000, pieces=2),
        Agent(body=ConnectError()),
    ],
)
def test_what_is_no_verdict(message, agent):
    with pytest.raises(OwnFault, match=r"rspamd at http://127\.0\.0\.1:11333 gave no verdict"):
        ask(agent, message())


def test_an_empty_message_and_a_client_without_an_address_are_not_asked_about(message):
    agent = Agent(body=verdict("no action"))
    with pytest.raises(Refusal, match="empty"):
        ask(agent, message(body=b"\r\n"))
    with pytest.raises(OwnFault, match="is no address"):
        ask(agent, message(ip=""))
    assert agent.asked == []


def test_it_is_not_waited_for_without_end(message):
    clock, found = Clock(), []
    agent = SimpleNamespace(request=lambda *_: Deferred())
    Deferred.fromCoroutine(Rspamd(clock, "http://h", agent)(message())).addBoth(found.append)
    clock.advance(30.0)
    assert isinstance(found[0].value, OwnFault)
