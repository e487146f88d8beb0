from __future__ import annotations

import re

import pytest

from bulkmail.rehearsal.behaviour import Step, Then
from bulkmail.rehearsal.personas import PERSONAS, asked_for

EVERY = sorted(PERSONAS)


@pytest.mark.parametrize("name", EVERY)
def test_each_says_what_it_is(name: str) -> None:
    persona = PERSONAS[name]
    assert persona.name == name
    assert re.fullmatch(r"[a-z0-9-]+", name), "it must be a label of a domain"
    assert persona.about
    assert not persona.about.endswith(".")


@pytest.mark.parametrize("name", EVERY)
def test_replies_are_whole_lines(name: str) -> None:
    persona = PERSONAS[name]
    replies = [persona.connections_reply, persona.messages_reply, persona.rate_reply]
    replies += [behaviour.reply for behaviour in persona.behaviours if behaviour.reply is not None]
    for reply in replies:
        assert reply == b"" or reply.endswith(b"\r\n")
        assert len(max(reply.split(b"\r\n"), key=len)) <= 510, "RFC 5321 4.5.3.1.5"


@pytest.mark.parametrize("name", EVERY)
def test_only_a_message_can_be_kept(name: str) -> None:
    for behaviour in PERSONAS[name].behaviours:
        assert not behaviour.stores or behaviour.step is Step.DOT
        assert 0 < behaviour.share <= 1


def test_hosts_of_no_two_personas_are_one() -> None:
    fixed = [host for persona in PERSONAS.values() for _, host in persona.dns.hosts if "{domain}" not in host]
    assert len(fixed) == len(set(fixed))


def test_an_ordinary_address_asks_for_nothing() -> None:
    for local in ("anna", "bounces", "info", "fullerton", "slowik", "unknown", "spam-filter", "a+bounce", ""):
        assert asked_for(local) is None


def test_an_address_asks_for_a_refusal() -> None:
    bounce = asked_for("bounce")
    assert bounce is not None
    assert bounce.reply is not None
    assert bounce.reply.startswith(b"550 5.1.1 ")
    assert asked_for("BOUNCE") == bounce


@pytest.mark.parametrize(
    ("local", "start"), [("bounce+553", b"553 5."), ("tempfail+452", b"452 4."), ("full+421", b"421")]
)
def test_an_address_names_the_code(local: str, start: bytes) -> None:
    asked = asked_for(local)
    assert asked is not None
    assert asked.reply is not None
    assert asked.reply.startswith(start)


def test_an_address_names_its_tries() -> None:
    asked = asked_for("tempfail+2")
    assert asked is not None
    assert asked.tries == 2
    for tag in ("bounce+", "bounce+x", "bounce+1234", "bounce+٣"):
        assert asked_for(tag) == asked_for("bounce")


def test_an_address_loses_the_reply_to_its_dot() -> None:
    asked = asked_for("keep-silent")
    assert asked is not None
    assert (asked.step, asked.then, asked.stores, asked.reply, asked.tries) == (Step.DOT, Then.SILENCE, True, b"", 1)
