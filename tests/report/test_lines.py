from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.lines import lines

cell = st.text(st.characters(exclude_categories=["Cs"])) | st.text(',"\r\n ;\t', max_size=5)


@given(st.lists(st.lists(cell, min_size=2, max_size=5), max_size=5))
def test_the_short_way_writes_what_csv_writer_would(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    assert lines(rows) == out.getvalue().encode()


@given(st.lists(st.lists(cell, min_size=1, max_size=5), max_size=5))
def test_what_is_written_reads_back(rows):
    assert list(csv.reader(io.StringIO(lines(rows).decode(), newline=""), strict=True)) == rows


@pytest.mark.parametrize("row", [[""], ["a", 'say "hi"'], ["a\nb", "c"], ["a,b"]])
def test_rows_that_need_quotes(row):
    assert next(csv.reader(io.StringIO(lines([row]).decode(), newline=""), strict=True)) == row


def test_a_lone_surrogate_is_a_question_mark():
    assert lines([["a\ud800", "b"]]) == b"a?,b\r\n"
