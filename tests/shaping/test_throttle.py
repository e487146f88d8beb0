"""What the throttles find, against receivers in a model: no socket, no clock, the same every time."""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import parse_rate
from bulkmail.shaping import DEFAULT_LIMITS, ConnectionThrottle, Limiter, RateThrottle

LIMITS = replace(DEFAULT_LIMITS, rate=parse_rate("100/s"))


class Bucket:
    """Takes ``rate`` messages a second, with a burst of one second's worth, as `rehearsal` does."""

    def __init__(self, rate):
        self.rate = rate
        self.due = 0.0

    def takes(self, now):
        due = max(self.due, now)
        if due - now > 1.0 - 0.5 / self.rate:
            return False
        self.due = due + 1.0 / self.rate
        return True


class Window:
    """Takes ``most`` messages in each ``period`` by the clock, and nothing more until the next."""

    def __init__(self, most, period):
        self.most, self.period = most, period
        self.now, self.taken = -1, 0

    def takes(self, now):
        if now // self.period != self.now:
            self.now, self.taken = now // self.period, 0
        self.taken += 1
        return self.taken <= self.most


class Punishing(Bucket):
    """Takes nothing at all for some minutes after each message too many."""

    until = 0.0

    def takes(self, now):
        if now < self.until:
            return False
        if super().takes(now):
            return True
        self.until = now + 300.0
        return False


class Moody:
    """Refuses this part of the messages, whatever the rate; and what ``inner`` refuses."""

    def __init__(self, part, seed, inner=None):
        self.part, self.dice, self.inner = part, Random(seed), inner

    def takes(self, now):
        taken = self.inner is None or self.inner.takes(now)
        return taken and self.dice.random() > self.part


def send(receiver, seconds, *, latency=0.1, factors=(1.0, 1.0), start=0.0, limiter=None, limits=LIMITS):
    """Send for so long as fast as the limiter lets us; returns it, and the time and fate of each message."""
    limiter = limiter or Limiter(limits, start, factors=factors)
    now, on_the_way, sent, numbers = start, [], [], count()
    while now < start + seconds:
        at = limiter.peek(now)
        if on_the_way and on_the_way[0][0] <= at:
            now, _, handed_over, taken = heapq.heappop(on_the_way)
            if taken:
                limiter.speed_up(now, handed_over)
            else:
                limiter.slow_down(now, "rate", handed_over)
            continue
        now = limiter.reserve(max(now, at))
        taken = receiver.takes(now + latency / 2)
        sent.append((now, taken))
        heapq.heappush(on_the_way, (now + latency, next(numbers), now, taken))
    return limiter, sent


def goodput(sent, since, until):
    return sum(taken for at, taken in sent if since <= at < until) / (until - since)


def refused(sent):
    return sum(not taken for _, taken in sent)


@pytest.mark.parametrize("latency", [0.005, 0.1, 0.5])
def test_a_secret_rate_is_found_and_found_again_when_it_has_doubled(latency):
    receiver = Bucket(37.0)
    limiter, sent = send(receiver, 120.0, latency=latency)
    assert goodput(sent, 20.0, 120.0) > 0.9 * 37
    assert refused(sent) < 150, "most of them of the burst at the start"
    limiter, sent = send(receiver, 120.0, latency=latency, limiter=limiter, start=120.0)
    assert goodput(sent, 120.0, 240.0) > 0.9 * 37
    assert refused(sent) < 0.01 * len(sent)
    receiver.rate = 74.0
    limiter, sent = send(receiver, 300.0, latency=latency, limiter=limiter, start=240.0)
    assert goodput(sent, 360.0, 540.0) > 0.9 * 74
    assert refused(sent) < 0.01 * len(sent)
    _, sent = send(receiver, 60.0, latency=latency, factors=limiter.factors, start=1000.0)
    assert goodput(sent, 1000.0, 1060.0) > 0.85 * 74, "the next campaign begins there"
    assert refused(sent) < 0.01 * len(sent) + 10


def test_one_complaint_of_all_that_was_on_its_way_is_one():
    _, sent = send(Bucket(37.0), 600.0, latency=0.02)
    cuts = sum(not taken for at, taken in sent if at > 60.0)
    assert cuts < 600 / 15, "it stays close below the limit for half a minute, then looks"


