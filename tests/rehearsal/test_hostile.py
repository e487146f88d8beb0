from __future__ import annotations

import re

import pytest

from bulkmail.rehearsal.behaviour import Step, Then
from bulkmail.rehearsal.hostile import HOSTILE
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.zone import Place, Zone, hosts_table

EVERY = sorted(HOSTILE)
ZONE = Zone()


@pytest.mark.parametrize("name", EVERY)
def test_each_says_what_it_is_and_is_found(name: str) -> None:
    persona = HOSTILE[name]
    assert persona.name == name
    assert name not in PERSONAS
    assert re.fullmatch(r"[a-z0-9-]+", name), "it must be a label of a domain"
    assert persona.about
    assert not persona.about.endswith(".")
    for domain in (f"{name}.test", f"shop.{name}.test", f"{name}-2.test"):
        assert ZONE.domain(domain).persona is persona
        for _, host in ZONE.domain(domain).hosts:
            assert ZONE.host(host) is not None
    assert f"{name}.test " in hosts_table()


@pytest.mark.parametrize("name", EVERY)
def test_each_differs_from_the_good_server(name: str) -> None:
    persona = HOSTILE[name]
    changed = [field for field in persona.__slots__ if getattr(persona, field) != getattr(PERSONAS["accept"], field)]
    assert set(changed) > {"name", "about"}


@pytest.mark.parametrize("name", EVERY)
def test_what_makes_no_sense_is_not_asked_for(name: str) -> None:
    for behaviour in HOSTILE[name].behaviours:
        assert not (behaviour.stores and behaviour.does), "it is one or the other"
        assert not behaviour.stores or behaviour.step is Step.DOT
        assert not behaviour.after or behaviour.step is Step.BODY
        assert not behaviour.does or behaviour.reply is not None
        assert behaviour.then is not Then.REPEAT or behaviour.reply, "there is something to repeat"
        assert behaviour.step is not Step.BODY or not (behaviour.wait or behaviour.drip), "a message is not held up"


def test_a_hole_is_one_where_its_layout_says_so() -> None:
    assert ZONE.host("mx.hole.test") == (HOSTILE["hole"], Place.HOLE)
    assert ZONE.host("mx1.half-hole.test") == (HOSTILE["half-hole"], Place.HOLE)
    assert ZONE.host("mx2.half-hole.test") == (HOSTILE["half-hole"], Place.OPEN)
