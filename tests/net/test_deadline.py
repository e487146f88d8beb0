from __future__ import annotations

from twisted.internet.task import Clock

from bulkmail.net.deadline import Deadline


class Expired:
    def __init__(self) -> None:
        self.clock = Clock()
        self.at: list[float] = []
        self.deadline = Deadline(self.clock, self.clock.seconds, lambda: self.at.append(self.clock.seconds()))


def test_it_expires_once_when_its_time_has_passed():
    made = Expired()
    made.deadline.start(10)
    made.clock.advance(9.9)
    assert made.at == []
    made.clock.advance(0.1)
    assert made.at == [10]
    made.clock.advance(100)
    assert made.at == [10]
    assert made.clock.getDelayedCalls() == []


def test_moving_it_later_a_thousand_times_costs_one_timer():
    made = Expired()
    made.deadline.start(10)
    (timer,) = made.clock.getDelayedCalls()
    for _ in range(1000):
        made.clock.advance(0.005)
        made.deadline.start(10)
        assert made.clock.getDelayedCalls() == [timer]
    made.clock.advance(5)
    made.clock.advance(4.9)
    assert made.at == []
    made.clock.advance(0.2)
    assert len(made.at) == 1


def test_moving_it_earlier_is_kept():
    made = Expired()
    made.deadline.start(600)
    made.deadline.start(10)
    made.clock.advance(10)
    assert made.at == [10]
    made.deadline.start(600)
    made.deadline.start(10)
    made.deadline.start(300)
    made.clock.pump([10, 289.9])
    assert made.at == [10]
    made.clock.advance(0.2)
    assert len(made.at) == 2


def test_stopped_it_does_not_expire_and_starts_again():
    made = Expired()
    made.deadline.start(10)
    made.deadline.stop()
    made.clock.advance(5)
    made.deadline.start(10)
    made.deadline.stop()
    made.clock.advance(100)
    assert made.at == []
    assert made.clock.getDelayedCalls() == []
    made.deadline.start(1)
    made.clock.advance(1)
    assert made.at == [106]


def test_cancelled_it_leaves_no_timer():
    made = Expired()
    made.deadline.cancel()
    made.deadline.start(10)
    made.deadline.cancel()
    assert made.clock.getDelayedCalls() == []


def test_a_jump_of_the_reactors_clock_expires_nothing():
    reactor, steady = Clock(), Clock()
    at: list[float] = []
    deadline = Deadline(reactor, steady.seconds, lambda: at.append(steady.seconds()))
    deadline.start(10)
    steady.advance(1)
    reactor.advance(3600)
    assert at == []
    steady.advance(9)
    reactor.advance(9)
    assert at == [10]


def test_after_a_sleep_of_the_process_what_has_come_is_read_first():
    made = Expired()
    made.deadline.start(10)
    made.clock.advance(3600)
    assert made.at == [], "the reply may be in the socket since long ago"
    made.clock.advance(0.1)
    assert made.at == [3600.1]
    assert made.clock.getDelayedCalls() == []


def test_a_reply_found_after_a_sleep_counts():
    made = Expired()
    made.deadline.start(10)
    made.clock.advance(3600)
    made.deadline.start(10)
    made.clock.advance(9)
    assert made.at == []
    made.clock.advance(1)
    assert made.at == [3610]