@pytest.mark.parametrize("rate", [0.2, 1.0, 9.0])
def test_a_rate_far_below_the_configured_one_is_found(rate):
    _, sent = send(Bucket(max(rate, 0.6)), 1800.0)
    assert goodput(sent, 300.0, 1800.0) > 0.75 * max(rate, 0.6)
    assert refused([one for one in sent if one[0] > 300.0]) < 0.1 * len(sent)


def test_a_receiver_that_counts_by_the_minute_is_asked_rarely_until_the_minute_is_over():
    _, sent = send(Window(2220, 60.0), 900.0)
    assert goodput(sent, 60.0, 900.0) > 0.9 * 37
    assert refused(sent) < 0.015 * len(sent)


def test_a_receiver_that_punishes_is_left_in_peace():
    _, sent = send(Punishing(37.0), 3600.0)
    blocked = [at for at, taken in sent if not taken and at > 60.0]
    assert len(blocked) < 3600 / 20
    assert goodput(sent, 0.0, 3600.0) > 0.5


@pytest.mark.parametrize("part", [1 / 300, 0.01])
def test_refusals_that_no_rate_avoids_leave_nearly_all_of_it(part):
    _, sent = send(Moody(part, 2), 300.0)
    assert goodput(sent, 180.0, 300.0) > 90
    assert refused(sent) / len(sent) == pytest.approx(part, rel=0.2)


def test_a_secret_rate_is_kept_where_other_messages_are_refused_at_any_rate():
    _, sent = send(Moody(0.01, 2, Bucket(37.0)), 400.0)
    assert goodput(sent, 120.0, 400.0) > 0.7 * 37
    assert refused(sent) < 0.015 * len(sent)


def test_a_secret_rate_that_is_lowered_is_found_though_more_was_taken_before():
    receiver = Bucket(74.0)
    limiter, _ = send(receiver, 120.0)
    receiver.rate = 20.0
    _, sent = send(receiver, 180.0, limiter=limiter, start=120.0)
    assert goodput(sent, 150.0, 300.0) > 0.9 * 20
    assert refused(sent) < 0.015 * len(sent)


def test_what_was_taken_of_the_whole_limit_says_nothing_of_a_part():
    """Half of the rate is less than three quarters of what was taken, and a complaint there is about the rate."""
    throttle = RateThrottle(0.01, 0.4)
    for n in range(800):
        throttle.accepted(n / 40, n / 40)
    throttle.become(0.02)
    now = 20.0
    for _ in range(6):
        before = throttle.factor
        assert throttle.refused(now, now - 0.1)
        assert throttle.factor < before
        throttle.accepted(now + 2.0, now + 1.9)
        now += 5.0


def test_a_complaint_right_after_a_rest_is_about_the_rate_that_was_used_before():
    throttle = RateThrottle(0.01, 0.36)
    for n in range(100):
        throttle.accepted(n / 36, n / 36)
    throttle.refused(3.0, 2.9)
    throttle.accepted(4.1, 4.0)
    throttle.refused(4.3, 4.2)
    assert throttle.factor > 0.2, "not about the few messages of this second"


def test_a_receiver_that_never_complains_gets_the_whole_rate_and_no_more():
    limiter, sent = send(Bucket(1000.0), 60.0)
    assert limiter.factors == (1.0, 1.0)
    assert len(sent) == pytest.approx(60 * 100 + 10, abs=2)


def test_a_complaint_halves_an_unknown_rate_and_what_was_on_its_way_says_nothing_new():
    throttle = RateThrottle(0.01)
    assert throttle.refused(10.0, 9.9)
    assert (throttle.factor, throttle.held_until) == (0.5, 11.0)
    assert not any(throttle.refused(10.0 + n / 10, 9.95) for n in range(20))
    assert not throttle.accepted(10.5, 9.95)
    assert throttle.factor == throttle.pace == 0.5


def test_a_known_limit_is_approached_from_close_below():
    throttle = RateThrottle(0.01, 0.36)
    assert throttle.factor == throttle.learnt == 0.36
    throttle.refused(0.0, -0.1)
    assert throttle.factor == pytest.approx(0.85 * 0.36)


def test_while_everything_is_refused_each_rest_is_longer_and_the_next_message_goes_alone():
    throttle, now, rests = RateThrottle(0.01), 0.0, []
    for _ in range(12):
        assert throttle.refused(now, now - 0.1)
        rests.append(throttle.held_until - now)
        now = throttle.held_until + 0.1
    assert rests == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0, 300.0])
    assert throttle.pace == 1 / 1024
    assert throttle.factor == 0.5
    assert throttle.accepted(now, now - 0.05)
    assert throttle.pace == throttle.factor


