from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.cells import UNREADABLE, line_of, unreadable

CELLS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;"\n\t '), max_size=8), max_size=5
)


@pytest.mark.parametrize(
    ("cells", "line"),
    [([], ""), (["a", "", ""], "a"), (["", "b"], ",b"), (["a,b", 'c"d'], '"a,b","c""d"'), (["a\r\nb\nc"], '"a\rb\rc"')],
)
def test_cells_become_one_line(cells, line):
    assert line_of(cells) == line


@given(CELLS)
def test_a_line_has_its_cells(cells):
    line = line_of(cells)
    assert "\n" not in line
    read = next(csv.reader([line], strict=True), [])
    assert [cell.replace("\r", "\n") for cell in read] == cells[: len(read)]
    assert not any(cells[len(read) :])


def test_what_could_not_be_read_is_one_line_too():
    assert unreadable("a\nb") == UNREADABLE + b"a b\n"
