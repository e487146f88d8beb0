"""The XML of workbooks, read as a stream. Nothing that XML can refer to is taken: a document type is refused."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType

from bulkmail.campaign.cells import UnreadableError

SAVE_AS = "save it as .xlsx or .csv"
MAX_COLUMNS = 16_384
MAX_ROWS = 1 << 20
LONGEST_TEXT = 1 << 20  # characters of one cell; a spreadsheet has 32,767
_CHUNK = 64 * 1024
_SHOWN = 10  # sheets that are named

Sheet = Iterator[list[str] | int | str]
"""The rows of a sheet, each as its cells; a number stands for so many rows without any, a text for one that cannot be
read, and says why."""


def choose(sheets: list[tuple[str, bool]], wanted: str | None) -> int:
    """Which of the sheets is read: the ``wanted`` one, else the first that is visible. Raises UnreadableError.

    ``sheets``: names, and whether each is visible.
    """
    if not sheets:
        raise UnreadableError(f"has no sheet; {SAVE_AS}")
    if wanted is None:
        return next((at for at, (_, visible) in enumerate(sheets) if visible), 0)
    names = [name for name, _ in sheets]
    if wanted in names:
        return names.index(wanted)
    for at, name in enumerate(names):
        if name.strip().casefold() == wanted.strip().casefold():
            return at
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    raise UnreadableError(f"has no sheet {wanted!r}; it has {shown}")


def others(sheets: list[tuple[str, bool]], at: int) -> str:
    """Which of several sheets is read, as a part of a sentence; "" where there is one alone."""
    if len(sheets) < 2:
        return ""
    names = [repr(name) for place, (name, _) in enumerate(sheets) if place != at]
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"its sheet {sheets[at][0]!r} was read, and it has {shown} too: name the right one as `sheet`"


def parser() -> XMLParserType:
    """A parser of XML that takes no document type, and so no entity but those of XML itself."""
    made = ParserCreate()
    made.buffer_text = True
    made.buffer_size = _CHUNK
    made.StartDoctypeDeclHandler = _refuse_doctype
    return made


def _refuse_doctype(*_: object) -> None:
    raise UnreadableError(f"has a document type in its XML, which no spreadsheet writes; {SAVE_AS}")


def local(name: str) -> str:
    """The name of an element or an attribute without its prefix."""
    return name.rpartition(":")[2]


def member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a part of the archive. Raises UnreadableError where it is missing or locked."""
    try:
        return archive.open(name)
    except KeyError:
        raise UnreadableError(f"is a broken workbook: its part {name} is missing; {SAVE_AS}") from None
    except (RuntimeError, NotImplementedError, OSError, zipfile.BadZipFile) as error:
        raise UnreadableError(f"cannot be unpacked ({error}); {SAVE_AS}, without a password") from None


def parse(archive: zipfile.ZipFile, name: str, into: XMLParserType) -> Iterator[None]:
    """Parse a part of the archive, a piece at each step. Raises UnreadableError."""
    with member(archive, name) as part:
        try:
            while chunk := part.read(_CHUNK):
                into.Parse(chunk, False)
                yield
            into.Parse(b"", True)
        except ExpatError as error:
            raise UnreadableError(f"is a broken workbook: {name} is no XML ({error}); {SAVE_AS}") from None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise UnreadableError(f"is a broken workbook: {name} cannot be unpacked ({error}); {SAVE_AS}") from None


def parse_all(archive: zipfile.ZipFile, name: str, into: XMLParserType) -> None:
    """Parse a part of the archive as a whole."""
    for _ in parse(archive, name, into):
        pass


def too_long() -> UnreadableError:
    """What is raised where a cell has more than `LONGEST_TEXT`."""
    return UnreadableError(f"has a cell of more than {LONGEST_TEXT:,} characters; shorten it, or save it as .csv")
