from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkmail.rehearsal.body import Body

lines = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"x", b"\r", b"\n", b".\n.", b"\r."]), max_size=8)
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=6)


def stuffed(message: bytes) -> bytes:
    """By the letter of RFC 5321 4.5.2, slowly."""
    out = b"".join(
        b"." + line if line.startswith(b".") else line
        for line in message.split(b"\r\n")[:-1]
        for line in [line + b"\r\n"]
    )
    return out + b".\r\n"


def read_in_pieces(body: Body, wire: bytes, sizes: list[int]) -> tuple[bytes, bool]:
    """What is left over, and whether the message ended. As the session does it: what is not taken comes again."""
    rest, at, turn = b"", 0, 0
    while at < len(wire):
        size = sizes[turn % len(sizes)]
        turn += 1
        rest, at = rest + wire[at : at + size], at + size
        read = body.read_counted if body.chunked else body.read_dotted
        position, done = read(rest, 0)
        rest = rest[position:]
        if done:
            return rest + wire[at:], True
    return rest, False


@settings(max_examples=200)
@given(lines, cuts)
@example([b"a", b".", b"b"], [1])
@example([], [1])
@example([b"."], [3])
def test_what_was_stuffed_comes_out_however_it_is_cut(parts: list[bytes], sizes: list[int]) -> None:
    message = b"".join(part + b"\r\n" for part in parts)
    # a line that itself ends in CR or starts with LF would move the line ends
    if message.count(b"\r\n") != len(parts):
        return
    body = Body(10_000)
    rest, done = read_in_pieces(body, stuffed(message) + b"QUIT\r\n", sizes)
    assert done
    assert rest == b"QUIT\r\n"
    assert body.message() == message


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"])
def test_nothing_but_crlf_dot_crlf_ends_a_message(end: bytes) -> None:
    body = Body(10_000)
    _, done = read_in_pieces(body, b"x" + end + b"MAIL FROM:<smuggled@x.example>", [4096])
    assert not done
    rest, done = read_in_pieces(body, b"\r\n.\r\n", [1])
    assert not rest


def test_a_message_too_large_is_read_to_its_end_and_not_kept() -> None:
    body = Body(10)
    rest, done = read_in_pieces(body, b"x" * 1000 + b"\r\n.\r\nNOOP", [7])
    assert done
    assert rest == b"NOOP"
    assert body.message() is None
    assert body.size >= 1000
    assert not body._parts


def test_exactly_the_largest_size_is_kept() -> None:
    body = Body(3)
    read_in_pieces(body, b"x\r\n.\r\n", [64])
    assert body.message() == b"x\r\n"


def test_chunks_are_taken_by_count_dots_and_all() -> None:
    body = Body(100)
    body.chunked = True
    taken = b""
    for chunk in (b"a\r\n.\r\n", b"", b"..b"):
        body.left = len(chunk)
        rest, done = read_in_pieces(body, chunk + b"BDAT", [2]) if chunk else (b"BDAT", body.read_counted(b"", 0)[1])
        assert done
        assert rest == b"BDAT"
        taken += chunk
    assert body.message() == taken
