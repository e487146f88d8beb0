"""The parts of one receiver's limits that several machines hold at the same time: numbered shares.

The sum of all shares is never more than the whole: a share of n has an n-th of the rates, and of what can only be
counted (connections, bursts) its number says whether it has one of those that are left over. Two machines may always
act in the same moment, so what each of them may do at once counts one by one: nothing is cut into more shares than it
has connections, and messages in its burst.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from bulkmail.mail import Rate
from bulkmail.shaping.limits import Limits

_ONE_SHARE = 1000  # messages a second: about what one machine can send


class Part(NamedTuple):
    """The shares called ``numbers`` (from 1) of ``of``."""

    numbers: frozenset[int]
    of: int


WHOLE = Part(frozenset({1}), 1)


def shares_of(limits: Limits) -> int:
    """Into how many shares it is cut: as many as were asked for, or as its rate needs."""
    wanted = limits.shares or int(limits.rate.count / limits.rate.period / _ONE_SHARE)
    return max(1, min(wanted, limits.connections, limits.rate.burst))


def limits_of(whole: Limits, part: Part) -> Limits:
    """What the holder of this part may use."""
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
    """The shares with the low numbers have one of the remainder each."""
    each, left = divmod(whole, part.of)
    return each * len(part.numbers) + sum(number <= left for number in part.numbers)
