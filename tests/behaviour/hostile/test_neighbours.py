"""One bad peer delays nobody beyond its own share of places."""

from __future__ import annotations

import itertools

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.xdist_group("hostile")]

GOOD = 4  # domains
EACH = 14  # messages to each of them
RATE = 4  # a second to each: what the limits allow, far below what the machine can do
WORST = ("hole", "mute", "drip", "mute-at-ehlo", "silent-at-rcpt", "endless-lines", "drip-dot", "tls-hangs")
LIMITS = {"total": {"connections": 24}, "default": {"connections": 5, "rate": f"{RATE}/s,burst=1"}}


def good_rates(run):
    """Messages a second that each good server got, from its first to its last: a first contact waits among all."""
    found = []
    for name, domain in run.domains.items():
        if name.startswith("accept"):
            at = sorted(one.at for one in domain.stored)
            assert len(at) == EACH, domain
            found.append((EACH - 1) / (at[-1] - at[0]))
    assert len(found) == GOOD
    return found


def test_good_neighbours_keep_nine_tenths_of_their_rate(begin, people):
    """With 24 places in all, 64 servers hold on to whatever they get. The limits set the pace, not the machine."""
    good = [address for number in range(1, GOOD + 1) for address in people(f"accept-{number}", EACH)]
    bad = [address for name in WORST for number in range(1, 9) for address in people(f"{name}-{number}", 2)]
    mixed = [address for pair in itertools.zip_longest(good, bad) for address in pair if address]
    limits = {"shaping": LIMITS, "retry": {"expire_after": "4s"}}
    runs = [begin(addresses, **limits) for addresses in (good, mixed)]
    alone, together = (good_rates(run.finished()) for run in runs)
    assert sum(alone) == pytest.approx(GOOD * RATE, rel=0.15)
    assert sum(together) >= 0.9 * sum(alone), (alone, together)
