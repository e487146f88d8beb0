"""The calls of the server's process: what goes to the service together, and what becomes of its answers."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.inbound.asking import Asking
from bulkmail.inbound.wire import plain_event, plain_found
from bulkmail.mail import Found, LateEvent, LateResult, OwnFault, campaign_key, token

KEY = bytes(32)
TOKEN = token(campaign_key(KEY, 1), 7)
FOUND = Found(1, 7, "spring", "news", "marketing", "ann@d.example", unsubscribed=False, in_spool=True)
EVENT = LateEvent(LateResult.COMPLAINED, 0.0, key="1f")


class Scene:
    def __init__(self):
        self.clock, self.sent = Clock(), []
        self.asking = Asking(self.clock, self.sent.append)

    def ask(self, call):
        return Deferred.fromCoroutine(call)

    def calls(self):
        """What was sent in the next moment."""
        self.clock.advance(0.01)
        sent, self.sent[:] = list(self.sent), []
        assert len(sent) <= 1
        return sent[0][1] if sent else []

    def answer(self, value, *, good=True):
        """The answer to the only call that was made."""
        [(number, name, arguments)] = self.calls()
        self.asking.answered([(number, good, value)])
        return name, arguments


def test_calls_of_one_moment_go_together_and_each_gets_its_own_answer():
    scene = Scene()
    first = scene.ask(scene.asking.returned(TOKEN, EVENT))
    second = scene.ask(scene.asking.complained(TOKEN, EVENT))
    third = scene.ask(scene.asking.unsubscribe(TOKEN, "mail", "1f"))
    assert scene.sent == []
    (a, name, arguments), (b, other, _), (c, *last) = scene.calls()
    assert (name, arguments, other) == ("returned", (TOKEN, plain_event(EVENT)), "complained")
    assert last == ["unsubscribe", (TOKEN, "mail", "1f")]
    scene.asking.answered([(b, True, None), (c, True, plain_found(FOUND))])
    assert not first.called
    assert (second.result, third.result) == (None, FOUND)
    scene.asking.answered([(a, True, plain_found(FOUND))])
    assert first.result == FOUND


def test_what_the_service_could_not_write_down_is_a_fault():
    scene = Scene()
    asked = scene.ask(scene.asking.members("envelope", ["ann@d.example"]))
    assert scene.answer("the disk is full", good=False) == ("members", ("envelope", ["ann@d.example"]))
    error = asked.result.value
    asked.addErrback(lambda _: None)
    assert isinstance(error, OwnFault)
    assert str(error) == "the disk is full"


def test_the_key_is_asked_for_until_there_is_one():
    scene = Scene()
    asked = scene.ask(scene.asking.token_key())
    scene.answer(b"")
    assert asked.result == b""
    asked = scene.ask(scene.asking.token_key())
    scene.answer(KEY)
    assert (asked.result, scene.ask(scene.asking.token_key()).result) == (KEY, KEY)
    assert scene.calls() == []


@pytest.mark.parametrize("foreign", ["", "x", TOKEN[:-2] + "aa"])
def test_nobody_is_asked_about_a_token_that_is_not_ours(foreign):
    scene = Scene()
    scene.ask(scene.asking.token_key())
    scene.answer(KEY)
    assert scene.ask(scene.asking.find(foreign)).result is None
    assert scene.calls() == []
    known = scene.ask(scene.asking.find(TOKEN))
    assert scene.answer(plain_found(FOUND)) == ("find", (TOKEN,))
    assert known.result == FOUND


def test_what_is_only_counted_has_no_answer_and_can_be_sent_at_once():
    scene = Scene()
    scene.asking.unattributed("failed")
    scene.asking.flush()
    assert scene.calls() == [(0, "unattributed", ("failed",))]
