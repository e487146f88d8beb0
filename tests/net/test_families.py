from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault
from bulkmail.net import Families


class Machine:
    """Its routes: IP version -> the source towards the world; a prefix of an address -> the source towards it."""

    def __init__(self, world=None, inside=None):
        self.now, self.world, self.inside, self.asked = 0.0, world or {}, inside or {}, 0

    def source_address(self, version):
        self.asked += 1
        return self.world.get(version, "")

    def source_to(self, ip):
        return next((source for prefix, source in self.inside.items() if ip.startswith(prefix)), "")

    def families(self, mode="prefer-v4", networks=()):
        return Families(mode, networks, lambda: self.now, source_to=self.source_to, source_address=self.source_address)


FOUR, SIX = {4: "10.0.0.2"}, {6: "2a00:1450::2"}


@pytest.mark.parametrize(
    ("world", "mode", "usable"),
    [
        (FOUR, "prefer-v4", {4}),
        (FOUR | SIX, "prefer-v4", {4, 6}),
        (FOUR | SIX, "prefer-v6", {4, 6}),
        (FOUR | SIX, "v4", {4}),
        (FOUR | SIX, "v6", {6}),
        (SIX, "prefer-v4", {6}),
        (FOUR, "v6", {6}),
        ({}, "prefer-v6", {4}),
    ],
)
def test_what_the_settings_ask_for_and_the_machine_has(world, mode, usable):
    families = Machine(world).families(mode)
    assert families.usable() == usable
    assert families.preferred == (6 if mode.endswith("6") else 4)


@pytest.mark.parametrize("source", ["fd00::2", "fe80::1", "2001::53", "2002:5db8:d70e::1", "::1"])
def test_a_source_that_the_world_cannot_answer_to_is_none(source):
    assert Machine(FOUR | {6: source}).families().usable() == {4}


@pytest.mark.parametrize("network", ["fd00::/8", "fd12::1/128"])
def test_networks_that_are_allowed_are_reached_from_any_address(network):
    machine = Machine(FOUR | {6: "fd00::2"}, {"fd": "fd00::2"})
    assert machine.families(networks=[network]).usable() == {4, 6}
    assert machine.families(networks=["10.0.0.0/8"]).usable() == {4}


def test_routes_come_and_go():
    machine = Machine(FOUR)
    families = machine.families()
    assert families.usable() == {4}
    machine.world = FOUR | SIX
    machine.now, machine.asked = 29.0, 0
    assert (families.usable(), machine.asked) == ({4}, 0)
    machine.now = 30.0
    assert families.usable() == {4, 6}
    machine.world, machine.now = SIX, 60.0
    assert families.usable() == {6}


def test_a_machine_that_lacks_what_the_settings_insist_on_is_told():
    with pytest.raises(OwnFault, match=r"routing\.ip is v6, but this machine has no IPv6 address"):
        Machine(FOUR).families("v6").check()
    Machine(FOUR | SIX).families("v6").check()
    Machine().families("prefer-v6").check()
    assert repr(Machine(FOUR | SIX).families()) == "<Families prefer-v4: IPv4 and IPv6>"


@pytest.mark.parametrize(
    ("world", "mode", "words"),
    [
        (FOUR | SIX, "prefer-v4", "IPv4 and IPv6, in this order"),
        (FOUR | SIX, "prefer-v6", "IPv6 and IPv4, in this order"),
        (FOUR, "prefer-v6", "IPv4 only, for this machine has no public IPv6 address"),
        (SIX, "prefer-v4", "IPv6 only, for this machine has no route for IPv4"),
        (FOUR | SIX, "v4", "IPv4 only (routing.ip is v4)"),
    ],
)
def test_it_is_said_why_not_both_are_used(world, mode, words):
    assert Machine(world).families(mode).describe() == words


@pytest.mark.parametrize(
    ("world", "sources", "mode", "usable", "words"),
    [
        (FOUR, ["192.0.2.1", "2001:db8::1"], "prefer-v6", {4, 6}, "IPv6 and IPv4, in this order"),
        (FOUR | SIX, ["192.0.2.1"], "prefer-v6", {4}, "IPv4 only, as all sources are"),
        (FOUR, ["2001:db8::1"], "prefer-v4", {6}, "IPv6 only, as all sources are"),
        (FOUR, ["2001:db8::1"], "v6", {6}, "IPv6 only (routing.ip is v6)"),
    ],
)
def test_the_sources_of_the_settings_count_and_not_what_this_machine_has(world, sources, mode, usable, words):
    machine = Machine(world)
    families = Families(mode, (), lambda: 0.0, sources=sources, source_address=machine.source_address)
    families.check()
    assert (families.usable(), families.describe()) == (usable, words)


@pytest.mark.loopback
def test_this_machine_reaches_its_own_loopback():
    assert 4 in Families("prefer-v4", ["127.0.0.0/8"], lambda: 0.0).usable()
