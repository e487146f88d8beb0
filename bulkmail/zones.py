"""Time zones of the IANA database, as the package ``tzdata`` has them: never from the system's own files.

A distribution keeps its zone files for years, while governments change the rules every year: by the files of an older
system several zones are an hour wrong today. The package comes with the program, and is the same on every machine.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from zoneinfo import ZoneInfo

_PACKAGE = "tzdata"

TZDATA: str = import_module(_PACKAGE).IANA_VERSION
"""The version of the database, such as ``2026f``."""

_OFFSET = re.compile(r"(?:UTC|GMT)?\s*[+-]\s*\d{1,2}(?::?\d\d)?", re.ASCII | re.IGNORECASE)
_SHORTEST = 5  # letters of a name that is compared with others


class UnknownZoneError(ValueError):
    """The database has no zone of this name; the text says which name it may have been."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the names of all zones, such as ``Europe/Berlin`` and ``UTC``."""
    return frozenset(files(_PACKAGE).joinpath("zones").read_text(encoding="ascii").split())


@lru_cache(maxsize=1000)
def zone(name: str) -> ZoneInfo:
    """Return the zone called ``name``, as the database spells it. Raises UnknownZoneError."""
    if name not in zone_names():
        raise UnknownZoneError(_unknown(name))
    with files(_PACKAGE).joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _unknown(name: str) -> str:
    what = f"{name[:60]!r} is not a time zone"
    if _OFFSET.fullmatch(name.strip()):
        return f"{what}; an offset does not know when the clocks change, so name a place, such as Europe/Berlin"
    near = _nearest(name[:60])
    return f"{what}; did you mean {near}?" if near else f"{what}; write a name such as Europe/Berlin or UTC"


def _nearest(name: str) -> str:
    """Return the zone whose name, or whose place alone, is nearest to ``name``; "" where none is near."""
    wanted = name.strip().lower().replace(" ", "_")
    names = {known.lower(): known for known in zone_names()}
    places = {known.rpartition("/")[2].lower(): known for known in sorted(zone_names()) if known.count("/") == 1}
    place = wanted.rpartition("/")[2]
    if wanted in names or place in places:
        return names.get(wanted) or places[place]
    if len(wanted) < _SHORTEST:  # of an abbreviation any other is near
        return ""
    for known in (names, places):
        found = difflib.get_close_matches(wanted if known is names else place, known, 1, 0.75)
        if found:
            return known[found[0]]
    return ""
