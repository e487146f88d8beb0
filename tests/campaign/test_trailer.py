from __future__ import annotations

import pytest

from bulkmail.campaign.header import Header
from bulkmail.campaign.trailer import left_out, trailer_at

HEADER = Header(",", ("email", "name", "city"), (1, 7, 12), {"address": 0})


def end_of(*texts, begin=0, bad=(), header=HEADER):
    return trailer_at(texts, begin, header, 0, lambda index: index in bad)


@pytest.mark.parametrize(
    ("texts", "at"),
    [
        (("a@x.de,Ann", "Confidential Information - Do Not Distribute"), 1),
        (("a@x.de,Ann", "Confidential Information - Do Not Distribute,,", "\r"), 1),
        (("a@x.de,Ann", "", "", "Acme", "Made by Ann"), 1),
        (("a@x.de,Ann", ",TOTAL"), 1),
        (("a@x.de,Ann", "ann", "Made by Ann"), 2),
        (("a@x.de,Ann", "ann"), 2),
        (("a@x.de,Ann", "ann", "bob", ""), 3),
        (("a@x.de,Ann", "Made by a@x.de"), 2),
        (("a@x.de,Ann", "Made by Ann,May"), 2),
        (("a@x.de,Ann", 'Made by "Ann'), 1),
        (("a@x.de,Ann", '"Made by Ann'), 2),
        (("a@x.de,Ann", "", ""), 1),
        ((), 0),
    ],
)
def test_where_the_rows_end(texts, at):
    assert end_of(*texts) == at


def test_a_line_that_cannot_be_read_is_a_row_and_what_was_taken_stays_taken():
    assert end_of("a@x.de", "one two", "three four", bad=[1]) == 2
    assert end_of("a@x.de", "one two", "three four", begin=2) == 2


def test_of_two_columns_one_may_be_empty():
    header = Header(",", ("email", "name"), (1, 7), {"address": 0})
    assert end_of("a@x.de,Ann", ",Bob", "Made by Ann", header=header) == 2
    assert end_of("a@x.de,Ann", "Made by Ann,", header=header) == 2


def test_it_is_told_with_its_line_and_its_first_words():
    problem = left_out("a.csv", 7, ["", '"Spring list"\r', "", "of May 2026"], HEADER)
    assert (problem.line, problem.message) == (
        8,
        "the last 2 lines are no recipients and left out, having one cell filled and no address (`Spring list`)",
    )
    assert left_out("a.csv", 7, ["of May"], HEADER).message.startswith("the last line is no recipient and left out")
