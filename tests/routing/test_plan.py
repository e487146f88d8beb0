from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.routing import plan, site_of
from bulkmail.shaping import HostMemory


class Still:
    def shuffle(self, x, /):
        pass


def site(*hosts):
    return site_of(hosts, {})


def planned(where, memory=None, now=0.0, **versions):
    return [stop.ip for stop in plan(where, memory or HostMemory(), now, Still(), **versions)]


def test_preference_first_and_first_addresses_before_second_ones():
    where = site((20, "c", ["4"]), (10, "a", ["1", "2"]), (10, "b", ["3"]))
    expected = [(10, "a", "1"), (10, "b", "3"), (10, "a", "2"), (20, "c", "4")]
    assert plan(where, HostMemory(), 0.0, Still()) == expected


def test_hosts_of_one_preference_are_shuffled():
    where = site(*((10, name, [name]) for name in "abcde"))
    rng = random.Random(1)
    assert len({plan(where, HostMemory(), 0.0, rng)[0] for _ in range(100)}) == 5


def test_an_address_of_two_hosts_is_tried_once_and_a_host_without_one_never():
    where = site((10, "a", ["1"]), (20, "b", ["1", "2"]), (30, "c", []))
    assert plan(where, HostMemory(), 0.0, Still()) == [(10, "a", "1"), (20, "b", "2")]


def test_the_dead_come_last():
    memory = HostMemory()
    for address in ("0", "1", "2"):
        memory.failed(address, 0.0)
    where = site(*((n, f"h{n}", [str(n)]) for n in range(7)))
    assert planned(where, memory, 1.0) == ["3", "4", "5", "6", "0", "1", "2"]


def test_where_all_are_dead_all_are_tried_soonest_due_first():
    memory = HostMemory()
    memory.failed("2", 0.0)
    memory.failed("1", 5.0)
    where = site((10, "a", ["1"]), (20, "b", ["2"]))
    assert planned(where, memory, 6.0) == ["2", "1"]


def test_five_or_fewer_go_by_preference_alone_when_their_back_off_is_over():
    memory = HostMemory()
    memory.failed("1", 0.0)
    assert planned(site((10, "a", ["1"]), (20, "b", ["2", "3"])), memory, 60.0) == ["1", "2", "3"]


def test_of_more_than_five_those_that_failed_leave_four_of_the_first_places_to_the_others():
    memory = HostMemory()
    for n, address in enumerate("012345"):
        memory.failed(address, float(5 - n))
    where = site((10, "a", list("012345")), (20, "b", list("6789")))
    assert planned(where, memory, 100.0) == ["5", "6", "7", "8", "9", "0", "1", "2", "3", "4"]


def test_of_more_than_five_that_all_failed_the_best_and_those_that_failed_longest_ago_come_first():
    memory = HostMemory()
    for n, address in enumerate("01234567"):
        memory.failed(address, float(-n))
    where = site((10, "a", list("0123")), (20, "b", list("4567")))
    assert planned(where, memory, 100.0)[:5] == ["3", "4", "5", "6", "7"]


def test_the_ip_versions_take_turns_within_a_preference():
    where = site((10, "a", ["1", "2", "3", "::1"]), (10, "b", ["4", "::4", "::5"]), (20, "c", ["9", "::9"]))
    assert planned(where) == ["1", "::4", "4", "::5", "2", "::1", "3", "9", "::9"]
    assert planned(where, preferred=6) == ["::4", "1", "::5", "4", "::1", "2", "3", "::9", "9"]


def test_an_ip_version_that_fails_while_the_other_works_does_not_come_first():
    memory = HostMemory()
    for ip in ("::7", "::8", "::9"):
        memory.failed(ip, 0.0, connected=False)
    memory.worked("9")
    where = site((10, "a", ["1", "::1"]), (20, "b", ["2", "::2"]))
    assert planned(where, memory, 1.0, preferred=6) == ["1", "::1", "2", "::2"]
    assert planned(where, memory, 61.0, preferred=6) == ["::1", "1", "::2", "2"]


def test_addresses_of_an_ip_version_that_cannot_be_used_are_left_out():
    where = site((10, "a", ["1", "::1"]), (20, "b", ["::2"]))
    assert planned(where, families={4}) == ["1"]
    assert planned(where, families={6}, preferred=4) == ["::1", "::2"]
    assert planned(site((10, "b", ["::2"])), families={4}) == []


HOSTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("abcdef"), st.lists(st.sampled_from("123456789"), max_size=3)),
    min_size=1,
    max_size=6,
    unique_by=lambda host: host[1],
)


@given(HOSTS, st.dictionaries(st.sampled_from("123456789"), st.floats(0, 100)), st.integers())
def test_a_plan_has_every_address_once_the_living_first_and_those_of_its_first_five_by_preference(hosts, failed, seed):
    memory, now = HostMemory(), 110.0
    for address, then in failed.items():
        memory.failed(address, then)
    walk = plan(site(*hosts), memory, now, random.Random(seed))
    every = {address: min(p for p, _, given in hosts if address in given) for _, _, given in hosts for address in given}
    assert sorted((stop.ip, stop.preference) for stop in walk) == sorted(every.items())
    dead = [memory.dead_until(stop.ip, now) is not None for stop in walk]
    assert dead == sorted(dead)
    first = [stop.preference for stop, gone in zip(walk[:5], dead, strict=False) if not gone]
    assert first == sorted(first)
    if first:
        assert first[0] == min(p for address, p in every.items() if memory.dead_until(address, now) is None)


@given(HOSTS, st.integers(), st.floats(61, 10_000))
def test_attempts_that_all_fail_come_to_every_address(hosts, seed, pause):
    memory, now, rng, seen = HostMemory(), 0.0, random.Random(seed), set()
    for _ in range(4):
        for stop in plan(site(*hosts), memory, now, rng)[:5]:
            seen.add(stop.ip)
            memory.failed(stop.ip, now)
        now += pause
    assert seen == {address for _, _, given in hosts for address in given}


@given(HOSTS, HOSTS, st.integers(), st.sampled_from([4, 6]))
def test_a_walk_comes_to_both_ip_versions_where_its_best_preference_has_both(four, six, seed, preferred):
    hosts = [*four, *((p, name.upper(), [f"::{ip}" for ip in given]) for p, name, given in six)]
    walk = plan(site(*hosts), HostMemory(), 0.0, random.Random(seed), preferred=preferred)[:5]
    if walk:
        best = [":" in stop.ip for stop in walk if stop.preference == walk[0].preference]
        both = {":" in ip for p, _, given in hosts if p == walk[0].preference for ip in given}
        assert set(best) == both
        if len(both) == 2:
            assert best[0] == (preferred == 6)
