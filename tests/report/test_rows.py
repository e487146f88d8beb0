from __future__ import annotations

from bulkmail.report.rows import file_prefixes


def test_one_file_needs_no_name_before_the_row_number():
    assert file_prefixes([("people.csv", ["email"])]) == [""]


def test_several_files_are_told_apart_by_name():
    assert file_prefixes([("a.csv", ["email"]), ("b.csv", ["email"])]) == ["a.csv:", "b.csv:"]
