"""What a store that several machines share has beside the contract of all stores, and what a machine brings to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

from bulkmail.shaping import RetrySettings
from bulkmail.spool.rows import Recovered, SiteFact


class Taken(NamedTuple):
    """What `SharedStore.take_leases` got: key -> number of a share -> whether it was never held before.

    ``otherwise``: key -> the number of shares into which a machine with other settings has divided it, and its name.
    """

    shares: dict[str, dict[int, bool]]
    otherwise: dict[str, tuple[int, str]]


class SharedStore(Protocol):
    """What a store that several machines share has beside the contract of all stores."""

    @property
    def epoch(self) -> int:
        """The number of this incarnation of the machine's process."""

    @property
    def shown(self) -> str:
        """The database's address without its password, for messages."""

    @property
    def unsure(self) -> str:
        """Why it is not known whether the last transaction was committed; "" when it is."""

    def give_up(self) -> None:
        """Wait no longer for a server to say whether a transaction was committed. For any thread."""

    def take_leases(
        self,
        wanted: Mapping[str, tuple[int, int]],
        together: Iterable[Collection[str]] = (),
        held: Collection[str] = (),
    ) -> Taken:
        """Take what is free of ``wanted``: key -> how many of its shares, of how many.

        Keys that are wanted ``together`` are of no use alone: those that are not ``held`` already are left to others
        where one of them is not to be had. Raises OwnFault when this incarnation was declared over.
        """

    def let_shares_go(self, shares: Iterable[tuple[str, int]]) -> None:
        """Free these (key, number), and notify the other machines."""

    def lease_holder(self, key: str) -> str:
        """Return the name of the machine that holds it; "" when none does."""

    def recover_others(self, retry: RetrySettings, now: float) -> Recovered:
        """Take over the claims of machines that ended and did not return within ``retry.unknown_after`` seconds."""

    def site_facts_of(self, sites: list[str], now: float) -> list[SiteFact]:
        """Return what is known of these sites and has not expired."""

    def rest(self, queue_ids: Iterable[int]) -> None:
        """Record that the sites of these queues cannot be used: their rows have had their turn in the first round."""

    def first_round_over(self, campaign_id: int, now: float) -> bool:
        """Return whether every stored row was tried, by any machine, or has a site that cannot be used."""


class OneOfMany(NamedTuple):
    """What a machine needs beside a shared spool's address.

    ``folder``: its own, for its journal and its identity. ``name``: what the others call it. ``lease``: the seconds
    after which they go on without it when it is not heard of. ``monotonic``: a clock in seconds.
    """

    folder: str
    name: str
    lease: float
    monotonic: Callable[[], float]
