"""Which locale's letter a row gets: the lookup of RFC 4647 section 3.4, and what is taken where it finds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bulkmail.content.variants import by_variant
from bulkmail.mail import column_at


def plain(tag: str) -> str:
    """Return a tag in the form in which tags are compared."""
    return tag.strip().replace("_", "-").lower()


class Choice(NamedTuple):
    """``tag`` of the letter; ``found``: whether there is one for what the row says, or it says nothing."""

    tag: str
    found: bool


class Chooser:
    """Chooses among ``tags``; ``fallback``: what is taken otherwise, the first of it that there is."""

    def __init__(self, tags: Iterable[str], fallback: Sequence[str]) -> None:
        self._tags: Mapping[str, str] = {plain(tag): tag for tag in tags}
        self.fallback = next(self._tags[plain(tag)] for tag in fallback if plain(tag) in self._tags)
        self._chosen: dict[str, Choice] = {"": Choice(self.fallback, found=True)}

    def choose(self, said: str) -> Choice:
        """Return the tag for what stands in a row's cell."""
        known = self._chosen.get(said)
        if known is not None:
            return known
        choice = self._choose(plain(said))
        if len(self._chosen) < 1000:
            self._chosen[said] = choice
        return choice

    def _choose(self, wanted: str) -> Choice:
        if not wanted:
            return Choice(self.fallback, found=True)
        parts = wanted.split("-")
        while parts:
            tag = self._tags.get("-".join(parts))
            if tag is not None:
                return Choice(tag, found=True)
            parts.pop()
            if parts and len(parts[-1]) == 1:  # what introduces an extension goes with it
                parts.pop()
        return Choice(self.fallback, found=False)


class Languages:
    """Says which letter each row of a content gets; see `campaign.locales` for what stands under ``locales``."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        given = content["locales"]
        self.tags = tuple(given["letters"])
        self._chooser = Chooser(self.tags, given["fallback"])
        self.column: str = given["column"]
        self._places = [column_at(self.column, columns) for columns in content["columns"]]
        self._default = content["defaults"].get(self.column, "")

    def said(self, file_no: int, cells: Sequence[str]) -> str:
        """Return what a row says."""
        at = self._places[file_no]
        cell = cells[at] if at is not None and at < len(cells) else ""
        return cell.strip() or self._default

    def of(self, file_no: int, cells: Sequence[str]) -> Choice:
        """Return the letter of a row."""
        return self._chooser.choose(self.said(file_no, cells))


def each_letter(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content once for each variant and each locale that has a letter of its own, or as it is."""
    return [letter for one in by_variant(content).values() for letter in _each_locale(one)]


def _each_locale(content: dict[str, Any]) -> list[dict[str, Any]]:
    if not content.get("locales"):
        return [content]
    letters = content["locales"]["letters"].items()
    return [{**content, **letter, "locale": tag, "locales": None} for tag, letter in letters]
