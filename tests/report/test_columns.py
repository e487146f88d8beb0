from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import RECIPIENT_COLUMNS as OURS
from bulkmail.report.columns import InputColumns


def test_the_address_is_not_repeated():
    columns = InputColumns([("a.csv", ["first", "email", "city"])])
    assert columns.names == ("first", "city")
    assert columns.cells(0, ['["Anna","a@example.com","London"]']) == [["Anna", "London"]]


def test_only_the_address_gives_no_columns():
    columns = InputColumns([("a.csv", ["email"])])
    assert columns.names == ()
    assert columns.cells(0, ['["a@example.com"]', '["b@example.com"]']) == [[], []]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["email", "status", "name"], ("input_status", "name")),
        (["email", "status", "input_status"], ("input_status_2", "input_status")),
        (["input_status", "status", "email"], ("input_status", "input_status_2")),
        (["email", "email"], ("input_email",)),
        (["email", "city", "city", "city_2"], ("city", "city_3", "city_2")),
        (["email", "=cmd", "@x"], ("'=cmd", "'@x")),
        (["email", "=a", "'=a"], ("'=a", "''=a")),
        (["email", "", ""], ("", "_2")),
    ],
)
def test_every_column_has_a_name_of_its_own(given, shown):
    assert InputColumns([("a.csv", given)]).names == shown


def test_several_files_share_columns_by_name():
    columns = InputColumns([("a.csv", ["email", "first", "city"]), ("b.csv", ["city", "email", "plan"])])
    assert columns.names == ("first", "city", "plan")
    assert columns.cells(0, ['["e","Anna","London"]']) == [["Anna", "London", ""]]
    assert columns.cells(1, ['["Leeds","e","gold"]']) == [["", "Leeds", "gold"]]


def test_a_file_with_no_column_of_its_own_in_a_union():
    columns = InputColumns([("a.csv", ["email"]), ("b.csv", ["email", "plan"])])
    assert columns.cells(0, ['["e"]']) == [[""]]


def test_short_rows_are_filled_and_long_ones_cut():
    columns = InputColumns([("a.csv", ["email", "a", "b"])])
    assert columns.cells(0, ['["e"]', '["e","1","2","3"]', "[]"]) == [["", ""], ["1", "2"], ["", ""]]


@pytest.mark.parametrize("broken", ["", "{", "null", '{"a":1}', '["e","1"],["x","y"]', "1"])
def test_fields_that_are_no_array_are_an_empty_row(broken):
    columns = InputColumns([("a.csv", ["email", "a"])])
    assert columns.cells(0, ['["e","1"]', broken, '["e","2"]']) == [["1"], [""], ["2"]]


def test_values_that_would_run_are_guarded():
    columns = InputColumns([("a.csv", ["email", "a"])])
    assert columns.cells(0, [json.dumps(["e", "=HYPERLINK()"])]) == [["'=HYPERLINK()"]]


name = st.sampled_from(["email", "status", "input_status", "city", "input_city", "row", "input_row", "input_row_2", ""])


@given(st.lists(st.lists(name, max_size=6), min_size=1, max_size=3))
def test_names_are_unique_and_none_is_ours(files):
    names = InputColumns([(f"{n}.csv", columns) for n, columns in enumerate(files)]).names
    assert len(set(names)) == len(names)
    assert not set(names) & set(OURS)


@given(st.lists(st.lists(name, min_size=1, max_size=6, unique=True), min_size=1, max_size=3))
def test_every_cell_stands_under_its_name(files):
    columns = InputColumns([(f"{n}.csv", names) for n, names in enumerate(files)])
    for number, names in enumerate(files):
        (cells,) = columns.cells(number, [json.dumps([f"value of {name}" for name in names])])
        assert sorted(cell for cell in cells if cell) == sorted(f"value of {name}" for name in names if name != "email")
        assert len(cells) == len(columns.names)
