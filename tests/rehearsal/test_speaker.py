"""What is queued, what is written, and how a connection ends."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from bulkmail.rehearsal.behaviour import Then
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.speaker import Client, Speaker
from bulkmail.rehearsal.zone import Zone


class Calls:
    """A link that writes down what it is asked for."""

    def __init__(self) -> None:
        self.made: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: self.made.append((name, *arguments))


@pytest.fixture
def link() -> Calls:
    return Calls()


@pytest.fixture
def speaker(link: Calls) -> Speaker:
    clock = Clock()
    network = SimulatedNetwork(Zone(), clock=clock.seconds, now=clock.seconds, call_later=clock.callLater)
    return Speaker(network, Exchanger("127.77.0.9", PERSONAS["accept"]), link, Client("127.0.0.1", 1))


def test_what_is_queued_is_written_once_and_together(speaker: Speaker, link: Calls) -> None:
    speaker.say(b"250 a\r\n")
    speaker.refuse(b"550 b\r\n")
    speaker.refuse(b"451 c\r\n")
    assert link.made == []
    speaker.flush()
    speaker.flush()
    assert link.made == [("write", b"250 a\r\n550 b\r\n451 c\r\n")]
    assert (speaker.network.totals.refused, speaker.network.totals.deferred) == (1, 1)


def test_usual_replies_can_be_taken_back(speaker: Speaker, link: Calls) -> None:
    speaker.say(b"250 before\r\n")
    assert speaker.replies_of(lambda: speaker.say(b"250 usual\r\n")) == b"250 usual\r\n"
    speaker.flush()
    assert link.made == [("write", b"250 before\r\n")]


def test_hanging_up_writes_closes_and_is_done_once(speaker: Speaker, link: Calls) -> None:
    speaker.say(b"250 a\r\n")
    speaker.hang_up(b"221 bye\r\n")
    speaker.hang_up(b"421 again\r\n")
    speaker.flush()
    assert link.made == [("write", b"250 a\r\n221 bye\r\n"), ("close",)]
    assert speaker.finished


@pytest.mark.parametrize(
    ("then", "calls"),
    [
        (Then.SILENCE, [("write", b"250 a\r\n")]),
        (Then.ABORT, [("abort",)]),
        (Then.HALF_CLOSE, [("write", b"250 a\r\n"), ("half_close",)]),
        (Then.REPEAT, [("write", b"250 a\r\n"), ("repeat", b"250 a\r\n")]),
        (Then.STOP_READING, [("write", b"250 a\r\n"), ("stop_reading",)]),
    ],
)
def test_a_connection_ends_as_its_persona_wants(speaker: Speaker, link: Calls, then: Then, calls: list) -> None:
    speaker.say(b"250 a\r\n")
    speaker.finish(then, b"250 a\r\n")
    assert link.made == calls
    assert speaker.finished
