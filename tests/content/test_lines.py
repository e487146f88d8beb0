from __future__ import annotations

import pytest

from bulkmail.content.lines import Lines, Owed


@pytest.fixture
def lines():
    lines = Lines()
    lines.owe(Owed())
    return lines


def test_white_space_is_owed(lines):
    lines.words("a  b\n")
    lines.end(2)
    lines.end(1)
    lines.words(" c ")
    lines.words("\u200b")
    lines.words("d")
    assert str(lines) == "a b\n\nc\u200bd"


def test_pre_keeps_it(lines):
    lines.words(" a\n  {b\n", pre=True)
    assert str(lines) == " a\n  {{ '{' }}b\n"


@pytest.mark.parametrize(
    ("following", "text"), [("B", " B"), (".", "."), ("\u201d", "\u201d"), ("{{ x }}", " {{ x }}")]
)
def test_a_link_stands_apart_from_a_word(lines, following, text):
    lines.words("A")
    lines.link("https://a.example", 0)
    lines.write(following)
    assert str(lines) == f"A (https://a.example){text}"


@pytest.mark.parametrize(("said", "target"), [("up", "#top"), ("a@b.example", "mailto:a@b.example"), ("x", "x")])
def test_a_link_that_says_nothing_new(lines, said, target):
    lines.words(said)
    lines.link(target, 0)
    assert str(lines).strip() == said


def test_cells(lines):
    for text in ("A", "", "B"):
        owed = lines.enter_cell()
        lines.end(2)
        lines.words(text)
        lines.end(2)
        lines.leave_cell(len(lines) - 2 if text else len(lines), owed)
    lines.words("c")
    assert str(lines) == "\n\nA  B\n\nc"


def test_branches_begin_and_end_alike(lines):
    lines.words("a")
    lines.end(1)
    owed = lines.owed()
    lines.keep("{% if x %}")
    lines.words("b")
    lines.keep("")
    lines.join(owed, [(len(lines) - 1, 0)], complete=False)
    lines.keep("{% endif %}")
    lines.words("c")
    assert str(lines) == "a{% if x %}\nb{% else %}\n{% endif %}c"


def test_what_is_owed_can_be_owed_again(lines):
    lines.words("a ")
    owed = lines.owed()
    lines.owe(Owed(0, fresh=True))
    lines.end(2)
    lines.words(" x ")
    lines.owe(owed)
    lines.words("b")
    assert str(lines) == "ax b"


def test_statements_leave_one_line_end_owed(lines):
    lines.words("a")
    lines.end(2)
    lines.settle(loop=False, row=False)
    lines.keep("{% for x in y %}")
    lines.words("b")
    assert str(lines) == "a\n{% for x in y %}\nb"
