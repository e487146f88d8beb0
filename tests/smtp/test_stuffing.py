from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.smtp.stuffing import END, check_lines, stuff
from tests.modelserver import unstuff

messages = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"\r\n.", b"x", b"\r\n.\r\n"])).map(
    lambda parts: b"".join(parts) + b"\r\n"
)


@given(messages)
def test_unstuffing_undoes_stuffing(message: bytes):
    assert unstuff(stuff(message)) == message


@given(messages)
def test_no_line_is_a_lone_dot_before_the_end(message: bytes):
    lines = (stuff(message) + END).split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]


@given(messages)
def test_complete_lines_are_taken(message: bytes):
    check_lines(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"x",
        b"x\r",
        b"x\n",
        b"\r\r\n",
        b"\r\n\n",
        b"\n\r",
        b"a\rb\r\n",
        b"a\nb\r\n",
        b"a\r\nb",
        b"a\r\n\r",
        b"\n\r\n",
    ],
)
def test_bare_ends_and_open_ends_are_refused(message: bytes):
    with pytest.raises(ValueError, match="CRLF"):
        check_lines(message)


@given(st.binary(max_size=12, min_size=1))
def test_the_check_agrees_with_its_definition(message: bytes):
    legal = message.endswith(b"\r\n") and message.replace(b"\r\n", b"").translate(None, b"\r\n") == message.replace(
        b"\r\n", b""
    )
    try:
        check_lines(message)
    except ValueError:
        assert not legal
    else:
        assert legal


def test_separators_that_only_text_knows_are_not_line_ends():
    check_lines("a\x0b\x0c\x1c\x85\u2028b\r\n".encode())
