"""Suppressions in the store: who is not mailed, found by hash.

An entry is found by the hash of its address alone (`mail.address_hash`), so it can do without the address: on request
none is kept (``hashed``), and of one person it can be removed (`forget_addresses`) while the person stays suppressed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from bulkmail.mail import address_hash
from bulkmail.spool.campaigns import SPOOL_KEY, spool_key
from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.scopes import REASONS, Audience, Suppression, chosen, is_scope

_REASONS = frozenset(map(str, REASONS))


class SuppressionReading:
    """What can be read of suppressions, by a store and by a reader; see `scopes.SuppressionStore`."""

    _db: Statements
    _hash_key: bytes = b""  # the spool's key, once it was read

    @property
    def _knows_suppressions(self) -> bool:
        """Whether it has the table, which an older spool has not."""
        return True

    def suppressed(self, addresses: Iterable[str], audience: Audience) -> dict[str, Suppression]:
        """Return those that a campaign does not mail; see `scopes.SuppressionStore.suppressed`."""
        with self._db.transaction("begin_reading"):
            key = self._read_hash_key() if self._has_any() else b""
            if not key:
                return {}
            hashes = {address: [address_hash(key, one) for one in _with_domain(address)] for address in addresses}
            found = self._found({number for both in hashes.values() for number in both})
        scopes = audience.scopes
        answer: dict[str, Suppression] = {}
        for address, both in hashes.items() if found else ():
            entry = chosen([entry for number in both for entry in found.get(number, ())], scopes)
            if entry is not None:
                answer[address] = entry
        return answer

    def suppressions_of(self, address: str) -> list[Suppression]:
        """Return all entries of an address or a domain; see `scopes.SuppressionStore.suppressions_of`."""
        with self._db.transaction("begin_reading"):
            key = self._read_hash_key()
            found = self._found([address_hash(key, one) for one in _with_domain(address)]) if key else {}
        return sorted((entry for entries in found.values() for entry in entries), key=lambda entry: entry.at)

    def suppressions(
        self, after: Suppression | None = None, limit: int = 1000, *, scope: str = "", reason: str = ""
    ) -> list[Suppression]:
        """Return a page of entries; see `scopes.SuppressionStore.suppressions`."""
        behind = (-1, "", "") if after is None else (after.hash, after.scope, after.reason)
        values = dict(zip(("hash", "after_scope", "after_reason"), behind, strict=True))
        with self._db.transaction("begin_reading"):
            values |= {"scope": scope, "reason": reason, "limit": limit}
            found = self._db.execute("suppressions", values).fetchall() if self._knows_suppressions else []
            return list(map(Suppression._make, found))

    def count_suppressions(self) -> list[tuple[str, str, int, int]]:
        """Return (scope, reason, entries, of these with an address); see `scopes.SuppressionStore`."""
        with self._db.transaction("begin_reading"):
            return self._db.execute("count_suppressions").fetchall() if self._knows_suppressions else []

    def token_key(self) -> bytes:
        """Return the key that tokens are read with; see `arrivals.LateStore.token_key`."""
        with self._db.transaction("begin_reading"):
            return self._read_hash_key()

    def hashes(self, addresses: Iterable[str]) -> list[int]:
        """Return the hashes of addresses and domains, 0 of each where the spool has no key yet."""
        with self._db.transaction("begin_reading"):
            key = self._read_hash_key()
        return [address_hash(key, one) if key else 0 for one in addresses]

    def _found(self, hashes: Iterable[int]) -> dict[int, list[Suppression]]:
        found: dict[int, list[Suppression]] = {}
        for row in self._db.execute("suppressions_of", {"hashes": json.dumps(list(hashes))}).fetchall():
            entry = Suppression._make(row)
            found.setdefault(entry.hash, []).append(entry)
        return found

    def _has_any(self) -> bool:
        """Within a transaction: whether there is any entry; a look costs less than the hashes."""
        return self._knows_suppressions and bool(self._db.execute("has_suppressions").fetchone()[0])

    def _read_hash_key(self) -> bytes:
        """Within a transaction: return the key of the hashes, b"" where the spool has none, and so no entry either."""
        if not self._hash_key and self._knows_suppressions:
            row = self._db.execute("meta", (SPOOL_KEY,)).fetchone()
            self._hash_key = b"" if row is None else bytes.fromhex(row[0])
        return self._hash_key


class Suppressions(SuppressionReading):
    """The part of a store that knows suppressions, the same in every database; see `scopes.SuppressionStore`."""

    _tables: Tables
    _some: bool | None = None  # whether there are entries; None: not known

    @property
    def may_suppress(self) -> bool:
        """Whether `suppressed` has to be asked at all; see `scopes.SuppressionStore.may_suppress`."""
        if self._some is None or not self._tables.sole_writer:
            return True
        return self._some

    def suppress(self, entries: Iterable[Suppression], *, hashed: bool) -> int:
        """Add entries; see `scopes.SuppressionStore.suppress`."""
        with self._db.transaction():
            return self.add_suppressions(entries, hashed=hashed)

    def add_suppressions(self, entries: Iterable[Suppression], *, hashed: bool) -> int:
        """Add entries within a transaction; see `scopes.SuppressionStore.add_suppressions`."""
        key = self._write_hash_key()
        rows: list[tuple[int, Suppression]] = []
        for entry in entries:
            if not (is_scope(entry.scope) and entry.reason in _REASONS and entry.address):
                raise ValueError(f"no suppression: {entry!r}")
            number = address_hash(key, entry.address)
            rows.append((number, entry._replace(address=None) if hashed else entry))
        self._some = bool(rows) or self._some
        return self._tables.add_suppressions(rows) if rows else 0

    def unsuppress(self, addresses: Iterable[str], *, scope: str = "", reason: str = "") -> int:
        """Remove entries; see `scopes.SuppressionStore.unsuppress`."""
        removed = 0
        with self._db.transaction():
            key = self._write_hash_key()
            for address in addresses:
                values = {"hash": address_hash(key, address), "scope": scope, "reason": reason}
                removed += self._db.execute("drop_suppression", values).rowcount
        self._look()
        return removed

    def forget_addresses(self, addresses: Iterable[str]) -> int:
        """Keep only the hashes; see `scopes.SuppressionStore.forget_addresses`."""
        with self._db.transaction():
            key = self._write_hash_key()
            hashes = [{"hash": address_hash(key, address)} for address in addresses]
            return sum(self._db.execute("forget_suppressed", values).rowcount for values in hashes)

    def _look(self) -> None:
        """Find out whether there is any entry, outside of a transaction: one that fails leaves that unknown."""
        self._some = None
        with self._db.transaction("begin_reading"):
            self._has_any()

    def _has_any(self) -> bool:
        if not self._some:  # once there are some, no look is needed any more
            self._some = super()._has_any()
        return self._some

    def _write_hash_key(self) -> bytes:
        return self._hash_key or spool_key(self._db)  # not kept: it is gone where the transaction does not end well


def _with_domain(address: str) -> tuple[str, ...]:
    """Return an address and its domain, each as it is hashed; a domain alone as it is."""
    at = address.rpartition("@")
    return (address,) if not at[0] else (address, f"@{at[2]}")
