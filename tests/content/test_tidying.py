from __future__ import annotations

import time

import pytest

from bulkmail.content.tidying import closing_mark, opening_mark, tidy_text, unmarked


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("\n\n\na\n\n\n\n\nb\n\n", "a\n\nb\n"),
        ("", "\n"),
        ("a \n  b  \n", "a\n  b\n"),
        ("a\n\u00a0\n\u200d\u200c \n\ufeff\n\u2007\nb", "a\n\nb\n"),
        ("\u00a0\na\u00a0b\n\u2060", "a\u00a0b\n"),
    ],
)
def test_empty_lines(text, tidy):
    assert tidy_text(text) == tidy


def part(number, style, text):
    return opening_mark(number, style) + text + closing_mark(number)


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        (f"a {part(1, 'display:none', 'b')}c", "a c\n"),
        (f"a {part(1, '', 'b')}c", "a bc\n"),
        (f"a {part(1, 'display:none', part(2, '', 'b') + 'x')}c", "a c\n"),
        (f"a {part(1, '', part(2, 'opacity:0', 'b') + 'x')}c", "a xc\n"),
        (f"a\n{part(1, 'display:none', 'b')}\nc", "a\nc\n"),
        (f"a{closing_mark(1)} b", "a b\n"),
        (f"a {opening_mark(1, 'display:none')}b{opening_mark(1, '')}c{closing_mark(1)}", "a c\n"),
        (f"a{opening_mark(1, 'display:none')} b", "a\n"),
    ],
)
def test_hidden_parts(text, tidy):
    assert tidy_text(text) == tidy
    assert "\ufdd2" not in unmarked(text)


@pytest.mark.parametrize("piece", [" ", "\n", " \n", "a ", "\n ", "\u00a0", opening_mark(1, "display:none"), "\ufdd2"])
def test_time_grows_with_the_length_alone(piece):
    begun = time.process_time()
    tidy_text(piece * 200_000)
    assert time.process_time() - begun < 5
