"""The journal: what must survive a kill between two commits of the store.

Append-only segments in one directory. Three kinds of records: DOT, written before a final dot can leave; REPLY, written
when its reply has been read or is known to be lost, with the settlement it led to; and FREE, which takes a DOT back:
the message was not sent after all and is in hand again. No fsync: a write() survives the death of the process, and
after a power cut the store treats all that was claimed as ambiguous anyway. A segment is deleted when the store has
committed every record in it, so the disk holds what is in flight and no more.

Segment: 8 bytes of magic, then records: ``crc32(the next 12 bytes) u32, recipient id u64, attempt u16, length u16``,
little-endian; length 0 is a DOT, or with the highest bit of the id a FREE; else a REPLY's payload of that length and
its own crc32 follow. Both checks are needed: a flipped bit in a length must not make the records behind it look like a
torn tail.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from zlib import crc32

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault

_MAGIC = b"BMJRNL1\n"
_SUFFIX = ".journal"
_BODY = struct.Struct("<QHH")
_CRC = struct.Struct("<I")
_HEAD = _CRC.size + _BODY.size
_LONGEST = 0xFFFF
_FREE = 1 << 63
SEGMENT_BYTES = 4 << 20


@dataclass(slots=True)
class Journalled:
    """What a journal directory tells: (recipient id, attempt) of each dot, and the payload of each reply.

    ``found``: there was a journal at all. ``damaged``: a part of it, other than a torn last record, cannot be read.
    """

    dots: set[tuple[int, int]] = field(default_factory=set)
    replies: dict[tuple[int, int], bytes] = field(default_factory=dict)
    found: bool = False
    damaged: bool = False


def read_segment(data: bytes, into: Journalled) -> None:
    """Add the records of one segment. Stops at the first that is torn (quietly) or broken (``damaged``)."""
    if not data.startswith(_MAGIC):
        into.damaged |= not _MAGIC.startswith(data)
        return
    at = len(_MAGIC)
    while at + _HEAD <= len(data):
        (check,) = _CRC.unpack_from(data, at)
        body = data[at + _CRC.size : at + _HEAD]
        if crc32(body) != check:
            into.damaged = True
            return
        identity, attempt, length = _BODY.unpack(body)
        at += _HEAD
        if not length:
            if identity & _FREE:
                into.dots.discard((identity ^ _FREE, attempt))
            else:
                into.dots.add((identity, attempt))
            continue
        payload = data[at : at + length]
        end = at + length + _CRC.size
        if end > len(data):
            # Torn while the reply was being written: all we know is that a dot had been out.
            into.dots.add((identity, attempt))
            return
        if crc32(payload) == _CRC.unpack_from(data, at + length)[0]:
            into.replies[identity, attempt] = payload
        else:
            into.dots.add((identity, attempt))
            into.damaged = True
        at = end


def _segments(directory: str) -> list[tuple[int, str]]:
    names = [name for name in os.listdir(directory) if name.endswith(_SUFFIX) and name[: -len(_SUFFIX)].isdigit()]
    return sorted((int(name[: -len(_SUFFIX)]), os.path.join(directory, name)) for name in names)


def read_journal(directory: str) -> Journalled:
    """Return all segments in ``directory``, oldest first. Raises OwnFault when they cannot be read."""
    journalled = Journalled()
    try:
        for _, path in _segments(directory):
            with open(path, "rb") as file:
                read_segment(file.read(), journalled)
            journalled.found = True
    except FileNotFoundError:
        return journalled
    except OSError as error:
        raise OwnFault(f"the journal in {directory} cannot be read ({error})") from error
    return journalled


class Journal:
    """An open journal: `dot`, `reply`, `free`, and `settled` once the store has committed what they said.

    Each recipient pins one segment: the one with its latest record (a REPLY says all that its DOT said). A FREE takes
    back what an older segment says of an attempt that is still to be made, so its segment outlives that one.
    """

    def __init__(self, directory: str, number: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._directory = directory
        self._limit = segment_bytes
        self._pins: dict[int, int] = {}
        self._pinned: dict[int, int] = {}
        self._outlived_by: dict[int, set[int]] = {}
        self._number = number
        self._fd = -1
        self._size = 0
        self._sound = True
        self._start(number)

    @classmethod
    def open(cls, directory: str, segment_bytes: int = SEGMENT_BYTES) -> Journal:
        """Begin a new segment behind those that are there. Raises OwnFault."""
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            found = _segments(directory)
        except OSError as error:
            raise OwnFault(f"the journal cannot be opened ({error})") from error
        return cls(directory, found[-1][0] + 1 if found else 1, segment_bytes)

    def __repr__(self) -> str:
        return f"<Journal {self._directory} segment={self._number} unsettled={len(self._pins)}>"

    def dot(self, recipient_id: int, attempt: int) -> None:
        """Record that the final dot of this attempt is about to leave. Raises OwnFault: then it must not leave."""
        body = _BODY.pack(recipient_id, attempt, 0)
        self._append(_CRC.pack(crc32(body)) + body)
        self._pin(recipient_id)

    def reply(self, recipient_id: int, attempt: int, payload: bytes) -> None:
        """Record a reply that was read; ``payload`` (1 to 65,535 bytes): the settlement it led to. Raises OwnFault."""
        if not 0 < len(payload) <= _LONGEST:
            raise ValueError(f"a journal record of {len(payload)} bytes")
        body = _BODY.pack(recipient_id, attempt, len(payload))
        self._append(_CRC.pack(crc32(body)) + body + payload + _CRC.pack(crc32(payload)))
        if self._pins.get(recipient_id) != self._number:  # mostly its DOT is in the same segment
            self._pin(recipient_id)

    def free(self, recipient_id: int, attempt: int) -> None:
        """Take the record of this attempt's dot back: the message was certainly not accepted. Raises OwnFault."""
        body = _BODY.pack(recipient_id | _FREE, attempt, 0)
        self._append(_CRC.pack(crc32(body)) + body)
        before = self._pins.get(recipient_id, 0)
        self._pin(recipient_id)
        if before != self._number and before in self._pinned:
            self._outlive(before)

    def settled(self, recipient_ids: Iterable[int]) -> None:
        """Take in that these are committed in the store; delete segments that are not needed any more."""
        for identity in recipient_ids:
            number = self._pins.pop(identity, 0)
            if number:
                self._unpin(number)

    def drop_older(self) -> None:
        """Delete the segments of earlier runs: the store has recovered from them."""
        for number, path in _segments(self._directory):
            if number < self._number and number not in self._pinned:
                with suppress(OSError):
                    os.unlink(path)

    def close(self) -> None:
        """Close the segment. It stays: the next start reads it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, record: bytes) -> None:
        if self._size >= self._limit or not self._sound:
            self._rotate()
        try:
            failpoint("journal-write")
            written = os.write(self._fd, record)
        except OSError as error:
            raise OwnFault(f"the journal in {self._directory} cannot be written ({error})") from error
        if written != len(record):
            # A torn record in the middle would hide those behind it: cut it off, or never write here again.
            try:
                os.ftruncate(self._fd, self._size)
            except OSError:
                self._sound = False
            raise OwnFault(f"the journal in {self._directory} cannot be written (no space left on device)")
        self._size += written

    def _rotate(self) -> None:
        old = self._number
        try:
            self._start(old + 1)
        except OwnFault:
            if not self._sound:
                raise
            return  # a segment longer than it should be does less harm than a reply that is not written down
        if old not in self._pinned:
            self._unlink(old)

    def _start(self, number: int) -> None:
        path = self._path(number)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OwnFault(f"the journal in {self._directory} cannot be written ({error})") from error
        try:
            written = os.write(fd, _MAGIC)
        except OSError:
            written = 0
        if written != len(_MAGIC):
            os.close(fd)
            self._unlink(number)
            raise OwnFault(f"the journal in {self._directory} cannot be written (no space left on device)")
        self.close()
        self._fd, self._number, self._size, self._sound = fd, number, len(_MAGIC), True

    def _pin(self, identity: int) -> None:
        number = self._number
        before = self._pins.get(identity, 0)
        if before == number:
            return
        self._pins[identity] = number
        self._pinned[number] = self._pinned.get(number, 0) + 1
        if before:
            self._unpin(before)

    def _unpin(self, number: int) -> None:
        self._pinned[number] -= 1
        if not self._pinned[number]:
            del self._pinned[number]
            if number != self._number:
                self._unlink(number)

    def _outlive(self, older: int) -> None:
        later = self._outlived_by.setdefault(older, set())
        if self._number not in later:
            later.add(self._number)
            self._pinned[self._number] += 1

    def _path(self, number: int) -> str:
        return os.path.join(self._directory, f"{number:012d}{_SUFFIX}")

    def _unlink(self, number: int) -> None:
        with suppress(OSError):
            os.unlink(self._path(number))
        for later in self._outlived_by.pop(number, ()):
            self._unpin(later)
