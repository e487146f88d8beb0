from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Reply
from bulkmail.smtp.replies import (
    LINE_LIMIT,
    LINE_TEXT_LIMIT,
    LINES_LIMIT,
    TEXT_LIMIT,
    MalformedReply,
    ReplyReader,
)


def read(data: bytes, cut: int = 0) -> list[Reply | str]:
    """Every reply in ``data``, read whole or in pieces of ``cut`` bytes; the error last, as its text."""
    reader = ReplyReader()
    replies: list[Reply | str] = []
    try:
        for at in range(0, len(data), cut or len(data) or 1):
            reader.feed(data[at : at + cut] if cut else data)
            while (reply := reader.next()) is not None:
                replies.append(reply)
    except MalformedReply as error:
        replies.append(str(error))
    return replies


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"250 2.1.0 Ok\r\n", [Reply(250, ("2.1.0 Ok",))]),
        (b"250\r\n", [Reply(250, ("",))]),
        (b"250 \r\n", [Reply(250, ("",))]),
        (b"250 bare LF\n", [Reply(250, ("bare LF",))]),
        (b"250 a\rb\r\n", [Reply(250, ("a?b",))]),
        (b"250-one\r\n250-\r\n250 three\r\n", [Reply(250, ("one", "", "three"))]),
        (b"250-one\n250 two\n", [Reply(250, ("one", "two"))]),
        (b"250-one\r\n250\r\n", [Reply(250, ("one", ""))]),
        (b"250 a\r\n354 b\r\n", [Reply(250, ("a",)), Reply(354, ("b",))]),
        (b"571 odd, but meant\r\n", [Reply(571, ("odd, but meant",))]),
        ("250 grüße\r\n".encode(), [Reply(250, ("grüße",))]),
        (b"250 \xff\r\n", [Reply(250, ("\ufffd",))]),
        (b"250 \x1b[31mred\x00\tend \x7f\r\n", [Reply(250, ("?[31mred? end ?",))]),
        ("250 \u202eevil\u2028line\r\n".encode(), [Reply(250, ("?evil?line",))]),
    ],
)
@pytest.mark.parametrize("cut", [0, 1, 2, 7])
def test_legal_replies(data: bytes, expected: list[Reply], cut: int):
    assert read(data, cut) == expected


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"hello\r\n", "hello"),
        (b"\r\n", ""),
        (b"\n", ""),
        (b"25\r\n", "25"),
        (b"2x0 ok\r\n", "2x0 ok"),
        (b"250ok\r\n", "250ok"),
        (b"250\tok\r\n", "250 ok"),
        (b" 250 ok\r\n", "250 ok"),
        *[(b"%d x\r\n" % code, f"{code} x") for code in (0, 99, 100, 199, 600, 850, 999)],
        (b"250-a\r\nb\r\n", "b"),
        (b"250-\r\n\r\n", ""),
        ("２５０ ok\r\n".encode(), "２５０ ok"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1])
def test_what_is_no_reply(data: bytes, line: str, cut: int):
    assert read(data, cut) == [f"not an SMTP reply: {line!r}"]


@pytest.mark.parametrize(("data", "other"), [(b"250-a\r\n251 b\r\n", 251), (b"250-a\r\n550-b\r\n", 550)])
@pytest.mark.parametrize("cut", [0, 1])
def test_the_lines_of_one_reply_have_one_code(data: bytes, other: int, cut: int):
    assert read(data, cut) == [f"the lines of one reply have different codes (250, {other})"]


@pytest.mark.parametrize("cut", [0, 1, 1000])
def test_a_line_may_be_as_long_as_the_cap_and_no_longer(cut: int):
    longest = b"250 " + b"x" * (LINE_LIMIT - 6) + b"\r\n"
    assert len(longest) == LINE_LIMIT
    assert read(longest, cut) == [Reply(250, ("x" * LINE_TEXT_LIMIT,))]
    assert read(b"250 ok\r\n2" + longest, cut) == [Reply(250, ("ok",)), "a reply line is longer than 4096 bytes"]
    assert read(b"x" * LINE_LIMIT, cut) == ["a reply line is longer than 4096 bytes"]
    assert read(b"x" * (LINE_LIMIT - 1), cut) == []


def test_a_reply_has_a_cap_in_lines_and_in_bytes():
    assert len(read(b"250-x\r\n" * (LINES_LIMIT - 1) + b"250 x\r\n")) == 1
    assert read(b"250-x\r\n" * LINES_LIMIT + b"250 x\r\n") == ["a reply has more than 1000 lines"]
    long = b"250-" + b"x" * 2000 + b"\r\n"
    assert read(long * 33) == ["a reply is longer than 65536 bytes"]


def test_the_text_kept_is_capped():
    (reply,) = read((b"550-" + b"y" * 2000 + b"\r\n") * 20 + b"550 end\r\n")
    assert isinstance(reply, Reply)
    assert 0 < len("".join(reply.lines)) <= TEXT_LIMIT


def test_pending_and_opening_tell_what_is_not_used_yet():
    reader = ReplyReader()
    assert not reader.pending
    reader.feed(b"42")
    assert (reader.pending, reader.opening) == (True, b"42")
    reader.feed(b"1-a\r\n")
    assert reader.opening == b"421"
    assert reader.next() is None
    assert (reader.pending, reader.opening) == (True, b"421")
    reader.feed(b"421 b\r\n250")
    assert reader.next() == Reply(421, ("a", "b"))
    assert (reader.pending, reader.opening) == (True, b"250")
    reader.clear()
    assert (reader.pending, reader.opening) == (False, b"")


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"250-a\n", b"550 \x00\n", b"x", b"\r\n", b"421"])), st.integers(1, 9))
def test_cutting_changes_no_reply(pieces: list[bytes], cut: int):
    data = b"".join(pieces)
    assert read(data, cut) == read(data)


BYTES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"250 ok\r\n", b"250-a\r\n", b"250 b\n", b"421 x", b"\r", b"\n", b"25", b"-", b"\x00", b"\xff"]
        ),
        st.integers(200, 599).map(lambda code: b"%d-more\r\n%d done\r\n" % (code, code)),
        st.integers(1, 3).map(lambda times: b"250 " + b"y" * 2000 * times),
    ),
    max_size=12,
).map(b"".join)


@given(BYTES, st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_any_bytes_cut_anywhere(data: bytes, cuts: list[int]):
    """The same replies and the same error, none but `MalformedReply`, and never more kept than one line may have."""
    reader, told, at = ReplyReader(), [], 0
    try:
        for cut in itertools.cycle(cuts):
            if at >= len(data):
                break
            reader.feed(data[at : at + cut])
            at += cut
            while (reply := reader.next()) is not None:
                told.append(reply)
            assert len(reader._buffer) - reader._at < LINE_LIMIT
            assert reader._lines <= LINES_LIMIT
    except MalformedReply as error:
        told.append(str(error))
    assert told == read(data)
    for reply in told:
        assert isinstance(reply, str) or (200 <= reply.code <= 599 and sum(map(len, reply.lines)) <= TEXT_LIMIT)


@given(st.binary(max_size=300))
def test_any_text_is_one_printable_line(noise: bytes):
    (reply,) = read(b"250 " + noise.replace(b"\n", b"") + b"\n")
    assert isinstance(reply, Reply)
    assert reply.text.isprintable()
