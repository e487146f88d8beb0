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


def test_preference_first_and_first_addresses_before_second_ones():
    where = site((20, "c", ["4"]), (10, "a", ["1", "2"]), (10, "b", ["3"]))
    assert plan(where, HostMemory(), 0.0, Still()) == [("a", "1"), ("b", "3"), ("a", "2"), ("c", "4")]


def test_hosts_of_one_preference_are_shuffled():
    where = site(*((10, name, [name]) for name in "abcde"))
    rng = random.Random(1)
    assert len({plan(where, HostMemory(), 0.0, rng)[0] for _ in range(100)}) == 5


def test_a_walk_is_five_addresses_long():
    where = site(*((10, f"h{n}", [f"192.0.2.{n}"]) for n in range(9)))
    assert len(plan(where, HostMemory(), 0.0, Still())) == 5


def test_an_address_of_two_hosts_is_tried_once_and_a_host_without_one_never():
    where = site((10, "a", ["1"]), (20, "b", ["1", "2"]), (30, "c", []))
    assert plan(where, HostMemory(), 0.0, Still()) == [("a", "1"), ("b", "2")]


def test_the_dead_come_last_before_the_walk_is_cut():
    memory = HostMemory()
    for address in ("0", "1", "2"):
        memory.failed(address, 0.0)
    where = site(*((n, f"h{n}", [str(n)]) for n in range(7)))
    assert [address for _, address in plan(where, memory, 1.0, Still())] == ["3", "4", "5", "6", "0"]


def test_where_all_are_dead_all_are_tried_soonest_due_first():
    memory = HostMemory()
    memory.failed("2", 0.0)
    memory.failed("1", 5.0)
    where = site((10, "a", ["1"]), (20, "b", ["2"]))
    assert plan(where, memory, 6.0, Still()) == [("b", "2"), ("a", "1")]


HOSTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("abcdef"), st.lists(st.sampled_from("123456789"), max_size=3)),
    min_size=1,
    max_size=6,
    unique_by=lambda host: host[1],
)


@given(HOSTS, st.sets(st.sampled_from("123456789")), st.integers())
def test_a_plan_never_starves_a_site(hosts, dead, seed):
    memory = HostMemory()
    for address in sorted(dead):
        memory.failed(address, 0.0)
    walk = plan(site(*hosts), memory, 1.0, random.Random(seed))
    addresses = [address for _, address in walk]
    every = {address for _, _, given in hosts for address in given}
    assert len(addresses) == len(set(addresses)) == min(5, len(every))
    alive = [address not in dead for address in addresses]
    assert alive == sorted(alive, reverse=True)
    best = {address: min(p for p, _, given in hosts if address in given) for address in every}
    living = [best[address] for address in addresses if address not in dead]
    assert living == sorted(living)
