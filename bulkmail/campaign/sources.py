"""What a list's file is, by its first bytes, and how its bytes are read: as they are, unpacked, or made CSV of.

Packed are gzip and Zstandard. A workbook (XLSX, ODS, XLS), an address book (vCards, LDIF) and JSON lines become CSV
(`bulkmail.campaign.cells`). What no list is, is refused with what to do.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from codecs import BOM_UTF8
from importlib import import_module
from io import FileIO
from typing import Any

from bulkmail.campaign.cells import ByteSource, UnreadableError
from bulkmail.campaign.contacts import open_contacts
from bulkmail.campaign.json_lines import ENDINGS, open_json_lines
from bulkmail.campaign.workbook import open_workbook
from bulkmail.campaign.xls import open_xls

_WORKBOOK = (b"PK\x03\x04", b"PK\x05\x06")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_REFUSED = (
    (b"%PDF", "is a PDF document, not a CSV file; export it as CSV (UTF-8)"),
    (b"BZh", "is packed with bzip2; unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "is packed with xz; unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it"),
    (b"Rar!", "is a RAR archive; unpack it"),
)
_TEXTS = (
    (re.compile(rb"\s*<(?:!doctype|html|table|\?xml|head|meta)", re.IGNORECASE),
     "is a page of HTML or XML, as some programs call an Excel file; open it in a spreadsheet and save it as .csv"),
    (re.compile(rb"\s*\[\s*\{"), "is one JSON array; write an object in each line (jq -c '.[]' does it)"),
)  # fmt: skip
_PACKED = 6  # bytes of a list for one of its packed file, about
_HEAD = 4096
_ENDINGS_OF_PACKED = (".gz", ".zst", ".zstd")


class Unpacked:
    """A packed file, read as what it holds."""

    def __init__(self, file: FileIO, stream: Any) -> None:
        self.tell = file.tell
        self.fileno = file.fileno
        self.close = file.close
        self.expected = os.fstat(file.fileno()).st_size * _PACKED
        self._stream = stream
        self._head = b""
        self._head = self.read(_HEAD)

    @property
    def head(self) -> bytes:
        """How it begins."""
        return self._head

    def read(self, size: int, /) -> bytes:
        """Return some of the bytes; none at the end. Raises UnreadableError."""
        if self._head:
            head, self._head = self._head, b""
            return head
        try:
            found: bytes = self._stream.read(size)
        except (EOFError, zlib.error, OSError, ValueError) as error:
            raise UnreadableError(f"cannot be unpacked ({error}); was it copied to its end?") from None
        return found


class Plain(FileIO):
    """A file as it is."""

    @property
    def expected(self) -> int:
        """Its bytes."""
        return os.fstat(self.fileno()).st_size


def open_source(file: Plain, path: str, sheet: str | None = None) -> ByteSource:
    """Return the list in ``file``, from its beginning; ``sheet``: of a workbook. Raises UnreadableError."""
    head = os.pread(file.fileno(), _HEAD, 0)
    if head.startswith(_WORKBOOK):
        return open_workbook(file, sheet)
    if head.startswith(_OLD_WORKBOOK):
        return open_xls(file, sheet)
    for magic, words in _REFUSED:
        if head.startswith(magic):
            raise UnreadableError(words)
    if sheet is not None:
        raise UnreadableError(f"is no workbook, so it has no sheet {sheet!r}; take `sheet` away")
    name = str(path).lower()
    source: ByteSource
    if head.startswith(_GZIP):
        source = Unpacked(file, gzip.GzipFile(fileobj=file, mode="rb"))
    elif head.startswith(_ZSTANDARD):
        source = Unpacked(file, _zstandard(file))
    else:
        source = file
    if isinstance(source, Unpacked):
        head = source.head
        name = next((name.removesuffix(end) for end in _ENDINGS_OF_PACKED if name.endswith(end)), name)
        refused = [magic for magic, _ in _REFUSED]
        if head.startswith((*_WORKBOOK, _OLD_WORKBOOK, _GZIP, _ZSTANDARD, *refused)):
            raise UnreadableError("is packed, and holds no text; unpack it")
    start = head.removeprefix(BOM_UTF8)
    for pattern, words in _TEXTS:
        if pattern.match(start):
            raise UnreadableError(words)
    if (contacts := open_contacts(source, start)) is not None:
        return contacts
    if name.endswith(ENDINGS) or start.lstrip().startswith(b"{"):
        return open_json_lines(source)
    return source


def _zstandard(file: FileIO) -> Any:
    """Return a reader of Zstandard. Raises UnreadableError where this Python has none."""
    for name in ("compression.zstd", "backports.zstd"):  # the first from Python 3.14 on
        try:
            zstd = import_module(name)
        except ImportError:
            continue
        return zstd.ZstdFile(file)
    raise UnreadableError(
        "is packed with Zstandard, which this Python cannot read; install bulkmail[zstd], or pack it with gzip"
    )
