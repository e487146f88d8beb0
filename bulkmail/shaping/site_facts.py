"""The facts of all sites: bounded, the least recently used site evicted first; changes are gathered for the spool.

A "site" here is what a fact is about: a site's key, an address or a limit key. Times are wall clock seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from bulkmail.shaping.facts import Fact, FactKind

_SIZE = 20_000

Changes = dict[tuple[str, FactKind], Fact | None]
"""New facts by site and kind; None: forgotten."""


class SiteFacts:
    """The facts of at most ``size`` sites."""

    __slots__ = ("_changes", "_sites", "_size")

    def __init__(self, size: int = _SIZE) -> None:
        self._sites: OrderedDict[str, dict[FactKind, Fact]] = OrderedDict()
        self._size = size
        self._changes: Changes = {}

    def __len__(self) -> int:
        return len(self._sites)

    @property
    def changed(self) -> bool:
        """Whether `take_changes` would return any change."""
        return bool(self._changes)

    def known(self, site: str, kind: FactKind, now: float) -> Fact | None:
        """Return the fact if it is known and has not expired, else None."""
        facts = self._sites.get(site)
        if facts is None:
            return None
        self._sites.move_to_end(site)
        fact = facts.get(kind)
        if fact is None or fact.holds(now):
            return fact
        self.forget(site, kind)
        return None

    def learn(self, site: str, fact: Fact) -> None:
        """Store a fact, replacing one of its kind."""
        self._keep(site, fact)
        self._changes[site, fact.kind] = fact

    def forget(self, site: str, kind: FactKind) -> None:
        """Remove the fact of this kind, if there is one."""
        facts = self._sites.get(site, {})
        if facts.pop(kind, None) is not None:
            self._changes[site, kind] = None
            if not facts:
                del self._sites[site]

    def sites(self) -> list[str]:
        """Return what there are facts about."""
        return list(self._sites)

    def forget_all(self, site: str) -> int:
        """Remove all facts of a site; return how many there were."""
        kinds = list(self._sites.get(site, ()))
        for kind in kinds:
            self.forget(site, kind)
        return len(kinds)

    def load(self, facts: Iterable[tuple[str, Fact]], now: float) -> None:
        """Add the stored facts that have not expired, given newest first. Facts known already stay as they are."""
        for site, fact in reversed(list(facts)):
            if fact.holds(now) and fact.kind not in self._sites.get(site, ()):
                self._keep(site, fact)

    def renew(self, facts: Iterable[tuple[str, Fact]], now: float, sites: Iterable[str] | None = None) -> None:
        """Replace the facts of ``sites`` (None: of all) by stored ones; changes not written yet are newer and stay."""
        for site in list(self._sites) if sites is None else sites:
            for kind in list(self._sites.get(site, ())):
                if (site, kind) not in self._changes:
                    del self._sites[site][kind]
            if not self._sites.get(site, True):
                del self._sites[site]
        for site, fact in facts:
            if fact.holds(now) and (site, fact.kind) not in self._changes:
                self._keep(site, fact)

    def take_changes(self) -> Changes:
        """Return all changes since the last call; the caller writes them to the spool."""
        changes, self._changes = self._changes, {}
        return changes

    def put_back(self, changes: Changes) -> None:
        """Take back changes that could not be written; what has changed again since is newer."""
        self._changes = changes | self._changes

    def _keep(self, site: str, fact: Fact) -> None:
        self._sites.setdefault(site, {})[fact.kind] = fact
        self._sites.move_to_end(site)
        if len(self._sites) > self._size:
            oldest, facts = self._sites.popitem(last=False)
            self._changes |= dict.fromkeys([(oldest, kind) for kind in facts])

    def __repr__(self) -> str:
        return f"<SiteFacts of {len(self._sites)} sites>"
