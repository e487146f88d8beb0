"""Which variant of a campaign an address gets: by a hash of the address alone, so that it depends on nothing else.

The same address has the same place in every list, after every restart and in every campaign. A place is a number from
0 to 999,999, and each variant has a stretch of them as long as its share. Letters are laid out from 0 on, in the order
in which they are written, and groups that get nothing from the end backwards: to change the shares of letters changes
no such group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import NamedTuple

from bulkmail.mail.address import address_in
from bulkmail.mail.errors import AddressError

WHOLE = 1_000_000
"""The places in all: a share is so many of them."""

REST = "rest"
"""What those are called that are in no variant."""


class Share(NamedTuple):
    """One variant. ``share``: places of `WHOLE`; ``hold_out``: whether it gets no message."""

    name: str
    share: int
    hold_out: bool = False


def place_of(key: str) -> int:
    """Return the place of an address, by its ``Address.key``: 0 to `WHOLE` - 1, each as likely as the others.

    The hash is not the one by which `sample` takes addresses, so a sample has all variants.
    """
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"bulkmail variant").digest()
    return int.from_bytes(digest) * WHOLE >> 64


class Choice(NamedTuple):
    """The variant that the rest gets, and why: a sentence. ``who``: a name, where a person has chosen it."""

    variant: str
    why: str
    who: str = ""


def choice(letters: Sequence[str], counts: Mapping[str, Mapping[str, int]], by: str, draw: str = "") -> Choice:
    """Choose among variants by what was counted of each: ``delivered``, and ``unsubscribed`` or ``clicked``.

    ``by``: "unsubscribes", of which the fewest are the best, or "clicks", of which the most are. ``draw``: the one that
    is taken where there is no difference, "" for the first; it is taken too where nothing was delivered.
    """
    counted = "clicked" if by == "clicks" else "unsubscribed"
    found = {name: (counts.get(name, {}).get(counted, 0), counts.get(name, {}).get("delivered", 0)) for name in letters}
    rates = {name: Fraction(number, of) for name, (number, of) in found.items() if of}
    if not rates:
        taken = draw or letters[0]
        return Choice(taken, f"nothing of a variant was delivered, so there is nothing to compare; {taken} was taken")
    best = (max if by == "clicks" else min)(rates.values())
    among = [name for name, rate in rates.items() if rate == best]
    taken = draw if draw in among else among[0]
    told = ", ".join(f"{name}: {found[name][0]:,} of {found[name][1]:,} {counted}" for name in letters)
    if len(among) == 1:
        return Choice(taken, f"{taken} has the {'most' if by == 'clicks' else 'fewest'} ({told})")
    order = "as `winner.rest` says" if taken == draw else "which stands first"
    return Choice(taken, f"there is no difference between {' and '.join(among)} ({told}); {taken} was taken, {order}")


class Variants:
    """Says which variant an address gets; ``shares`` are `Share` as tuples. Their sum is at most `WHOLE`."""

    def __init__(self, shares: Iterable[Sequence[object]]) -> None:
        self.shares = [Share(str(one[0]), int(str(one[1])), bool(one[2])) for one in shares]
        self._ends: list[tuple[int, str]] = []
        self._from: list[tuple[int, str]] = []
        self.held_out = frozenset(one.name for one in self.shares if one.hold_out)
        end, begin = 0, WHOLE
        for one in self.shares:
            if one.hold_out:
                begin -= one.share
                self._from.append((begin, one.name))
            else:
                end += one.share
                self._ends.append((end, one.name))
        if end > begin:
            raise ValueError("the shares of the variants are more than the whole")
        self.has_rest = end < begin

    def at(self, place: int) -> str:
        """Return the name of the variant at a place; `REST` where no variant has it."""
        for end, name in self._ends:
            if place < end:
                return name
        for begin, name in self._from:
            if place >= begin:
                return name
        return REST

    def of_key(self, key: str) -> str:
        """Return the same for an address, by its ``Address.key``."""
        return self.at(place_of(key))

    def of(self, email: str) -> str:
        """Return the same for an address as it stands in a list; "" for what is no address."""
        try:
            return self.of_key(address_in(email).key)
        except AddressError:
            return ""
