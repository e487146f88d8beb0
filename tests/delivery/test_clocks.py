from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from bulkmail.delivery.clocks import Clocks, WallClock

YEAR = 365 * 86400.0


class Machine:
    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 5.0
        self.clock = WallClock(lambda: self.wall, lambda: self.steady)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_it_goes_with_the_machines_clock() -> None:
    machine = Machine()
    machine.wait(100)
    assert machine.clock() == 1_000_100.0
    assert machine.clock.look() == 0.0


@pytest.mark.parametrize("jump", [3600.0, YEAR])
def test_set_forward_it_follows_and_says_so_once(jump: float) -> None:
    machine = Machine()
    machine.wall += jump
    assert machine.clock() == 1_000_000.0, "not in the middle of a wait"
    assert machine.clock.look() == jump
    assert machine.clock() == machine.wall
    assert machine.clock.look() == 0.0


@pytest.mark.parametrize("jump", [3600.0, YEAR])
def test_set_back_it_goes_on_and_says_so_once(jump: float) -> None:
    machine = Machine()
    machine.wall -= jump
    assert machine.clock.look() == -jump
    machine.wait(10)
    assert machine.clock() == 1_000_010.0
    assert machine.clock.look() == 0.0
    machine.wall += jump
    assert machine.clock.look() == 0.0, "put right again"
    machine.wall -= jump
    assert machine.clock.look() == -jump


@pytest.mark.parametrize("step", [1.0, -1.0])
def test_small_corrections_are_taken_without_a_word(step: float) -> None:
    machine = Machine()
    for _ in range(100):
        machine.wall += step
        assert machine.clock.look() == 0.0
        assert machine.clock() == machine.wall


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 60.0), (600.0, 0.1)])
def test_waits_that_no_setting_names_are_shorter_in_a_rehearsal(speed: float, seconds: float) -> None:
    assert Clocks(Clock(), lambda: 0.0, speed).scaled(60.0) == pytest.approx(seconds)
