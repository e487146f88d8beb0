from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault
from bulkmail.spool.gathering import MOST_TOGETHER, Gathering
from bulkmail.spool.writer import Writer


@pytest.fixture
def writer(reactor):
    made = Writer(reactor)
    yield made
    reactor.wait(made.stop())


def test_what_comes_in_one_turn_is_written_together(reactor, writer):
    batches = []

    def write(items):
        batches.append(list(items))
        return [item * 2 for item in items]

    gathering = Gathering(write, writer, reactor)
    first = [gathering.add(n) for n in range(3)]
    reactor.advance(0)
    assert gathering.busy
    later = [gathering.add(n) for n in range(3, 5)]  # while that one is being written
    assert [reactor.wait(one) for one in [*first, *later]] == [0, 2, 4, 6, 8]
    assert batches == [[0, 1, 2], [3, 4]]
    assert not gathering.busy


def test_a_batch_has_its_limit(reactor, writer):
    sizes = []
    gathering = Gathering(lambda items: sizes.append(len(items)) or items, writer, reactor)
    answers = [gathering.add(n) for n in range(MOST_TOGETHER + 1)]
    assert [reactor.wait(one) for one in answers] == list(range(MOST_TOGETHER + 1))
    assert sizes == [MOST_TOGETHER, 1]


def test_a_fault_is_told_to_each_and_the_next_batch_is_written(reactor, writer):
    faults = [OwnFault("disk full")]

    def write(items):
        if faults:
            raise faults.pop()
        return items

    gathering = Gathering(write, writer, reactor)
    failed = [gathering.add(n) for n in range(2)]
    for one in failed:
        with pytest.raises(OwnFault, match="disk full"):
            reactor.wait(one)
    assert reactor.wait(gathering.add(7)) == 7


def test_between_two_writes_lies_a_rest_in_which_more_is_gathered(reactor, writer):
    batches = []
    gathering = Gathering(lambda items: batches.append(list(items)) or items, writer, reactor, rest=0.5)
    assert reactor.wait(gathering.add(1)) == 1  # one alone waits for nobody
    waiting = [gathering.add(n) for n in (2, 3)]
    reactor.advance(0.4)
    assert gathering.busy
    assert batches == [[1]]
    reactor.advance(0.1)
    assert [reactor.wait(one) for one in waiting] == [2, 3]
    assert batches == [[1], [2, 3]]
    reactor.advance(0.5)
    assert reactor.wait(gathering.add(4)) == 4
    assert not gathering.busy


def test_who_is_in_a_hurry_does_not_rest(reactor, writer):
    gathering = Gathering(lambda items: items, writer, reactor, rest=0.5)
    reactor.wait(gathering.add(1))
    waiting = gathering.add(2)
    gathering.hurry()
    assert reactor.wait(waiting) == 2
    assert not gathering.busy
    assert not reactor.getDelayedCalls()
