from __future__ import annotations

import pytest

from bulkmail.campaign.cells import UnreadableError
from bulkmail.mail import Refused
from tests.campaign.conftest import ods


def table(rows: str, name: str = "One", more: str = "") -> str:
    return f'<table:table table:name="{name}" {more}>{rows}</table:table>'


def row(*cells: str, again: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{again}">{"".join(cells)}</table:table-row>'


def cell(*lines: str, more: str = "") -> str:
    return f"<table:table-cell {more}>{''.join(f'<text:p>{line}</text:p>' for line in lines)}</table:table-cell>"


def test_each_cell_is_the_text_that_it_shows(book, csv_of):
    rows = row(cell("email"), cell("price"), cell("pct")) + row(
        cell("a@b.example"),
        cell("12,50 \u20ac", more='office:value-type="currency" office:value="12.5"'),
        cell("12.50%", more='office:value="0.125"'),
        cell("two<text:s text:c='2'/>blanks<text:tab/>tab<text:line-break/>break", "second"),
        "<table:table-cell><office:annotation><text:p>a remark</text:p></office:annotation><text:p>seen</text:p>"
        "</table:table-cell>",
        "<table:table-cell office:value='7'/>",
    )
    text = csv_of(book(ods(table(rows)), "list.ods"))
    assert text == ('email,price,pct\na@b.example,"12,50 \u20ac",12.50%,"two  blanks\ttab\rbreak\rsecond",seen,7\n')


def test_what_is_repeated_and_what_is_empty(book, csv_of):
    rows = (
        row(cell("a"))
        + row(cell(more='table:number-columns-repeated="5"'), again=2)
        + row(cell(more='table:number-columns-repeated="2"'), cell("x", more='table:number-columns-repeated="2"'))
        + row(
            cell("y"),
            "<table:covered-table-cell><text:p>hidden</text:p></table:covered-table-cell>",
            cell("z"),
            again=2,
        )
        + row(cell(more='table:number-columns-repeated="16384"'), again=1048570)
    )
    assert csv_of(book(ods(table(rows)), "l.ods")) == "a\n\n\n,,x,x\ny,,z\ny,,z\n"


def test_the_sheet_is_the_first_visible_or_the_named_one(book, csv_of):
    style = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    tables = table(row(cell("1")), "Notes", 'table:style-name="h"') + table(row(cell("2"))) + table(row(cell("3")), "B")
    path = book(ods(tables, style), "l.ods")
    assert (csv_of(path), csv_of(path, "Notes"), csv_of(path, "b")) == ("2\n", "1\n", "3\n")
    with pytest.raises(Refused, match="has no sheet 'C'; it has Notes, One, B"):
        csv_of(path, "C")


def test_a_cell_is_bounded(book, csv_of):
    with pytest.raises(UnreadableError, match="has a cell of more than 1,048,576 characters"):
        csv_of(book(ods(table(row(cell("<text:s text:c='999999'/>" * 2)))), "l.ods"))


def test_a_table_within_a_cell_is_no_row(book, csv_of):
    inner = f"<table:table-cell>{table(row(cell('in')))}<text:p>out</text:p></table:table-cell>"
    assert csv_of(book(ods(table(row(inner)) + table(row(cell("2")), "Two")), "l.ods")) == "out\n"
