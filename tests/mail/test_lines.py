from __future__ import annotations

import pytest

from bulkmail.mail import complete_lines, plain_lines


@pytest.mark.parametrize(
    ("message", "complete", "plain"),
    [
        (b"a\r\nb\r\n", True, True),
        (b"\r\n", True, True),
        (b"a\r\n.b\r\n", True, False),
        (b".a\r\n", True, False),
        (b"a\r\n.\r\nb\r\n", True, False),
        (b"a.\r\n b.\r\n", True, True),
        (b"", False, False),
        (b"a", False, False),
        (b"a\nb\r\n", False, False),
        (b"a\rb\r\n", False, False),
        (b"a\r\n\r", False, False),
        (b"a\n\r\n", False, False),
    ],
)
def test_lines(message: bytes, complete: bool, plain: bool):
    assert complete_lines(message) is complete
    assert plain_lines(message) is plain


def test_no_other_byte_ends_a_line():
    odd = bytes(byte for byte in range(256) if byte not in b"\r\n.")
    assert plain_lines(odd + b"\r\n")
