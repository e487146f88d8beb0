"""Bytes to replies (RFC 5321 4.2), in whatever pieces they arrive.

A line ends with CRLF or a bare LF; a bare CR is not a line end. ``250`` without text is a reply. Texts are decoded
as UTF-8, characters that do not print become ``?``, and their length is capped: a reply is told to people and
written into files, so nothing a server says may move a cursor, break a line or fill a disk.
"""

from __future__ import annotations

from functools import lru_cache

from bulkmail.mail import BulkmailError, Reply

LINE_LIMIT = 4096  # bytes, line end included; RFC 5321 4.5.3.1.5 says 512, real servers say more
LINES_LIMIT = 1000
REPLY_LIMIT = 64 * 1024  # bytes over all lines
LINE_TEXT_LIMIT = 1000  # characters kept of one line
TEXT_LIMIT = 4096  # characters kept of one reply
_CACHED_LINE = 128  # longer lines are not worth remembering


class MalformedReply(BulkmailError):
    """What the server sent is not an SMTP reply."""


class ReplyReader:
    """Collects bytes and gives complete replies, oldest first."""

    __slots__ = ("_at", "_buffer", "_code", "_kept", "_lines", "_size", "_texts")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0
        self._forget()

    def _forget(self) -> None:
        self._code = b""
        self._texts: list[str] = []
        self._kept = self._lines = self._size = 0

    @property
    def pending(self) -> bool:
        """Whether bytes were read that are not part of any reply given so far."""
        return self._at < len(self._buffer) or self._lines > 0

    @property
    def opening(self) -> bytes:
        """The first bytes, at most three, of the reply that is not complete yet."""
        return self._code or self._buffer[self._at : self._at + 3]

    def feed(self, data: bytes) -> None:
        """Append what was read."""
        if self._at < len(self._buffer):
            data = self._buffer[self._at :] + data
        self._buffer = data
        self._at = 0

    def clear(self) -> None:
        """Drop everything read and not used."""
        self._buffer = b""
        self._at = 0
        self._forget()

    def next(self) -> Reply | None:
        """Return the next complete reply, or None while there is none. Raises MalformedReply."""
        buffer = self._buffer
        while self._at < len(buffer):
            at = self._at
            end = buffer.find(b"\n", at, at + LINE_LIMIT)
            if end < 0:
                if len(buffer) - at >= LINE_LIMIT:
                    raise MalformedReply(f"a reply line is longer than {LINE_LIMIT} bytes")
                return None
            self._at = end + 1
            line = buffer[at : end - 1] if end > at and buffer[end - 1] == 0x0D else buffer[at:end]
            if not self._lines and line[3:4] != b"-":
                return _single(line) if len(line) <= _CACHED_LINE else _reply(line)
            self._append(line, end + 1 - at)
            if line[3:4] != b"-":
                reply = Reply(int(self._code), tuple(self._texts))
                self._forget()
                return reply
        return None

    def _append(self, line: bytes, size: int) -> None:
        code = _code(line)
        if self._lines and code != self._code:
            raise MalformedReply(f"the lines of one reply have different codes ({_clean(self._code)}, {_clean(code)})")
        self._code = code
        self._lines += 1
        self._size += size
        if self._lines > LINES_LIMIT:
            raise MalformedReply(f"a reply has more than {LINES_LIMIT} lines")
        if self._size > REPLY_LIMIT:
            raise MalformedReply(f"a reply is longer than {REPLY_LIMIT} bytes")
        text = _clean(line[4:])
        self._kept += len(text)
        if self._kept <= TEXT_LIMIT:
            self._texts.append(text)


def _code(line: bytes) -> bytes:
    """Return the code of one line: 200 to 599.

    RFC 5321 4.2 allows a second digit up to 5 only, but large receivers answer 571, 578 or 591 and mean it.
    """
    code = line[:3]
    if len(code) < 3 or not code.isdigit() or not b"2" <= code < b"6" or line[3:4] not in (b"", b" ", b"-"):
        raise MalformedReply(f"not an SMTP reply: {_clean(line[:80])!r}")
    return code


def _reply(line: bytes) -> Reply:
    return Reply(int(_code(line)), (_clean(line[4:]),))


_single = lru_cache(maxsize=512)(_reply)  # "250 2.1.5 Ok" is said a million times


def _clean(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text)
    return text.strip()[:LINE_TEXT_LIMIT]
