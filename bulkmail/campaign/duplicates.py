"""Exact duplicates in bounded memory: a Bloom filter while rows come in, and an exact comparison at the end.

While rows come in, a Bloom filter says of each digest "never seen", which is certain, or "seen", which is right all
but a few times in ten thousand. What was perhaps seen is held back. All digests go to a scratch file, cut into 256
partitions by their first byte, and at the end one partition at a time says exactly which held rows repeat an
earlier one. At 10 million rows that is 30 MB of filter and 240 MB of scratch file.

The filter is blocked: the bits of one digest all lie in one 64-bit word, so that asking and adding is one look.
Its size follows the size of the files, and is given again when a list is read again, so that the same rows are held.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from struct import Struct

from bulkmail.mail import OwnFault

_BITS_A_ROW = 24
_LEAST_WORDS = 1 << 19  # 4 MiB
_MOST_WORDS = 6 << 20  # 48 MiB: beyond 16 million rows more are held back, and settled at the end all the same
_PARTITIONS = 256
_RECORD = Struct("<16sQ")  # digest, number * 2 + held
_HALVES = Struct("<QQ")
_SEGMENT = _RECORD.size * 512
_BREATH = 50_000
_TWO_BITS = [(1 << (pair & 63)) | (1 << (pair >> 6)) for pair in range(4096)]


def words_for(rows: int) -> int:
    """Return the filter's size, in 64-bit words, for about so many rows."""
    return min(max(rows * _BITS_A_ROW // 64, _LEAST_WORDS), _MOST_WORDS)


class Duplicates:
    """Tells which 16-byte digests were added before. ``scratch`` is the folder of a file that has no name there."""

    def __init__(self, words: int, scratch: str | None = None) -> None:
        self._words = words
        self._filter = array("Q", [0]) * words
        self._buffers = [bytearray() for _ in range(_PARTITIONS)]
        self._segments = [array("Q") for _ in range(_PARTITIONS)]  # offset << 16 | length
        self._held = [0] * _PARTITIONS  # the highest number held in each
        self._end = 0
        try:
            # Without a name: it is gone with this process, however that ends.
            self._file = tempfile.TemporaryFile(dir=scratch, buffering=0)  # noqa: SIM115 - lives as long as we do
        except OSError as error:
            raise OwnFault(f"no scratch file for finding duplicates: {error}") from None

    def add(self, digest: bytes, number: int) -> bool:
        """Note that row ``number`` has ``digest``; True where it must be held. Numbers rise. Raises OwnFault."""
        low, high = _HALVES.unpack(digest)
        mask = _TWO_BITS[high & 4095] | _TWO_BITS[high >> 12 & 4095]
        words = self._filter
        index = low % self._words
        word = words[index]
        held: bool = word & mask == mask
        partition = digest[15]
        if held:
            self._held[partition] = number
        else:
            words[index] = word | mask
        buffer = self._buffers[partition]
        buffer += _RECORD.pack(digest, number * 2 + held)
        if len(buffer) >= _SEGMENT:
            self._flush(partition)
        return held

    def settle(self, after: int) -> Iterator[tuple[int, int] | None]:
        """Yield (number, the earlier row with its digest, or 0 where it was new) for each held row beyond ``after``.

        None comes now and then, so that the caller can do other work in between. Raises OwnFault.
        """
        breath = 0
        for partition, highest in enumerate(self._held):
            if highest <= after:
                continue
            suspects = set()
            for digest, tagged in self._records(partition):
                if tagged & 1 and tagged > after * 2 + 1:
                    suspects.add(digest)
                breath += 1
                if not breath % _BREATH:
                    yield None
            first: dict[bytes, int] = {}
            for digest, tagged in self._records(partition):
                if digest in suspects:
                    number = tagged >> 1
                    earlier = first.setdefault(digest, number)
                    if tagged & 1 and number > after:
                        yield number, earlier if earlier != number else 0
                breath += 1
                if not breath % _BREATH:
                    yield None

    def close(self) -> None:
        """Release the memory and the scratch file."""
        self._file.close()
        self._filter = array("Q")
        self._buffers, self._segments = [], []

    def _flush(self, partition: int) -> None:
        buffer = self._buffers[partition]
        view = memoryview(bytes(buffer))
        try:
            self._file.seek(self._end)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise OwnFault(f"the scratch file for finding duplicates cannot be written: {error}") from None
        self._segments[partition].append(self._end << 16 | len(buffer))
        self._end += len(buffer)
        buffer.clear()

    def _records(self, partition: int) -> Iterator[tuple[bytes, int]]:
        for segment in self._segments[partition]:
            length = segment & 0xFFFF
            try:
                self._file.seek(segment >> 16)
                data = self._file.read(length)
            except OSError as error:
                raise OwnFault(f"the scratch file for finding duplicates cannot be read: {error}") from None
            if len(data) != length:
                raise OwnFault("the scratch file for finding duplicates is cut short")
            yield from _RECORD.iter_unpack(data)
        yield from _RECORD.iter_unpack(self._buffers[partition])
