"""Source addresses: what mail is sent from, and which one is next.

Receivers judge and limit the address that mail comes from, so what is learnt of a receiver's limits is learnt for one
source. A campaign has a pool of them; the messages of a queue go to the sources of its pool by weight, as far as each
is usable and has room. The choice is `SourceChoice`; whether a source is usable for a destination is the caller's to
say: it is resting, the destination is suspended for it, its budget is used up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_MOST_CREDIT = 1000.0  # messages that one source may be behind or ahead of its share: what is older is forgotten


@dataclass(frozen=True, slots=True)
class Source:
    """An address to send from. ``name`` "": the system chooses one, as without any sources.

    ``hostname``: what it says in EHLO; "": the machine's name. ``weight``: its part, relative to the others of a pool.
    ``proxy``: the outgoing proxy that has the address, as the settings name it; "": this machine has it.
    """

    name: str = ""
    address: str = ""
    hostname: str = ""
    weight: int = 1
    proxy: str = ""

    def __str__(self) -> str:
        if not self.name:
            return "the system's choice"
        return f"{self.name} ({self.address})" if self.address else self.name

    @property
    def family(self) -> int:
        """4 or 6, the version of IP that it speaks; 0 for both, as the system chooses."""
        if not self.address:
            return 0
        return 6 if ":" in self.address else 4

    def reaches(self, ip: str) -> bool:
        """Return whether it can connect to this address: it is of its family."""
        return not self.address or (":" in self.address) is (":" in ip)

    def key(self, of: str) -> str:
        """Return the key of what is learnt or counted of ``of`` (a site, a limit key, an address) for this source."""
        return f"{of} from {self.name}" if self.name else of


ANY_SOURCE = Source()
"""What mail is sent from where no sources are set."""


def without_source(key: str) -> tuple[str, str]:
    """Return what a key (see `Source.key`) is about, and the name of its source, "" where there is none."""
    of, found, name = key.rpartition(" from ")
    return (of, name) if found else (key, "")


class SourceChoice:
    """Smooth weighted turns: over time each source gets its weight's part of the messages that it could have had.

    A source that is not among the candidates gains nothing meanwhile, so one that comes back does not get all the rest.
    """

    __slots__ = ("_credit",)

    def __init__(self) -> None:
        self._credit: dict[str, float] = {}  # messages that are owed to each source

    def next(self, candidates: Sequence[Source], usable: Callable[[Source], bool] = lambda _: True) -> Source | None:
        """Return the usable candidate that is furthest behind its share, the first of equals; None: none is usable."""
        found = [source for source in candidates if usable(source)]
        return max(found, key=self.credit, default=None)

    def credit(self, source: Source) -> float:
        """Return how many messages the source is behind its share (negative: ahead)."""
        return self._credit.get(source.name, 0.0)

    def used(self, source: Source, count: int, candidates: Iterable[Source]) -> None:
        """Count ``count`` messages for ``source``, which was chosen among these usable candidates."""
        among = {one.name: one.weight for one in candidates}
        among.setdefault(source.name, source.weight)
        whole = sum(among.values())
        for name, weight in among.items():
            credit = self._credit.get(name, 0.0) + count * weight / whole - (count if name == source.name else 0)
            self._credit[name] = max(-_MOST_CREDIT, min(_MOST_CREDIT, credit))
