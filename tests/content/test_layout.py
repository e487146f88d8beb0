"""The layout of a text made from HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.layout import COLUMNS, INDENTED, QUOTED, begun, ended, laid_out, width, with_footnotes
from bulkmail.content.plaintext import fragment_text

LONG = "https://x.example/" + "a" * 80

MADE = [
    ("<ol start=5><li>five<li>six</ol>", "5. five\n6. six"),
    ("<ol><li>one<li value=7>seven<li>eight</ol>", "1. one\n7. seven\n8. eight"),
    ("<ol type=a><li>x<li>y</ol>", "a. x\nb. y"),
    ("<ol type=I start=4><li>x<li>y</ol>", "IV. x\nV. y"),
    ("<ol start=no type=disc><li>x</ol>", "1. x"),
    ("<ul><li>a<br>b<li>c</ul>", "- a\n  b\n- c"),
    ("<ul><li><p>a</p><p>b</p><li>c</ul>", "- a\n\n  b\n\n- c"),
    ("<ul><li>a<ol><li>b<br>c</ol></ul>", "- a\n  1. b\n     c"),
    ("x<blockquote>one</blockquote>y", "x\n\n> one\n\ny"),
    ("<blockquote><p>one<p>two</blockquote>", "> one\n>\n> two"),
    ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
    ("<blockquote><ul><li>a<br>b</ul></blockquote>", "> - a\n>   b"),
    (
        "<table><tr><th>Item<th>Price<tr><td>Tea, long<td>1<tr><td>\u8336<td>12<tr><td colspan=2>all</table>",
        "Item       Price\nTea, long  1\n\u8336         12\nall",
    ),
    ("<table><tr><td>Tea, long<td>1<tr><td>x<td>12</table>", "Tea, long  1\nx  12"),
]


@pytest.mark.parametrize(("html", "text"), MADE, ids=[str(at) for at in range(len(MADE))])
def test_the_text_of_html(html: str, text: str) -> None:
    assert fragment_text(html) == text


def test_a_mark_without_the_other_changes_nothing() -> None:
    assert laid_out(f"a{begun(QUOTED)}\nb\nc") == "a\nb\nc"
    assert laid_out(f"a\nb{ended(QUOTED)}\nc") == "a\nb\nc"
    crossed = f"a{begun(QUOTED)}\nb{begun(INDENTED, 2)}\nc{ended(QUOTED)}\nd{ended(INDENTED)}"
    assert laid_out(crossed) == "a\n> b\n> c\nd"
    assert laid_out("a\ufdd2b\ufdd3c") == "abc"


def test_a_table_that_is_wider_than_a_line_stays_as_it_is() -> None:
    rows = f"{begun(COLUMNS)}a  {'b' * 60}  c\n{'d' * 60}  e  f{ended(COLUMNS)}"
    assert laid_out(rows) == f"a  {'b' * 60}  c\n{'d' * 60}  e  f"


def test_the_width_of_characters() -> None:
    assert [width(text) for text in ("abc", "\u65e5\u672c", "e\u0301", "\uff21", "")] == [3, 4, 1, 2, 0]


def test_long_links_stand_at_the_end_once() -> None:
    text = f"See here ({LONG}) and there (https://x.example/), again ({LONG}).\n"
    assert with_footnotes(text) == f"See here [1] and there (https://x.example/), again [1].\n\n[1] {LONG}\n"
    assert with_footnotes(f"{LONG}\n") == f"{LONG}\n"


@given(
    st.lists(st.sampled_from(["a", "b c", "\n", "\n\n", "x  y", *map(begun, "qic"), *map(ended, "qic")]), max_size=14)
)
def test_each_word_stays_in_its_order(pieces: list[str]) -> None:
    text = laid_out("".join(pieces))
    words = "".join(piece for piece in pieces if not piece.startswith("\ufdd2"))
    assert text.replace(">", "").split() == words.split()
    assert "\ufdd2" not in text
    assert text.count("\n") == words.count("\n")
