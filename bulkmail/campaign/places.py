"""How far each list was read: what is stored with the rows, and the proof that those bytes are still the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os.path import basename
from typing import Any, NamedTuple

from bulkmail.campaign.encoding import fingerprint, refuse
from bulkmail.campaign.files import EarlierList
from bulkmail.campaign.rows import Rows
from bulkmail.mail import count_of

_VERSION = 1


@dataclass
class Place:
    """A position in one list: ``offset`` bytes with the hash ``sha256`` hold its header and ``rows`` rows."""

    encoding: str
    delimiter: str
    offset: int = 0
    rows: int = 0
    line: int = 1
    sha256: str = ""
    unended: bool = False  # the last line read had no line end
    cuts: tuple[int, ...] = ()
    address: int | None = None  # the column of the addresses

    def move(self, rows: Rows, count: int) -> None:
        """Move on by ``count`` rows, to where ``rows`` stands."""
        lines = rows.lines
        self.rows += count
        self.offset = lines.offset
        self.line = lines.line
        self.sha256 = lines.sha256
        self.unended = lines.unended
        self.cuts = tuple(lines.cuts)


@dataclass(frozen=True)
class Progress:
    """What was read before. ``places`` are those of the files begun, ``settled`` the last row settled at an end."""

    places: tuple[Place, ...] = ()
    rows: int = 0
    done: bool = False
    settled: int = 0
    words: int = 0
    limited: bool = False  # as many rows were read as `limit` allows: what follows does not count
    mailed: int = 0  # rows that count against it

    def as_data(self) -> dict[str, Any]:
        """Return plain data to be stored with the rows."""
        return {
            "version": _VERSION,
            "files": [{**asdict(place), "cuts": list(place.cuts)} for place in self.places],
            "rows": self.rows,
            "bytes": sum(place.offset for place in self.places),
            "done": self.done,
            "settled": self.settled,
            "words": self.words,
            "limited": self.limited,
            "mailed": self.mailed,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Progress:
        """Make it of what `as_data` gave. Raises ValueError where another version of this program stored it."""
        if data["version"] != _VERSION:
            raise ValueError(f"the reading position was stored by another version ({data['version']})")
        places = tuple(Place(**{**place, "cuts": tuple(place["cuts"])}) for place in data["files"])
        limit = data.get("limited", False), data.get("mailed", 0)
        return cls(places, data["rows"], data["done"], data["settled"], data["words"], *limit)


def prove(paths: Sequence[str], index: int, places: Sequence[Place], elsewhere: str = "") -> bool:
    """Return whether the file ``index`` has grown since. Raises Refused where what was read of it is not the same now.

    ``elsewhere``: what the refusal says of the same list in a campaign of another name.
    """
    path, place = paths[index], places[index]
    digest, ahead = fingerprint(path, place.encoding, place.offset)
    if digest != place.sha256:
        raise refuse(
            path,
            f"changed in the part already read ({count_of(place.rows, 'row')}, {place.offset:,} bytes); restore it "
            f"(rows may only be added at its end), or give the new list to a campaign of another name{elsewhere}",
        )
    if ahead and index + 1 < len(places):
        raise refuse(
            path,
            f"has grown, but rows of {basename(paths[index + 1])} were already read after it; "
            "put the new rows at the end of the last file, or in a new file behind it",
        )
    if ahead and place.unended and not ahead.startswith((b"\n", b"\r\n")):
        raise refuse(
            path,
            "the row at the end of this line was already read and has been continued since; end it there and put "
            "new rows on lines of their own",
            place.line,
        )
    return bool(ahead)


def changed_since(paths: Sequence[str], reading: Mapping[str, Any] | None) -> list[str]:
    """Return a finished campaign's lists that are not as they were read to their end: grown, changed, or added."""
    try:
        before = Progress.from_data(reading) if reading else Progress()
    except ValueError:
        return []  # another version's: nothing can be said
    found = []
    for index, path in enumerate(paths):
        place = before.places[index] if index < len(before.places) else None
        if isinstance(path, EarlierList):
            continue  # that campaign has ended
        if place is not None:
            digest, ahead = fingerprint(path, place.encoding, place.offset)
            if digest == place.sha256 and (before.limited or not ahead.strip()):
                continue
        elif before.limited:
            continue
        found.append(basename(path))
    return found


class Stored(NamedTuple):
    """How many rows the spool has of the lists, and where their reading stood behind these: plain data of `Progress`.

    Without ``reading`` the rows are read again, from the first one on.
    """

    rows: int = 0
    reading: dict[str, Any] | None = None


UNREAD = Stored()


def read_before(paths: Sequence[str], stored: Stored) -> Progress:
    """Return what an earlier run stored. Raises Refused where it does not fit these files."""
    if stored.reading is None:
        return Progress()
    try:
        before = Progress.from_data(stored.reading)
    except ValueError as error:
        raise refuse(paths[0] if paths else "", f"{error}; finish the campaign with that version") from None
    if len(before.places) > len(paths):
        last = basename(paths[-1]) if paths else "any"
        raise refuse(last, f"{len(before.places)} lists were read before and {len(paths)} are left; put them back")
    if before.rows != stored.rows:
        rows = count_of(stored.rows, "row is", "rows are")
        raise refuse(paths[0], f"{rows} stored, but the reading position is row {before.rows:,}")
    return before
