"""The XML of workbooks, read as a stream. Nothing that XML can refer to is taken: a document type is refused."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType

from bulkmail.campaign.cells import UnreadableError

SAVE_AS = "save it as .xlsx or .csv"
MAX_COLUMNS = 16_384
MAX_ROWS = 1 << 20
LONGEST_TEXT = 1 << 20  # characters of one cell; a spreadsheet has 32,767
_CHUNK = 64 * 1024
_LARGEST = 1 << 20  # bytes of one element that is looked at by itself
_ODD = re.compile(rb"<[!?]")
_DECLARED = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml\s[^<>]*?\?>""")
_OTHER_CHARSET = re.compile(rb"""encoding\s*=\s*["'](?!utf-8["'])""", re.IGNORECASE)
_SHOWN = 10  # sheets that are named

Sheet = Iterator[list[str] | int | str]
"""The rows of a sheet, each as its cells; a number stands for so many rows without any, a text for one that cannot be
read, and says why."""


def choose(sheets: list[tuple[str, bool]], wanted: str | None) -> int:
    """Return which of the sheets is read: the ``wanted`` one, else the first that is visible. Raises UnreadableError.

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
    """Return which of several sheets is read, as a part of a sentence; "" where there is one alone."""
    if len(sheets) < 2:
        return ""
    names = [repr(name) for place, (name, _) in enumerate(sheets) if place != at]
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"its sheet {sheets[at][0]!r} was read, and it has {shown} too: name the right one as `sheet`"


def parser() -> XMLParserType:
    """Return a parser of XML that takes no document type, and so no entity but those of XML itself."""
    made = ParserCreate()
    made.buffer_text = True
    made.buffer_size = _CHUNK
    made.StartDoctypeDeclHandler = _refuse_doctype
    return made


def _refuse_doctype(*_: object) -> None:
    raise UnreadableError(f"has a document type in its XML, which no spreadsheet writes; {SAVE_AS}")


def local(name: str) -> str:
    """Return the name of an element or an attribute without its prefix."""
    return name.rpartition(":")[2]


def member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a part of the archive. Raises UnreadableError where it is missing or locked."""
    try:
        return archive.open(name)
    except KeyError:
        raise UnreadableError(f"is a broken workbook: its part {name} is missing; {SAVE_AS}") from None
    except (RuntimeError, NotImplementedError, OSError, zipfile.BadZipFile) as error:
        raise UnreadableError(f"cannot be unpacked ({error}); {SAVE_AS}, without a password") from None


class Quick:
    """Elements that stand one behind the other inside another one, known by sight: for them no parser is needed.

    ``opens``: the start of that other one; ``closes``: the end of each of them. ``take(text)`` is given some of them,
    whole, and says whether it knew them all. The parser gets what is around them, and those that were not known; it
    gets everything from there on where there is a comment, a CDATA section, an instruction, or another character set.
    """

    def __init__(self, opens: bytes, closes: bytes, take: Callable[[str], bool]) -> None:
        self._opens = re.compile(opens)
        self._closes = closes
        self._take = take
        self._held = b""
        self._begun = False
        self._inside = False
        self._off = False

    def rest(self, chunk: bytes) -> bytes:
        """Take a piece of the document; return what the parser is to be given now."""
        if self._off:
            return chunk
        data, self._held = self._held + chunk, b""
        if not self._begun:
            self._begun = True
            if declared := _DECLARED.match(data):
                self._off = _OTHER_CHARSET.search(declared[0]) is not None
                self._held = data[declared.end() :]
                return declared[0] + (self.rest(b"") if not self._off else self.end())
        if _ODD.search(data) or len(data) > _LARGEST:
            self._off = True
            return data
        if not self._inside:
            opened = self._opens.search(data)
            if opened is None:
                self._held = data
                return b""
            self._inside = True
            self._held = data[opened.end() :]
            return data[: opened.end()] + self.rest(b"")
        end = data.rfind(self._closes) + len(self._closes)
        if end < len(self._closes):
            self._held = data
            return b""
        self._held = data[end:]
        try:
            known = self._take(data[:end].decode())
        except UnicodeDecodeError:
            known = False
        return b"" if known else data[:end]

    def end(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return held


def parse(archive: zipfile.ZipFile, name: str, into: XMLParserType, quick: Quick | None = None) -> Iterator[None]:
    """Parse a part of the archive, a piece at each step. Raises UnreadableError."""
    with member(archive, name) as part:
        try:
            while chunk := part.read(_CHUNK):
                into.Parse(chunk if quick is None else quick.rest(chunk), False)
                yield
            if quick is not None:
                into.Parse(quick.end(), False)
            into.Parse(b"", True)
        except ExpatError as error:
            raise UnreadableError(f"is a broken workbook: {name} is no XML ({error}); {SAVE_AS}") from None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise UnreadableError(f"is a broken workbook: {name} cannot be unpacked ({error}); {SAVE_AS}") from None


def parse_all(archive: zipfile.ZipFile, name: str, into: XMLParserType, quick: Quick | None = None) -> None:
    """Parse a part of the archive as a whole."""
    for _ in parse(archive, name, into, quick):
        pass


def too_long() -> UnreadableError:
    """Return what is raised where a cell has more than `LONGEST_TEXT`."""
    return UnreadableError(f"has a cell of more than {LONGEST_TEXT:,} characters; shorten it, or save it as .csv")
