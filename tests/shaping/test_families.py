from __future__ import annotations

from bulkmail.shaping.families import FamilyHealth, version_of

SIX = [f"2a00::{n}" for n in range(1, 9)]


def working():
    health = FamilyHealth(120.0)
    health.worked("192.0.2.1")
    return health


def failing(health, addresses, now=0.0):
    for ip in addresses:
        health.failed(ip, now)


def test_the_version_of_an_address():
    assert (version_of("192.0.2.1"), version_of("::1")) == (4, 6)


def test_three_addresses_in_a_row_make_a_version_doubtful():
    health = working()
    failing(health, SIX[:1] * 5 + SIX[:2])
    assert not health.is_doubtful(6, 0.0), "one address that fails five times says nothing of the others"
    failing(health, SIX[2:3])
    assert health.is_doubtful(6, 119.0)
    assert not health.is_doubtful(4, 119.0)
    assert not health.is_doubtful(6, 120.0)


def test_one_that_works_ends_the_row_and_the_doubt():
    health = working()
    failing(health, SIX[:2])
    health.worked(SIX[3])
    health.worked("192.0.2.1")
    failing(health, SIX[:2])
    assert not health.is_doubtful(6, 0.0)
    failing(health, SIX[:3])
    assert health.is_doubtful(6, 0.0)
    health.worked("192.0.2.1")
    assert health.is_doubtful(6, 0.0)
    health.worked(SIX[0])
    assert not health.is_doubtful(6, 0.0)
    assert repr(health) == "<FamilyHealth well>"


def test_after_a_doubt_one_address_is_enough_and_it_lasts_twice_as_long():
    health = working()
    failing(health, SIX)
    assert not health.is_doubtful(6, 120.0), "those that were under way when it began do not count"
    failing(health, SIX[:1], 200.0)
    assert health.is_doubtful(6, 439.0)
    assert not health.is_doubtful(6, 440.0)
    now = 440.0
    for _ in range(9):
        failing(health, SIX[:1], now)
        now += 1800.0
    assert health.is_doubtful(6, now - 1.0)
    assert not health.is_doubtful(6, now)
    assert repr(health) == "<FamilyHealth IPv6 failed last for 1800 s>"


def test_only_one_that_fails_while_the_other_works_is_doubtful():
    health = FamilyHealth()
    failing(health, SIX)
    assert not health.is_doubtful(6, 1.0), "nothing has ever worked: perhaps there is no way out at all"
    health.worked("192.0.2.1")
    assert health.is_doubtful(6, 1.0)
    failing(health, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    assert not health.is_doubtful(4, 1.0), "it has worked last, and IPv6 fails too"
    health.worked(SIX[0])
    assert health.is_doubtful(4, 1.0)
