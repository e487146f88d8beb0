"""Who is not mailed, and for which campaigns that counts.

A suppression is an address or a whole domain, with a reason and a scope: everything, one list or one campaign. A domain
stands for itself alone, as in a suppress list: ``@example.com`` does not cover ``mail.example.com``.

A campaign belongs to one list and has one kind. For a campaign of the kind "marketing" the scopes `EVERYTHING`, its
list and its own name count. For a "transactional" one (an invoice, a changed password) its list does not: who leaves
the newsletter has not asked to be left without invoices. What counts for it is `EVERYTHING`, in which complaints and
mailboxes that do not exist are entered, and its own name, for that can only be meant for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from bulkmail.mail import Category

Kind = Literal["marketing", "transactional"]

EVERYTHING = "everything"
"""The scope that counts for every campaign."""

REASONS = (Category.COMPLAINED, Category.UNSUBSCRIBED, Category.BOUNCED_BEFORE, Category.LISTED)
"""The reasons, which are the categories of the rows too. Of several that count for a row, the first is told."""

_WORDS: dict[str, str] = {
    Category.COMPLAINED: "complained, and left out",
    Category.UNSUBSCRIBED: "unsubscribed",
    Category.BOUNCED_BEFORE: "returned mail, and left out",
    Category.LISTED: "left out",
}

_LIST, _CAMPAIGN = "list:", "campaign:"


class Suppression(NamedTuple):
    """Why an address is not mailed.

    ``address``: `Address.key`, or "@" and a `domain_key`; None where only its hash is kept. ``scope``: `EVERYTHING`,
    `list_scope` or `campaign_scope`. ``reason``: one of `REASONS`. ``source``: where that was learnt, in some words for
    people. ``at``: since when, in epoch seconds. ``hash``: `mail.address_hash`, as the spool gives it.
    """

    address: str | None
    scope: str
    reason: str
    source: str
    at: float
    hash: int = 0

    @property
    def words(self) -> str:
        """Say it in a line: ``unsubscribed from the list news, since 2026-12-01T09:30:00Z (one click)``."""
        kind, _, name = self.scope.partition(":")
        where = f" from the {kind} {name}" if name else " from everything"
        what = f"the domain {self.address[1:]}: " if self.address and self.address.startswith("@") else ""
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")[:-6]
        return f"{what}{_WORDS[self.reason]}{where}, since {at}Z" + (f" ({self.source})" if self.source else "")


class Audience(NamedTuple):
    """What of a campaign tells whether a suppression counts for it: its list, its name and its kind."""

    list: str
    campaign: str
    kind: Kind = "marketing"

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that count for it; see the top of the module."""
        scopes = {EVERYTHING, campaign_scope(self.campaign)}
        return frozenset(scopes | {list_scope(self.list)} if self.kind == "marketing" else scopes)

    @property
    def scope(self) -> str:
        """The scope of who unsubscribes from a message of it: its list; of a transactional one the campaign itself."""
        return list_scope(self.list) if self.kind == "marketing" else campaign_scope(self.campaign)


def list_scope(name: str) -> str:
    """Return the scope of all campaigns, of the kind "marketing", of one list."""
    return _LIST + name


def campaign_scope(name: str) -> str:
    """Return the scope of one campaign."""
    return _CAMPAIGN + name


def is_scope(text: str) -> bool:
    """Return whether it is the text of a scope."""
    return text == EVERYTHING or any(text.startswith(word) and text != word for word in (_LIST, _CAMPAIGN))


def chosen(found: Iterable[Suppression], scopes: Collection[str]) -> Suppression | None:
    """Return the one to tell of several: by reason, then the oldest. None where none is of these scopes."""
    counting = [entry for entry in found if entry.scope in scopes]
    return min(counting, key=lambda entry: (_rank(entry.reason), entry.at), default=None)


def _rank(reason: str) -> int:
    return next((at for at, known in enumerate(REASONS) if known == reason), len(REASONS))


class SuppressionStore(Protocol):
    """Suppressions in a store. Addresses are given as `Address.key`, domains as "@" and their `domain_key`."""

    @property
    def may_suppress(self) -> bool:
        """Whether `suppressed` has to be asked at all: always, unless it is known that there is no entry."""

    def suppress(self, entries: Iterable[Suppression], *, hashed: bool) -> int:
        """Add entries; return how many were new. Durable on return: no row read or composed later is sent.

        An entry whose address, scope and reason are there already stays as it is. ``hashed``: keep no address, only
        hashes. Raises ValueError for a scope or a reason that is none.
        """

    def add_suppressions(self, entries: Iterable[Suppression], *, hashed: bool) -> int:
        """Do what `suppress` does within a transaction of the caller."""

    def unsuppress(self, addresses: Iterable[str], *, scope: str = "", reason: str = "") -> int:
        """Remove the entries of these addresses of one scope and reason ("": any); return how many."""

    def forget_addresses(self, addresses: Iterable[str]) -> int:
        """Keep only the hashes of the entries of these addresses, for good; return of how many.

        They go on to be suppressed. Who adds one of them again with the same scope and reason changes nothing.
        """

    def suppressed(self, addresses: Iterable[str], audience: Audience) -> dict[str, Suppression]:
        """Return those of the addresses that a campaign does not mail, each with why: its own entry or its domain's."""

    def suppressions_of(self, address: str) -> list[Suppression]:
        """Return all entries of an address or a domain, the oldest first; an address's are its domain's too."""

    def suppressions(
        self, after: Suppression | None = None, limit: int = 1000, *, scope: str = "", reason: str = ""
    ) -> list[Suppression]:
        """Return up to ``limit`` entries behind ``after``, by hash, of one scope and reason ("": any)."""

    def count_suppressions(self) -> list[tuple[str, str, int, int]]:
        """Return (scope, reason, entries, of these with an address) for all there are. Reads the whole table."""