def test_a_rate_that_is_used_in_part_grows_in_that_part():
    used, idle = (RateThrottle(0.01, 0.36) for _ in range(2))
    for throttle in (used, idle):
        throttle.refused(0.0, -0.1)
        throttle.accepted(1.0, 0.9)
    for n in range(3000):
        used.accepted(1.0 + n / 30, 0.5 + n / 30)
    for n in range(100):
        idle.accepted(1.0 + n, 0.5 + n)
    assert used.factor > 0.6
    assert idle.factor < 0.42


def test_what_the_connections_never_reached_was_not_refused():
    """The rate is 100/s, and the receiver's slowness lets 5/s through: a complaint is about these 5."""
    throttle = RateThrottle(0.01)
    for n in range(50):
        throttle.accepted(n / 5, n / 5)
    throttle.refused(10.0, 9.9)
    assert throttle.factor == pytest.approx(5 * 1.25 / 100 / 2)


def test_a_rehearsal_does_not_wait_as_long():
    quick, throttle = RateThrottle(0.01, 0.36, speed=600.0), RateThrottle(0.01, 0.36)
    for one in (quick, throttle):
        one.refused(0.0, -0.1)
        one.accepted(1.0, 0.9)
        for n in range(100):
            one.accepted(1.0 + n / 30, 0.5 + n / 30)
    assert quick.factor > throttle.factor
    looks = ConnectionThrottle(speed=600.0)
    looks.refused(0.0, 4, 10)
    assert looks.worked(0.2, 10)


EVENTS = st.lists(st.tuples(st.floats(0, 50), st.booleans(), st.floats(0, 3)), max_size=100)


@settings(max_examples=60)
@given(EVENTS, st.floats(0.001, 1), st.sampled_from([0.0001, 0.01, 1.0, 100.0]))
def test_it_stays_between_the_floor_and_one_and_moves_the_right_way(events, learnt, interval):
    throttle, now = RateThrottle(interval, learnt), 0.0
    for pause, good, flight in events:
        now += pause
        before, refusing = throttle.factor, throttle.pace < throttle.factor
        changed = throttle.accepted(now, now - flight) if good else throttle.refused(now, now - flight)
        assert changed or throttle.factor == before
        assert 1 / 1024 <= throttle.pace <= throttle.factor <= 1.0
        assert 1 / 1024 <= throttle.learnt <= 1.0
        if not good:
            assert throttle.factor <= before
            assert not changed or now < throttle.held_until <= now + 300.0
        elif not refusing:
            assert throttle.factor >= before


@settings(max_examples=20, deadline=None)
@given(st.floats(2, 200), st.floats(0.001, 1))
def test_no_window_ever_has_more_than_the_configured_rate(rate, latency):
    _, sent = send(Bucket(rate), 40.0, latency=latency)
    times = [at for at, _ in sent]
    burst = 100
    for width in (50, 150, 400):
        assert all(b - a >= (width - burst) / 100 - 1e-6 for a, b in zip(times, times[width:], strict=False))


def test_as_many_connections_as_work_are_used_and_one_more_is_tried_rarely():
    throttle = ConnectionThrottle()
    assert throttle.refused(0.0, 4, 10)
    assert throttle.factor == 0.4
    assert not throttle.refused(1.0, 5, 10)
    assert not throttle.worked(60.0, 10)
    assert throttle.worked(61.0, 10)
    assert throttle.factor == 0.5
    assert throttle.refused(62.0, 4, 10)
    assert not throttle.worked(181.0, 10)
    assert throttle.worked(182.0, 10), "two minutes after a look in vain"
    for n in range(1, 6):
        assert throttle.worked(182.0 + 10 * n, 10)
    assert throttle.factor == 1.0
    assert not throttle.worked(1000.0, 10)


def test_one_connection_is_always_left():
    throttle = ConnectionThrottle()
    throttle.refused(0.0, 0, 3)
    assert throttle.factor == pytest.approx(1 / 3)


def test_repr():
    assert repr(RateThrottle(0.01, 0.5)) == "<RateThrottle 0.5>"
    assert repr(ConnectionThrottle(0.5)) == "<ConnectionThrottle 0.5>"
