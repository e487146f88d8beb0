"""Replies in the persona's own words, one byte at a time, too late, unasked; and who they are for."""

from __future__ import annotations

import pytest

from bulkmail.rehearsal.behaviour import Behaviour, Step, Then

NO = b"550 5.1.1 no\r\n"


def test_a_step_is_taken_in_other_words(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, b"251 will forward\r\n", does=True))
    assert client.envelope("anna@accept.test") == ["250", "251"]
    client.say("RSET\r\n")
    assert client.send("anna@accept.test").startswith("250")
    assert [kept["answered"] for kept in client.store.kept] == [True]


def test_a_message_is_kept_and_answered_in_other_words(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, b"250\r\n", does=True))
    assert client.send("anna@accept.test") == "250\r\n"
    assert [kept["answered"] for kept in client.store.kept] == [True]
    assert client.send("bo@accept.test") == "250\r\n"


def test_a_reply_without_the_action(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, b"250 2.1.5 Ok\r\n"))
    assert client.envelope("anna@accept.test") == ["250", "250"]
    assert client.say("DATA\r\n").startswith("554"), "it was only said"


@pytest.mark.parametrize(
    ("reply", "whole"), [(None, "220 mx.accept.test ESMTP\r\n"), (b"220 mine\r\n", "220 mine\r\n")]
)
def test_dripping(talk, reply: bytes | None, whole: str) -> None:
    client = talk("accept", Behaviour(Step.CONNECT, reply, drip=2.0), hello=False, speed=2.0)
    said = whole[:1]  # at once, when it was connected
    assert client.say("NOOP\r\n") == ""
    while len(said) < len(whole) - 1:
        assert whole.startswith(said)
        client.clock.advance(1.0)
        heard = client.heard()
        assert len(heard) == 1, "one byte a second"
        said += heard
    client.clock.advance(1.0)
    assert said + client.heard() == whole + "250 2.0.0 Ok\r\n", "what came meanwhile is answered behind it"


def test_a_dripped_message_is_kept_before_its_answer_is_complete(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, drip=1.0))
    client.send("anna@accept.test")
    assert len(client.store.kept) == 1
    client.session.lost()
    client.clock.advance(1000)
    assert len(client.store.kept) == 1
    assert client.clock.getDelayedCalls() == []


def test_more_comes_at_once(talk) -> None:
    client = talk("accept", Behaviour(Step.MAIL, more=b"250 again\r\n"))
    assert client.say("MAIL FROM:<a@b.example>\r\n") == "250 2.1.0 Ok\r\n250 again\r\n"


def test_more_comes_later_when_the_client_says_nothing(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, None, Then.CLOSE, pause=60.0, more=b"421 bye\r\n"), speed=2.0)
    assert client.send("anna@accept.test").startswith("250")
    client.clock.advance(29)
    assert client.send("bo@accept.test").startswith("250"), "and the pause starts anew"
    client.clock.advance(29)
    assert client.heard() == ""
    assert not client.closed
    client.clock.advance(2)
    assert client.heard() == "421 bye\r\n"
    assert client.closed == "closed"
    assert client.clock.getDelayedCalls() == []


def test_who_leaves_hears_nothing_more(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, pause=60.0, more=b"250 still here\r\n"))
    client.send("anna@accept.test")
    client.session.lost()
    assert client.clock.getDelayedCalls() == []


def test_what_the_client_calls_itself(talk) -> None:
    client = talk("accept", Behaviour(Step.EHLO, b"250-{you} hello\r\n250 SIZE\r\n", does=True))
    assert client.say("EHLO me.example\r\n").startswith("250-me.example hello\r\n")
    assert client.send("anna@accept.test").startswith("250")


def test_only_behind_other_commands(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, b"503 not now\r\n", behind=True))
    assert client.envelope("anna@accept.test") == ["250", "503"]
    assert client.say("RCPT TO:<anna@accept.test>\r\n").startswith("250")


def test_only_under_tls_or_in_clear(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, NO, secure=True), Behaviour(Step.MAIL, b"530 no\r\n", secure=False))
    assert client.say("MAIL FROM:<a@b.example>\r\n").startswith("530")
    client.say("STARTTLS\r\n")
    client.session.tls_started()
    client.hello()
    assert client.envelope("anna@accept.test") == ["250", "550"]


def test_forgetting_what_came_in_the_same_write(talk) -> None:
    client = talk("accept", Behaviour(Step.MAIL, None, Then.FORGET))
    assert client.envelope("anna@accept.test") == ["250"]
    assert client.say("RCPT TO:<anna@accept.test>\r\n").startswith("250"), "alone it is answered"


@pytest.mark.parametrize(
    ("then", "closed"), [(Then.HALF_CLOSE, "half-closed"), (Then.STOP_READING, "not read"), (Then.REPEAT, "")]
)
def test_what_else_is_done_after_a_reply(talk, then: Then, closed: str) -> None:
    client = talk("accept", Behaviour(Step.MAIL, b"250-and\r\n", then))
    assert client.envelope() == ["250"]
    assert client.closed == closed
    assert client.say("NOOP\r\n") == ""
    if then is Then.REPEAT:
        assert client.repeated == b"250-and\r\n"


@pytest.mark.parametrize(
    ("step", "line"), [(Step.HELO, "HELO me.example\r\n"), (Step.RSET, "RSET\r\n"), (Step.STARTTLS, "STARTTLS\r\n")]
)
def test_steps_that_can_be_refused(talk, step: Step, line: str) -> None:
    assert talk("accept", Behaviour(step, b"502 no\r\n")).say(line) == "502 no\r\n"


def test_replies_about_mail_are_counted(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, NO), Behaviour(Step.RSET, b"502 no\r\n"))
    client.envelope("anna@accept.test")
    client.say("RSET\r\n")
    assert client.network.totals.refused == 1
