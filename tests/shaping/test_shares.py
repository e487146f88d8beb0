from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Rate, parse_rate
from bulkmail.shaping import DEFAULT_LIMITS, WHOLE, Limiter, Part, shares_of
from bulkmail.shaping.shares import limits_of


def limits(connections=10, rate="100/s", connection_rate="100/m", shares=0):
    return replace(
        DEFAULT_LIMITS,
        connections=connections,
        rate=parse_rate(rate),
        connection_rate=parse_rate(connection_rate),
        shares=shares,
    )


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ({}, 1),
        ({"rate": "999/s"}, 1),
        ({"rate": "2999/s"}, 2),
        ({"rate": "120000/m"}, 2),
        ({"rate": "20000/s"}, 10),
        ({"rate": "20000/s", "connections": 40}, 20),
        ({"rate": "20000/s,burst=3"}, 3),
        ({"shares": 1, "rate": "20000/s"}, 1),
        ({"shares": 4}, 4),
        ({"shares": 4, "connections": 3}, 3),
        ({"shares": 4, "rate": "5000/h"}, 1),
    ],
)
def test_as_many_shares_as_its_rate_needs_or_the_operator_says(given, shares):
    assert shares_of(limits(**given)) == shares


@given(
    st.integers(1, 12).flatmap(
        lambda of: st.tuples(st.just(of), st.lists(st.integers(0, 3), min_size=of, max_size=of))
    ),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_parts_are_never_more_than_the_whole_and_none_is_without_a_connection(cut, connections, burst):
    of, owners = cut
    whole = limits(of + connections, f"100/s,burst={of + burst}")
    parts = [Part(frozenset(n for n, who in enumerate(owners, 1) if who == owner), of) for owner in set(owners)]
    cut_up = [limits_of(whole, part) for part in parts]
    assert sum(one.connections for one in cut_up) == whole.connections
    assert sum(one.rate.burst for one in cut_up) == whole.rate.burst
    assert sum(1 / one.rate.interval for one in cut_up) == pytest.approx(100)
    assert sum(1 / one.connection_rate.interval for one in cut_up) == pytest.approx(100 / 60)
    for number in range(1, of + 1):
        assert limits_of(whole, Part(frozenset({number}), of)).connections >= 1


def test_the_whole_is_the_whole():
    assert limits_of(limits(), WHOLE) == limits()
    assert limits_of(limits(), Part(frozenset({1, 2, 3}), 3)) == limits()


class Machine:
    """One that sends whatever its limiter lets it, with a few messages booked ahead by lanes that wait."""

    def __init__(self, limiter, numbers):
        self.limiter, self.numbers, self.sent = limiter, set(numbers), []

    def send(self, now, ahead):
        while self.limiter.peek(now) <= now:
            self.sent.append(self.limiter.reserve(now))
        self.sent += [self.limiter.reserve(now) for _ in range(ahead)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.125, 0.25, 0.5, 1.0, 3.0]),
        st.sampled_from(["all send", "all send", "one sends", "nobody"]),
        st.integers(0, 2),  # who gives half of its shares, or all but one, away
        st.sampled_from([0, 0, 1, 5]),  # how many messages each has booked ahead
    ),
    min_size=5,
    max_size=30,
)


@given(st.integers(2, 4), st.integers(4, 9), STEPS)
def test_the_sum_of_all_machines_stays_within_the_rate_while_shares_go_from_hand_to_hand(of, burst, steps):
    rate = Rate(4, 1.0, burst)
    whole = replace(limits(), rate=rate)
    now = 100.0
    machines = [Machine(Limiter(whole, now), range(1, of + 1)), None, None]
    going = []  # (who gave, who gets, which share)
    for pause, who_sends, giver, ahead in steps:
        now += pause
        for who, machine in enumerate(machines):
            if machine is not None and (who_sends == "all send" or (who_sends == "one sends" and who != giver)):
                machine.send(now, ahead)
        gives = machines[giver]
        if gives is not None:
            keep = sorted(gives.numbers)[: max(1, len(gives.numbers) // 2)]
            going += [(gives, (giver + 1) % 3, number) for number in gives.numbers - set(keep)]
            gives.numbers = set(keep)
            gives.limiter.become(Part(frozenset(keep), of), now)
            if who_sends == "all send":
                gives.send(now, ahead)
        for one in [one for one in going if one[0].limiter.within(now)]:
            going.remove(one)
            _, getter, number = one
            if machines[getter] is None:
                part = Part(frozenset({number}), of)
                machines[getter] = Machine(Limiter(whole, now, empty=True, part=part), {number})
            else:
                machines[getter].numbers.add(number)
                machines[getter].limiter.become(Part(frozenset(machines[getter].numbers), of), now)
            if who_sends == "all send":
                machines[getter].send(now, ahead)
    times = sorted(at for machine in machines if machine is not None for at in machine.sent)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate.burst + (times[last] - times[first]) / rate.interval + 1e-6
