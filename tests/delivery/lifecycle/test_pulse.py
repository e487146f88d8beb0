from __future__ import annotations

import pytest

from bulkmail.delivery.lifecycle.pulse import Pulse
from bulkmail.mail import OwnFault


@pytest.fixture
def one(world):
    return world()


@pytest.fixture
def given(one, monkeypatch):
    signs = []

    async def give_sign(sign):
        signs.append(sign)

    monkeypatch.setattr(one.spool, "give_sign", give_sign, raising=False)
    one.pulse = Pulse(one.spool, one.clocks, one.pause, "mta1", 42)
    return signs


def looks(one, seconds):
    for _ in range(seconds):
        one.pulse.look()
        one.run(1)


def test_a_sign_every_five_seconds(one, given):
    began = one.clocks.wall()
    looks(one, 11)
    assert [(sign.machine, sign.process, sign.at - began, sign.fault) for sign in given] == [
        ("mta1", 42, 0.0, ""),
        ("mta1", 42, 5.0, ""),
        ("mta1", 42, 10.0, ""),
    ]


def test_a_fault_is_told_at_once_and_so_is_its_end(one, given):
    looks(one, 1)
    at = one.clocks.wall()
    one.pause.own_fault("the disk is full")
    looks(one, 1)
    assert (given[-1].fault, given[-1].fault_since) == ("the disk is full", at)
    one.run(6)
    one.pause.server_answered()
    looks(one, 1)
    assert (given[-1].fault, given[-1].fault_since) == ("", None)


def test_a_spool_that_cannot_be_written_is_tried_again(one, given, monkeypatch):
    async def fails(_):
        given.append("tried")
        raise OwnFault("disk full")

    monkeypatch.setattr(one.spool, "give_sign", fails)
    looks(one, 3)
    assert given == ["tried"] * 3
