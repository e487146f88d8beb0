from __future__ import annotations

from collections import Counter

import pytest

from bulkmail.preflight.values import Majority, ValueCheck, column_place, load_values, same_name

COLUMNS = ["email", "first_name", "city"]


def kinds(cells, defaults=None):
    check = ValueCheck(0, "", COLUMNS, [1, 2], defaults or {})
    return [(kind[0], kind[1], kind[2]) for kind in check.kinds(cells)]


def test_an_empty_value_that_is_printed():
    assert kinds(["a@b.example", " ", "Bath"]) == [("warning", "empty-value", "column `first_name`")]
    assert kinds(["a@b.example", "Ann"]) == [("warning", "empty-value", "column `city`")]
    assert kinds(["a@b.example", "", "Bath"], {"first_name": "there"}) == [
        ("note", "default-printed", "column `first_name`")
    ]


@pytest.mark.parametrize("value", ["#N/A", "#REF!", "NULL", "null", "nan", "n/a", "-", "undefined", "(blank)"])
def test_remains_of_a_spreadsheet(value):
    assert kinds(["a@b.example", value, "Bath"]) == [("warning", "odd-value", "column `first_name`")]


def test_ordinary_values():
    assert kinds(["a@b.example", "Ann-Marie", "Nullarbor"]) == []
    assert kinds(["a@b.example", "Nan Goldin", "N. A."]) == []


def test_only_names_are_counted():
    check = ValueCheck(3, "", ["email", "First Name", "city", "Nachname"], [1, 2, 3], {})
    counts = {}
    for name in ("Ann", "Ann", ""):
        check.count_names(["x", name, "Bath", "Li"], counts)
    assert counts == {(3, 1): Counter(Ann=2), (3, 3): Counter(Li=3)}


def test_the_majority_is_found_among_any_number_of_values():
    majority = Majority()
    for n in range(3000):
        majority.add({"Ann": 11, f"other {n}": 5, f"more {n}": 5})
    assert majority.of(3000 * 21) == "Ann"
    assert majority.of(3000 * 23) is None


def test_in_few_rows_there_is_no_majority():
    majority = Majority()
    majority.add({"Ann": 9})
    assert majority.of(9) is None
    majority.add({"Bob": 1})
    assert majority.of(10) == "Ann"


def test_places_name_the_file_where_there_are_several():
    assert column_place("", "city") == "column `city`"
    assert column_place("b.csv", "city") == "b.csv: column `city`"
    assert "Ann" in same_name("column `name`", "Ann", 100)[3]


def test_a_default_may_be_spelt_as_the_variable():
    content = {"columns": [["email", "First Name"]], "defaults": {"first_name": "there"}}
    (check,) = load_values({"content": content, "files": [""], "printed": [[1]]})
    assert [kind[1] for kind in check.kinds(["a@b.example", ""])] == ["default-printed"]
