"""The parts of one receiver's limits that several machines hold at the same time: numbered shares.

The sum of all shares is never more than the whole. A share of n has an n-th of the rates; connections and bursts are
divided as whole numbers, and the shares with the low numbers get one of the remainder each. Two machines may act in the
same moment, so each needs at least one connection and one message of the burst: limits are never cut into more shares
than they have of either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bulkmail.mail import Rate
from bulkmail.shaping.limits import Limits

_ONE_SHARE = 1000  # messages a second: about what one machine can send


class Part(NamedTuple):
    """The shares with these ``numbers`` (from 1), of ``of`` in all."""

    numbers: frozenset[int]
    of: int


WHOLE = Part(frozenset({1}), 1)


def shares_of(limits: Limits) -> int:
    """Return into how many shares the limits are cut: as many as the settings say, or as the rate needs."""
    wanted = limits.shares or int(limits.rate.count / limits.rate.period / _ONE_SHARE)
    return max(1, min(wanted, limits.connections, limits.rate.burst))


def limits_of(whole: Limits, part: Part) -> Limits:
    """Return the limits that the holder of this part may use."""
    if len(part.numbers) >= part.of:
        return whole
    return replace(
        whole,
        connections=_counted(whole.connections, part),
        rate=_rate(whole.rate, part),
        connection_rate=_rate(whole.connection_rate, part),
    )


def _rate(whole: Rate, part: Part) -> Rate:
    return Rate(whole.count, whole.period * part.of / len(part.numbers), max(1, _counted(whole.burst, part)))


def _counted(whole: int, part: Part) -> int:
    """Divide a count; the shares with the low numbers get one of the remainder each."""
    each, left = divmod(whole, part.of)
    return each * len(part.numbers) + sum(number <= left for number in part.numbers)
