"""The bytes of one file as decoded lines, each with its place, under a running hash.

Bytes are read in blocks and cut at LF before they are decoded, so that one undecodable line spoils nothing but
itself and the place reached is an exact byte offset. UTF-16 and UTF-32 are turned into UTF-8 on the way in; offset
and hash are then those of the UTF-8.

A *cut* is an offset that an earlier run took for the end of the file when it judged the line before it (an opened
quote that was never closed). The file may have grown since; reading it again stops at the cut as if it still ended
there, so that every line is judged as it was the first time.
"""

from __future__ import annotations

import hashlib
import os
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterable

from bulkmail.campaign.cells import UNREADABLE, Converted, UnreadableError
from bulkmail.campaign.encoding import cannot_be_read, fingerprint, is_wide, open_bytes, refuse
from bulkmail.campaign.files import EarlierList
from bulkmail.mail import Refused

LONGEST_LINE = 1 << 20
LONGEST_CELL = 131_072
_BLOCK = 128 * 1024
_SHOWN = 512
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
_ENDLESS = 1 << 62


class Lines:
    """A window of lines on one file. ``texts[at:]`` are those not yet consumed; ``line`` is the number of the first.

    ``plain`` promises that the window holds no quote, no control character, no CR, no overlong and no undecodable
    line; ``even`` the same but for quotes and CR (the reader clears it where the quotes are not in order). ``bad`` says
    by index what is wrong with a line's bytes, and at which of them (from 1). ``needs_escape``: there is a backslash or
    a bare CR. ``final``: nothing follows the window.
    """

    def __init__(self, path: str, encoding: str = "utf-8", cuts: Iterable[int] = ()) -> None:
        self.path = path
        self.encoding = encoding
        self.texts: list[str] = []
        self.bad: dict[int, tuple[int, str]] = {}
        self.at = 0
        self.line = 1
        self.offset = 0
        self.plain = self.even = self.has_controls = self.needs_escape = self.has_tab = self.final = False
        self.unended = False  # the last line consumed had no LF: the file ended there
        self._kept_cuts = sorted(set(cuts))
        self._cuts = deque(self._kept_cuts)
        self._doubtful: list[tuple[int, int]] = []
        self._codec = "utf-8" if is_wide(encoding) else encoding
        self._file = open_bytes(path, encoding)
        self._stat = os.fstat(self._file.fileno())
        self.size = self._file.expected  # bytes of it, about, where the file is packed or a workbook
        self.converted = isinstance(self._file, Converted)  # it is no CSV: breaks within cells are bare CRs
        if isinstance(self._file, Converted):
            self.line = self._file.first_line
        self.others = self._file.others if isinstance(self._file, Converted) else ""  # sheets of the workbook
        self._hasher = self._hasher_behind = hashlib.sha256()
        self._position = 0  # bytes taken from the file
        self._ahead = b""  # taken from the file, but behind a cut
        self._data = b""  # the window, and the piece of a line behind it
        self._begin = 0  # where in _data the first unconsumed line begins
        self._raws: list[bytes] = []
        self._tail = False  # the window's last line has no LF
        self._skipped = 0  # length of the overlong line that is the whole window

    @property
    def held(self) -> int:
        """Bytes of the window."""
        return sum(map(len, self._raws)) + len(self._raws)

    @property
    def same_file(self) -> tuple[int, int]:
        """The device and inode, which differ where another file was put in its place."""
        return self._stat.st_dev, self._stat.st_ino

    @property
    def overlong(self) -> bool:
        """Whether the window is one line of which only the beginning is held."""
        return self._skipped > 0

    @property
    def sha256(self) -> str:
        """Hash of all bytes consumed so far."""
        return self._hasher.hexdigest()

    @property
    def cuts(self) -> list[int]:
        """Offsets to pass in again: the line before each was judged by bytes that are not consumed yet."""
        self._doubtful = [(end, seen) for end, seen in self._doubtful if seen > self.offset]
        return sorted({*self._kept_cuts, *(end for end, _ in self._doubtful)})

    def fill(self) -> bool:
        """Widen the window. False where the end is reached, or where as much is held as may be."""
        while True:
            left = len(self.texts) - self.at
            if self.final:
                if left or not self._at_cut():
                    return False
                self._cuts.popleft()
            elif left and len(self._data) - self._begin >= LONGEST_LINE:
                return False
            self._widen(left)
            if self.texts:
                return True

    def advance(self, count: int) -> None:
        """Consume ``count`` lines."""
        raws = self._raws[self.at : self.at + count]
        self.at += count
        self.unended = self._tail and self.at == len(self.texts)
        self.line += count - self.unended
        if self._skipped:
            self._hasher = self._hasher_behind
            self.offset += self._skipped
            return
        end = self._begin + sum(map(len, raws)) + count - self.unended
        self._hasher.update(memoryview(self._data)[self._begin : end])
        self.offset += end - self._begin
        self._begin = end

    def doubt(self) -> None:
        """Note that the line about to be consumed alone is judged by what follows it: the window, or the file's end."""
        if self.final and self._at_cut():
            return  # by a cut that is kept anyway
        ended = not (self._tail and self.at == len(self._raws) - 1)
        end = self.offset + len(self._raws[self.at]) + ended
        self._doubtful.append((end, _ENDLESS if self.final else self._position))

    def confirm(self) -> None:
        """Raise Refused where the file was written to meanwhile, and what was read is no longer there. For its end."""
        self._check()
        changed = os.fstat(self._file.fileno()).st_mtime_ns != self._stat.st_mtime_ns
        if changed and fingerprint(self.path, self.encoding, self.offset)[0] != self.sha256:
            raise self._changed("it was written to")

    def close(self) -> None:
        """Release the file and the window."""
        self._file.close()
        self.texts = []
        self._raws = []
        self._data = b""
        self._ahead = b""

    def _at_cut(self) -> bool:
        return bool(self._cuts) and self._cuts[0] <= self._position

    def _widen(self, left: int) -> None:
        held = self._data[self._begin :]
        while True:
            seen = len(held)
            block = self._read()
            held += block
            end = held.rfind(b"\n", seen) + 1
            if not block or end or left:
                break
            if len(held) > LONGEST_LINE:
                self._skip(held)
                return
        at_start = self._position == len(held)
        while at_start and held.startswith(BOM_UTF8):  # two of them where the file was saved twice
            self._hasher.update(BOM_UTF8)
            self.offset += len(BOM_UTF8)
            held = held[len(BOM_UTF8) :]
            end = 0
        self.final = not block
        self._show(held, len(held) if self.final else end or held.rfind(b"\n") + 1)

    def _read(self) -> bytes:
        """Return the next block, up to the next cut; empty at a cut and at the end of the file."""
        self._check()
        try:
            block = self._ahead or self._file.read(_BLOCK)
        except (OSError, UnreadableError) as error:
            raise refuse(self.path, cannot_be_read(error, " on"), self.line) from None
        self._ahead = b""
        if self._cuts and self._position + len(block) > self._cuts[0]:
            room = max(0, self._cuts[0] - self._position)
            block, self._ahead = block[:room], block[room:]
        self._position += len(block)
        return block

    def _check(self) -> None:
        if isinstance(self.path, EarlierList):
            return  # it has no name, so no other program reaches it
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            raise self._changed("it became shorter")
        try:
            now = os.stat(self.path)
        except OSError:
            raise self._changed("it was removed") from None
        if (now.st_dev, now.st_ino) != self.same_file:
            raise self._changed("another file took its place")

    def _changed(self, how: str) -> Refused:
        return refuse(self.path, f"changed while it was being read ({how}); restore it and start again")

    def _show(self, held: bytes, end: int) -> None:
        """Make ``held[:end]`` the window."""
        data = held[:end]
        self._data = held
        self._begin = 0
        self._skipped = 0
        self.at = 0
        self._tail = bool(data) and not data.endswith(b"\n")
        self._raws = data.split(b"\n")
        if not self._tail:
            self._raws.pop()
        self.bad = {}
        text = ""
        try:
            text = data.decode(self._codec)
        except UnicodeDecodeError:
            self.texts = [self._decode(index, raw) for index, raw in enumerate(self._raws)]
        else:
            if '"' not in text and "\r" in text:
                text = text.replace("\r\n", "\n")
            self.texts = text.split("\n")
            if not self._tail:
                self.texts.pop()
        if self._codec != "utf-8":  # what its bytes become counts, not what they are
            data = "\n".join(self.texts).encode("utf-8", "surrogatepass")
        self.has_controls = len(data.translate(None, _CONTROLS)) != len(data)
        overlong = max(map(len, self._raws), default=0) > LONGEST_CELL
        quoted = '"' in text
        odd = bool(self.bad) or self.has_controls or overlong
        self.plain = not (odd or quoted or "\r" in text)
        self.even = quoted and not odd
        self.has_tab = "\t" in text
        self.needs_escape = "\\" in text or text.count("\r") != text.count("\r\n")

    def _decode(self, index: int, raw: bytes) -> str:
        try:
            return raw.decode(self._codec)
        except UnicodeDecodeError as error:
            if self.converted and raw.startswith(UNREADABLE):
                self.bad[index] = 1, raw[len(UNREADABLE) :].decode("utf-8", "replace")
                return ""
            name = self._codec.upper() if self._codec == "utf-8" else self._codec
            self.bad[index] = error.start + 1, f"byte {error.start + 1} (0x{raw[error.start]:02X}) is not {name}"
            return raw.decode(self._codec, "replace")

    def _skip(self, held: bytes) -> None:
        """Read the line that begins ``held`` to its end, and show only how it begins: it is too long to be held."""
        hasher = self._hasher.copy()
        shown = held[:_SHOWN].decode(self._codec, "replace")
        skipped = 0
        block = held
        while block:
            end = block.find(b"\n") + 1
            piece, rest = (block[:end], block[end:]) if end else (block, b"")
            hasher.update(piece)
            skipped += len(piece)
            if end:
                self._ahead = rest + self._ahead
                self._position -= len(rest)
                break
            block = self._read()
        self._data = b""
        self._begin = 0
        self._raws = []
        self.at = 0
        self._hasher_behind, self._skipped = hasher, skipped
        self._tail = self.final = not block
        self.texts = [shown]
        self.bad = {0: (0, f"the line is longer than {LONGEST_LINE >> 20} MiB")}
        self.plain = self.even = False
        self.has_controls = True
