from __future__ import annotations

import json
from random import Random

import pytest

from bulkmail.mail import BulkmailError
from bulkmail.preflight.choosing import Wanted, choose

FILES = ("members.csv",)


def row(number, email, *cells, verdict="ok", file=0, file_row=None):
    domain = email.partition("@")[2]
    return (number, file, file_row or number, email, domain, json.dumps([email, *cells]), verdict, "")


ROWS = [
    row(1, "bad", "x", verdict="invalid"),
    row(2, "ann@example.com", "Ann", "Leeds"),
    row(3, "b@example.com", "Bartholomew", "Newcastle upon Tyne"),
    row(4, "caroline@example.com", "", "  "),
    row(5, "d@example.com", "D", "E"),
    row(6, "long@example.com", "x" * 100, "", verdict="suppressed"),
]


def numbers(wanted, rows=ROWS, files=FILES):
    return [(one.row[0], one.why) for one in choose(rows, wanted, files, Random(1))]


def test_the_kinds_choose_among_what_can_be_sent():
    wanted = Wanted(kinds=("first", "longest", "shortest", "emptiest"))
    assert numbers(wanted) == [
        (2, "the first row"),
        (3, "the longest row"),
        (4, "the emptiest row"),
        (5, "the shortest row"),
    ]


def test_a_row_that_is_best_in_two_ways_is_shown_once():
    assert numbers(Wanted(kinds=("first", "longest", "shortest")), ROWS[1:2]) == [
        (2, "the first row, the longest row, the shortest row")
    ]


def test_any_row():
    found = {numbers_of for seed in range(40) for numbers_of in _random(seed)}
    assert found == {2, 3, 4, 5}


def _random(seed):
    return [one.row[0] for one in choose(ROWS, Wanted(kinds=("random",)), FILES, Random(seed))]


def test_a_row_that_is_named_is_given_whatever_its_verdict():
    assert numbers(Wanted(rows=("6", "1"))) == [(1, "row 1"), (6, "row 6")]


def test_an_address_is_found_however_it_is_written():
    assert numbers(Wanted(emails=(" ANN@Example.COM",))) == [(2, " ANN@Example.COM")]


def test_the_reading_ends_when_all_is_found():
    def rows():
        yield from ROWS[:2]
        raise AssertionError("read further")

    assert numbers(Wanted(rows=("1",), emails=("ann@example.com",), kinds=("first",)), rows()) == [
        (1, "row 1"),
        (2, "ann@example.com, the first row"),
    ]


def test_a_row_of_one_of_several_lists():
    rows = [row(1, "a@example.com"), row(2, "b@example.com", file=1, file_row=1)]
    files = ("one.csv", "two.csv")
    assert numbers(Wanted(rows=("two.csv:1",)), rows, files) == [(2, "row two.csv:1")]
    with pytest.raises(BulkmailError, match=r"'three\.csv' is not a list of this campaign; it has one\.csv, two\.csv"):
        numbers(Wanted(rows=("three.csv:1",)), rows, files)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(rows=("7",)), r"there is no row 7; members\.csv has fewer rows"),
        (Wanted(rows=("0",)), "'0' is not a row; give its number"),
        (Wanted(rows=("two",)), "'two' is not a row"),
        (Wanted(emails=("zoe@example.com",)), r"zoe@example\.com is not in members\.csv"),
        (Wanted(emails=("zoe",)), "has no @"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled(wanted, words):
    with pytest.raises(BulkmailError, match=words):
        numbers(wanted)
