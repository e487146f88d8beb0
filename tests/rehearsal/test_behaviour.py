from __future__ import annotations

import dataclasses

import pytest

from bulkmail.rehearsal.behaviour import Behaviour, Layout, Persona, Step, Then


def test_a_persona_is_a_value() -> None:
    one = Persona("x", "y", behaviours=(Behaviour(Step.DOT, b"451 later\r\n", Then.CLOSE),))
    assert one == dataclasses.replace(one)
    assert len({one, dataclasses.replace(one)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.size = 3  # type: ignore[misc]


def test_nothing_said_is_the_good_server() -> None:
    persona = Persona("x", "y")
    assert persona.dns == Layout(hosts=((10, "mx.{domain}"),))
    assert (persona.connections, persona.messages, persona.rate, persona.greylist) == (0, 0, 0, 0)
    assert Behaviour(Step.RCPT).reply is None
