from __future__ import annotations

import csv
import io
import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import unguarded
from bulkmail.report.cells import LONGEST_REPLY, Times, guarded, one_line, reply_cells, time_cell

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize("first", [*SIGNS, "\t", "\r", "\n"])
def test_what_a_spreadsheet_would_run_is_prefixed(first):
    assert guarded([f"{first}1+1", "plain", ""]) == [f"'{first}1+1", "plain", ""]


def as_a_spreadsheet(cell, separator):
    """The cells that a reader with this separator makes of a line of ours in which ``cell`` is the second."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerow(["1", cell, "x"])
    return [one for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=separator) for one in row]


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize(
    "cell",
    [
        "5.1.1 no such user;=HYPERLINK(A1);x",
        "a\t=HYPERLINK(A1)\tb",
        'a;"=HYPERLINK(A1)";b',
        'a; "=A1&";b',
        "a;\n=A1",
        "a\n=A1",
        "a\r\n+A1",
        "a; -1+A1",
        "a;@A1;＝A1;＋A1;－A1;＠A1",
    ],
)
def test_no_formula_stands_in_a_cell_whatever_separates_the_cells(cell, separator):
    (written,) = guarded([cell])
    assert [one for one in as_a_spreadsheet(written, separator) if one.lstrip()[:1] in tuple(SIGNS)] == []


def test_a_guard_within_a_reply():
    assert reply_cells(["5.1.1 no such user;=HYPERLINK(A1);x", "plain; ok"]) == [
        "5.1.1 no such user;'=HYPERLINK(A1);x",
        "plain; ok",
    ]


@given(st.lists(st.text(st.sampled_from("ab;=+\t\n\r\"' ,\uff1d"))))
def test_no_guarded_cell_holds_a_formula_and_nothing_else_changes(cells):
    for before, after in zip(cells, guarded(cells), strict=True):
        assert not after.startswith((*SIGNS, "\t", "\r", "\n"))
        for part in re.split(r"[;\t\r\n]", after)[1:]:
            assert part.lstrip('" ')[:1] not in tuple(SIGNS)
        assert after.replace("'", "") == before.replace("'", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("5.1.1 no such user", "5.1.1 no such user"),
        ("two\r\nlines", "two lines"),
        ("\x1b[31mred\x07", "[31mred"),
        ("a\u2028b\u202ec\x85d\x00e", "a b c d e"),
        ("bad \udcff byte", "bad byte"),
        ("x" * 600, "x" * 512),
        ("ümlaut ok", "ümlaut ok"),
    ],
)
def test_a_reply_is_one_clean_line(text, line):
    assert one_line(text) == line


@given(st.lists(st.text(st.characters(codec=None), max_size=700), max_size=5))
def test_reply_cells_are_one_line_capped_and_guarded(replies):
    for cell in reply_cells(replies):
        assert len(cell) <= LONGEST_REPLY
        assert cell.isprintable()
        assert not cell.startswith(("=", "+", "-", "@"))


def test_the_guard_does_not_lengthen_a_reply_over_the_cap():
    assert reply_cells(["=" * 600]) == ["'" + "=" * 511]


@pytest.mark.parametrize(
    ("at", "cell"),
    [
        (1796115600.123, "2026-12-01T09:00:00.123Z"),
        (1796115599.9996, "2026-12-01T09:00:00.000Z"),
        (1796115600, "2026-12-01T09:00:00.000Z"),
        (None, ""),
        (0, ""),
        (0.0, ""),
        (float("nan"), ""),
        (float("inf"), ""),
        (1e300, ""),
        (-1e12, ""),
    ],
)
def test_times_are_utc_with_milliseconds(at, cell):
    assert time_cell(at) == cell


def test_one_impossible_time_does_not_spoil_the_column():
    assert Times().cells([1e300, 1796115600.5, None]) == ["", "2026-12-01T09:00:00.500Z", ""]


@given(st.lists(st.floats(1, 4e9), max_size=20))
def test_times_read_back_to_the_millisecond(times):
    for at, cell in zip(times, Times().cells(times), strict=True):
        assert abs(datetime.fromisoformat(cell).timestamp() - at) <= 0.000_51


def test_the_memory_of_seconds_is_bounded(monkeypatch):
    monkeypatch.setattr("bulkmail.report.cells._REMEMBERED", 10)
    times = Times()
    for start in range(1, 1000, 20):
        times.cells([float(start + n) for n in range(20)])
        assert len(times._seconds) <= 40


@given(st.lists(st.text(st.sampled_from("ab;=+\t\n\r\"' ,\uff1d"))))
def test_taking_away_one_apostrophe_where_one_was_put_gives_the_input(cells):
    within = re.compile(f"([;\t\r\n][\"\\s]*)'('*[{SIGNS.replace('-', '')}-])")
    assert [within.sub(r"\1\2", unguarded(cell)) for cell in guarded(cells)] == cells
