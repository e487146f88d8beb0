"""What a list's file is written in, and its bytes as UTF-8 or another encoding that keeps ASCII as it is.

The order is fixed: a byte order mark, then strict UTF-8, then the encoding that was configured. Nothing is guessed.
"""

from __future__ import annotations

import codecs
import hashlib
from codecs import BOM_UTF8

from bulkmail.campaign.cells import ByteSource, Converted, UnreadableError
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.sources import Plain, open_source
from bulkmail.files import open_regular
from bulkmail.mail import Problem, Refused

_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_CODE_PAGES = (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866, 869, 874, 932, 949, 950)
_MACINTOSH = ("roman", "latin2", "greek", "cyrillic", "turkish", "iceland", "croatian", "romanian")
CHARSETS = frozenset(
    [
        *("utf-8", "ascii", *_WIDE),
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp{page}" for page in (*_CODE_PAGES, *range(1250, 1259), 1125)),
        *(f"mac-{script}" for script in _MACINTOSH),
        *("koi8-r", "koi8-u", "koi8-t", "kz1048", "ptcp154", "tis-620", "hp-roman8"),
        *("gb2312", "gbk", "gb18030", "big5", "big5hkscs", "shift_jis", "euc_jp", "euc_kr"),
    ]
)
"""The codecs that are taken, as `codecs.lookup` names them: character sets that keep ASCII, or take two or four bytes.

Not every codec is one: ``unicode_escape`` makes control characters of letters, ``idna`` and ``punycode`` work on names.
"""
_WIDE_BOMS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HEAD = 64 * 1024
_BLOCK = 1 << 20


class Narrowed:
    """A UTF-16 or UTF-32 file read as UTF-8. What is no character becomes bytes that are no UTF-8 either."""

    def __init__(self, file: ByteSource, encoding: str) -> None:
        self._file = file
        self.expected = file.expected
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._ended = False
        self.tell = file.tell
        self.fileno = file.fileno
        self.close = file.close

    def read(self, size: int) -> bytes:
        """Return some bytes of UTF-8, made of up to ``size`` bytes of the file; none at its end."""
        while not self._ended:
            data = self._file.read(size)
            self._ended = not data
            try:
                narrow = self._decoder.decode(data, final=self._ended).encode("utf-8", "surrogatepass")
            except UnicodeError:  # the parent: a decoder that misses a mark raises that
                self._ended = True
                return b"\xff"  # half a character at the end of the file, or no UTF-16 or UTF-32 at all
            if narrow:
                return narrow
        return b""


def refuse(path: str, message: str, line: int = 0, column: int = 0) -> Refused:
    """Return the refusal of the file ``path`` for one problem, to be raised."""
    return Refused([Problem(path, line, column, message)])


def cannot_be_read(error: OSError | UnreadableError, on: str = "") -> str:
    """Return the rest of a sentence about a list whose bytes do not come; ``on``: " on" where some have come."""
    return str(error) if isinstance(error, UnreadableError) else f"cannot be read{on}: {error.strerror}"


def charset(name: str) -> str:
    """Return the codec of a character set, as Python names it. Raises ValueError for what is none for lists."""
    try:
        codec = codecs.lookup(name).name.removesuffix("-sig")
    except (LookupError, UnicodeError):
        codec = ""
    if codec not in CHARSETS:
        raise ValueError(f"{name!r} is not a character encoding for lists; write utf-8, cp1252, iso-8859-15, ...")
    return codec


def is_wide(encoding: str) -> bool:
    """Return whether an encoding takes two or four bytes a character: such files are read as UTF-8."""
    return encoding.startswith(("utf-16", "utf-32"))


def open_bytes(path: str, encoding: str) -> ByteSource:
    """Return the bytes of a regular file as CSV, from its beginning; of a workbook or a packed file those it holds.

    Raises Refused.
    """
    try:
        descriptor = path.open() if isinstance(path, ListPath) else open_regular(path)
    except ValueError as error:
        raise refuse(path, f"{error}; give the path of a CSV file") from None
    file = Plain(descriptor)
    try:
        source = open_source(file, path, path.sheet if isinstance(path, ListPath) else None)
    except UnreadableError as error:
        file.close()
        raise refuse(path, str(error)) from None
    return Narrowed(source, encoding) if is_wide(encoding) else source


def encoding_of(path: str, configured: str | None) -> str:
    """Return the file's encoding: by its byte order mark, else UTF-8 if all of it is that, else what is ``configured``.

    Nothing is ever guessed. The whole file is looked through only where an encoding is configured. Raises Refused for
    an encoding that cannot carry CSV, for UTF-16 that was not announced or whose byte order is not known, and for what
    is no text at all.
    """
    try:
        name = "utf-8" if configured is None else charset(configured)
    except ValueError as error:
        raise refuse(path, str(error)) from None
    file = open_bytes(path, "utf-8")
    try:
        if isinstance(file, Converted):
            return "utf-8"
        head = file.read(_HEAD)
        wide = _wide_encoding(path, head, name)
        if wide or name == "utf-8" or head.startswith(BOM_UTF8):
            return wide or "utf-8"
        decoder = codecs.getincrementaldecoder("utf-8")()
        while head:
            decoder.decode(head)
            head = file.read(_BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if is_wide(name):
            raise refuse(path, f"is not written in {name.upper()}; save it as UTF-8, or correct `encoding`") from None
        return name
    except (OSError, UnreadableError) as error:
        raise refuse(path, cannot_be_read(error)) from None
    finally:
        file.close()
    return "utf-8"


def _wide_encoding(path: str, head: bytes, name: str) -> str:
    """Return the encoding of two or four bytes a character, where the beginning of a file shows one; else ``""``.

    Raises Refused where ``name``, which is configured, does not announce it.
    """
    marked = next((wide for bom, wide in _WIDE_BOMS if head.startswith(bom)), "")
    if is_wide(name):
        if marked or b"\0" not in head:  # each line end has a NUL in these encodings
            return marked
        if not name.endswith("e"):
            remedy = f"write `encoding: {name}-le` (as Windows orders bytes) or {name}-be"
            raise refuse(path, f"has no byte order mark, so {name.upper()} can be either of two; {remedy}", 1, 1)
        return name
    if marked:
        return marked
    if b"\0" in head.partition(b"\n")[0]:
        raise refuse(path, "has NUL bytes in its first line; save it as CSV in UTF-8 (UTF-16 has them)", 1, 1)
    return ""


def fingerprint(path: str, encoding: str, length: int) -> tuple[str, bytes]:
    """Return the SHA-256 (hex) of the first ``length`` bytes, and up to two bytes that follow. Raises Refused."""
    file = open_bytes(path, encoding)
    hasher = hashlib.sha256()
    ahead = b""
    try:
        while length or len(ahead) < 2:
            block = file.read(_BLOCK)
            if not block:
                break
            hasher.update(block[:length])
            ahead += block[length : length + 2]
            length = max(0, length - len(block))
    except (OSError, UnreadableError) as error:
        raise refuse(path, cannot_be_read(error)) from None
    finally:
        file.close()
    return hasher.hexdigest(), ahead[:2]
