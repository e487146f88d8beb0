"""One parent for all errors; each carries its facts in fields and reads as a sentence to the operator."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_NAMED = 10  # names that are told where none is near


class BulkmailError(Exception):
    """Something went wrong that the operator should read about."""


class AddressError(BulkmailError):
    """Not an address that mail can be sent to."""


class UnitError(BulkmailError):
    """Neither a duration nor a rate."""


def printable(text: str) -> str:
    """Return ``text``, escaped what is not printable (`str.isprintable`): controls, line ends, marks that turn text."""
    if text.isprintable():
        return text
    pieces = [piece if piece.isprintable() else piece.encode("unicode_escape").decode("ascii") for piece in text]
    return "".join(pieces)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where it is, what it is, and what would be right.

    ``line`` and ``column`` count from 1; 0 means the file as a whole. Its text is one line
    of printable characters, whatever the file's name and what the message quotes.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        where = self.file
        if self.line:
            where += f":{self.line}"
            if self.column:
                where += f":{self.column}"
        return printable(f"{where}: {self.message}")


class Refused(BulkmailError):
    """The input cannot be used; nothing was sent. Carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class OwnFault(BulkmailError):
    """A fault on our side (disk, resolver, database, port 25): sending pauses, no recipient is charged."""


class UnknownName(BulkmailError):
    """There is no such thing; ``known`` are the names there are, and the nearest of them is told."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        near = get_close_matches(name, self.known, 1)
        if near:
            remedy = f"; the nearest is {near[0]!r}"
        elif self.known:
            more = f" and {len(self.known) - _NAMED:,} more" if len(self.known) > _NAMED else ""
            remedy = f"; there is {', '.join(map(repr, sorted(self.known)[:_NAMED]))}{more}"
        else:
            remedy = "; there is none"
        super().__init__(f"there is no {what} {name!r}{remedy}")


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raise UnknownName unless ``name`` is one of those ``known``, which are ``what`` ("provider")."""
    if name not in known:
        raise UnknownName(what, name, known)


class WrongState(BulkmailError):
    """What was asked for cannot be done with a campaign in its state."""
