from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import HostMemory, SiteHealth
from tests.retrying import RetryPlan

HOSTS = ["a", "b", "c", "d"]


class Loaded:
    def random(self):
        return 0.0


def test_the_back_off_doubles_from_a_minute_to_half_an_hour():
    memory, now, waits = HostMemory(), 0.0, []
    for _ in range(8):
        until = memory.failed("a", now)
        waits.append(until - now)
        now = until
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_ten_failures_at_once_are_one():
    memory = HostMemory()
    assert [memory.failed("a", n) for n in range(10)] == [60.0] * 10
    assert len(memory) == 1


def test_success_clears():
    memory = HostMemory()
    memory.failed("a", 0.0)
    memory.worked("a")
    memory.worked("never heard of")
    assert memory.dead_until("a", 1.0) is None
    assert memory.failed("a", 1.0) == 61.0


def test_an_old_failure_is_no_longer_held_against_it():
    memory = HostMemory()
    memory.failed("a", 0.0)
    assert memory.failed("a", 60.0 + 1800.0) == 1860.0 + 60.0


def test_the_oldest_are_forgotten():
    memory = HostMemory(size=2)
    for host in ("a", "b"):
        memory.failed(host, 0.0)
    memory.failed("a", 1.0)
    memory.failed("c", 2.0)
    assert [memory.dead_until(host, 3.0) is not None for host in "abc"] == [True, False, True]
    assert repr(memory) == "<HostMemory of 2 addresses>"


def test_a_failure_is_remembered_beyond_its_back_off_until_it_works():
    memory = HostMemory()
    assert memory.failed_until("a") is None
    memory.failed("a", 5.0)
    assert (memory.failed_until("a"), memory.dead_until("a", 66.0)) == (65.0, None)
    memory.worked("a")
    assert memory.failed_until("a") is None


def test_the_ip_version_is_to_blame_only_for_what_could_not_be_connected_to():
    memory = HostMemory()
    memory.worked("192.0.2.1")
    for ip in ("::1", "::2", "::3"):
        memory.failed(ip, 0.0)
        memory.failed(ip, 0.0, connected=True)
    assert not memory.families.is_doubtful(6, 1.0)
    memory.worked("192.0.2.1")
    for ip in ("::1", "::2", "::3"):
        memory.failed(ip, 0.0, connected=False)
    assert memory.families.is_doubtful(6, 1.0)
    memory.failed("::4", 2.0, connected=True)
    assert not memory.families.is_doubtful(6, 2.0)


@given(st.lists(st.tuples(st.sampled_from(HOSTS), st.floats(0, 200), st.booleans()), max_size=50))
def test_a_host_is_dead_while_its_back_off_runs_and_has_failed_until_it_works(events):
    memory, now = HostMemory(), 0.0
    for host, pause, good in events:
        now += pause
        if good:
            memory.worked(host)
        else:
            memory.failed(host, now)
        for each in HOSTS:
            until = memory.failed_until(each)
            assert memory.dead_until(each, now) == (until if until is not None and until > now else None)
        assert (memory.failed_until(host) is None) is good


def test_a_site_is_suspended_by_the_schedule():
    health, retry, now = SiteHealth(), RetryPlan(schedule=(10.0, 30.0)), 100.0
    assert health.suspended_until is None
    waits = []
    for _ in range(3):
        until = health.failed(now, retry, Loaded())
        assert health.suspended_until == until
        assert health.failed(now + 1, retry, Loaded()) == until
        waits.append(until - now)
        now = until
    assert waits == [10.0, 30.0, 30.0]
    assert (health.failures, health.down_since) == (3, 100.0)
    assert repr(health) == "<SiteHealth 3 failures, suspended until 170.000>"
    health.worked()
    assert (health.failures, health.down_since, repr(health)) == (0, None, "<SiteHealth well>")


def test_a_suspension_is_jittered_by_a_tenth_at_most():
    rng = random.Random(1)
    waits = [SiteHealth().failed(0.0, RetryPlan(schedule=(100.0,)), rng) for _ in range(200)]
    assert 100.0 <= min(waits) < 102.0
    assert 108.0 < max(waits) <= 110.0


def test_an_outage_that_an_earlier_process_knew_goes_on():
    health = SiteHealth(down_since=50.0, failures=1)
    assert health.suspended_until is None
    assert repr(health) == "<SiteHealth down since 50.000>"
    assert health.failed(100.0, RetryPlan(schedule=(10.0, 30.0)), Loaded()) == 130.0
    assert (health.failures, health.down_since) == (2, 50.0)
