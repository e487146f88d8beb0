"""Facts by site: bounded, the site that was asked about least recently forgotten first, and what is new for the spool.

A site here is whatever a fact is about: a site's key, an address, or what a limit counts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from bulkmail.shaping.habits import Fact, Habit

_SIZE = 20_000

Changes = dict[tuple[str, Habit], Fact | None]
"""What became of facts; None: forgotten."""


class Memory:
    """What is known of at most ``size`` sites."""

    __slots__ = ("_changes", "_sites", "_size")

    def __init__(self, size: int = _SIZE) -> None:
        self._sites: OrderedDict[str, dict[Habit, Fact]] = OrderedDict()
        self._size = size
        self._changes: Changes = {}

    def __len__(self) -> int:
        return len(self._sites)

    @property
    def changed(self) -> bool:
        """Whether `take_changes` has something to give."""
        return bool(self._changes)

    def known(self, site: str, habit: Habit, now: float) -> Fact | None:
        """The fact, if it is known and holds."""
        facts = self._sites.get(site)
        if facts is None:
            return None
        self._sites.move_to_end(site)
        fact = facts.get(habit)
        if fact is None or fact.holds(now):
            return fact
        self.forget(site, habit)
        return None

    def learn(self, site: str, fact: Fact) -> None:
        """From now on this is so."""
        self._keep(site, fact)
        self._changes[site, fact.habit] = fact

    def forget(self, site: str, habit: Habit) -> None:
        """It is not so any more."""
        facts = self._sites.get(site, {})
        if facts.pop(habit, None) is not None:
            self._changes[site, habit] = None
            if not facts:
                del self._sites[site]

    def load(self, facts: Iterable[tuple[str, Fact]], now: float) -> None:
        """What was written before, the newest first: what still holds of it. Nothing that is known already changes."""
        for site, fact in reversed(list(facts)):
            if fact.holds(now) and fact.habit not in self._sites.get(site, ()):
                self._keep(site, fact)

    def renew(self, facts: Iterable[tuple[str, Fact]], now: float, sites: Iterable[str] | None = None) -> None:
        """What others have written of ``sites`` (None: of all) by now. What we have not written yet is newer."""
        for site in list(self._sites) if sites is None else sites:
            for habit in list(self._sites.get(site, ())):
                if (site, habit) not in self._changes:
                    del self._sites[site][habit]
            if not self._sites.get(site, True):
                del self._sites[site]
        for site, fact in facts:
            if fact.holds(now) and (site, fact.habit) not in self._changes:
                self._keep(site, fact)

    def take_changes(self) -> Changes:
        """Everything that was learnt and forgotten since the last time; the caller's to write down."""
        changes, self._changes = self._changes, {}
        return changes

    def put_back(self, changes: Changes) -> None:
        """These could not be written; what has changed again since is newer."""
        self._changes = changes | self._changes

    def _keep(self, site: str, fact: Fact) -> None:
        self._sites.setdefault(site, {})[fact.habit] = fact
        self._sites.move_to_end(site)
        if len(self._sites) > self._size:
            oldest, facts = self._sites.popitem(last=False)
            self._changes |= dict.fromkeys([(oldest, habit) for habit in facts])

    def __repr__(self) -> str:
        return f"<Memory of {len(self._sites)} sites>"
