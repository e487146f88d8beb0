"""The tokens of a thousand recipients at once.

``mail.token`` says what a token is; this gives the very same ones (a test holds the two together) for a third of the
time. Base32 in Python costs more than the hash, so the digests of a whole chunk are spread from 40 bits in 5 bytes
to 8 groups of 5 bits in 8 bytes, as one large number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bulkmail.mail import TOKEN_SIZE, token_bytes

_WRITTEN = 32  # characters in Base32 of the 20 bytes, four quanta of 40 bits, of which a token takes the first ones
_ALPHABET = bytes.maketrans(bytes(range(32)), b"abcdefghijklmnopqrstuvwxyz234567")


def tokens(key: bytes, numbers: Sequence[int]) -> list[str]:
    """Return the tokens of these numbers: ``[mail.token(key, n) for n in numbers]``."""
    digests = b"".join([token_bytes(key, n) for n in numbers])
    room = bytearray(len(numbers) * _WRITTEN)
    for place in range(5):  # 5 bytes into the low end of each 8
        room[3 + place :: 8] = digests[place::5]
    value = int.from_bytes(room, "big")
    for low, high, shift in _halvings(len(numbers)):
        value = (value & low) | ((value & high) << shift)
    text = value.to_bytes(len(room), "big").translate(_ALPHABET).decode("ascii")
    return [text[start : start + TOKEN_SIZE] for start in range(0, len(text), _WRITTEN)]


@lru_cache(maxsize=2)
def _halvings(count: int) -> list[tuple[int, int, int]]:
    """Return the masks and shifts that halve 40 bits in each 64, then 20 in each 32, then 10 in each 16."""
    size = count * _WRITTEN
    steps = []
    for bits, width in ((40, 8), (20, 4), (10, 2)):
        half = bits // 2
        low = (1 << half) - 1
        masks = [int.from_bytes((low << up).to_bytes(width, "big") * (size // width), "big") for up in (0, half)]
        steps.append((masks[0], masks[1], width * 4 - half))
    return steps
