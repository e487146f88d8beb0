"""Leases, and facts of sites, of the machines that share a spool; see `shared.SharedStore`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from bulkmail.spool.postgres.database import ROWS, PostgresDatabase, repeated
from bulkmail.spool.rows import SiteFact
from bulkmail.spool.shared import Taken


class PostgresSharing:
    """The part of the store that knows leases."""

    _db: PostgresDatabase

    @property
    def epoch(self) -> int:
        """The number of this incarnation."""
        return self._db.epoch

    @property
    def shown(self) -> str:
        """The database's address without its password."""
        return self._db.path

    @property
    def unsure(self) -> str:
        """Why it is not known whether the last transaction was committed; "" when it is."""
        return self._db.unsure

    def give_up(self) -> None:
        """Wait no longer for a server to say whether a transaction was committed. For any thread."""
        self._db.giving_up.set()

    def site_facts_of(self, sites: list[str], now: float) -> list[SiteFact]:
        """Return what is known of these sites and has not expired."""
        with self._db.transaction("begin_reading"):
            return [SiteFact(*row) for row in self._db.execute("site_facts_of", (sites, now)).fetchall()]

    @repeated
    def take_leases(
        self,
        wanted: Mapping[str, tuple[int, int]],
        together: Iterable[Collection[str]] = (),
        held: Collection[str] = (),
    ) -> Taken:
        """Take what is free of ``wanted``; see `shared.SharedStore.take_leases`."""
        keys, most, shares = list(wanted), [want for want, _ in wanted.values()], [of for _, of in wanted.values()]
        values = {"epoch": self._db.epoch, "keys": keys, "most": most, "shares": shares}
        taken = Taken({}, {})
        with self._db.transaction():
            self._db.require_live()
            self._db.execute("lock_leases")
            for key, number, fresh in self._db.execute("take_leases", values).fetchall():
                taken.shares.setdefault(key, {})[number] = fresh
            if len(taken.shares) < len(keys):
                for key, of, name in self._db.execute("divided_otherwise", (keys, shares)).fetchall():
                    taken.otherwise[key] = (of, name)
                useful = {key for group in together if taken.shares.keys() >= set(group) for key in group}
                useless = {key for group in together for key in group} & taken.shares.keys() - useful - set(held)
                self._free_shares([(key, number) for key in useless for number in taken.shares.pop(key)])
        return taken

    @repeated
    def let_shares_go(self, shares: Iterable[tuple[str, int]]) -> None:
        """Free these (key, number), and notify the other machines."""
        with self._db.transaction():
            self._free_shares(sorted(shares))
            self._db.notify(ROWS)

    def _free_shares(self, shares: list[tuple[str, int]]) -> None:
        if shares:
            self._db.execute("let_shares_go", (*map(list, zip(*shares, strict=True)), self._db.epoch))

    def lease_holder(self, key: str) -> str:
        """Return the name of the machine that holds it; "" when none does."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("lease_holder", (key,)).fetchone()
        return "" if row is None else str(row[0])
