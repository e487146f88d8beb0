from __future__ import annotations

import pytest

from bulkmail.campaign.cells import UNREADABLE, UnreadableError
from bulkmail.campaign.encoding import open_bytes
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.rows import Rows
from bulkmail.mail import Refused
from tests.campaign.conftest import xlsx

HIDDEN = '<sheet name="Notes" sheetId="2" state="hidden" r:id="rId2"/><sheet name="One" sheetId="1" r:id="rId1"/>'
SECOND = {"xl/worksheets/sheet2.xml": "<worksheet><sheetData><row><c><v>2</v></c></row></sheetData></worksheet>"}


def test_all_kinds_of_cells(book, csv_of):
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>a, b</t><rPh><t>aloud</t></rPh></is></c><c r="C2" s="1"><v>123</v>'
        '</c><c r="D2" t="b"><v>1</v></c><c r="E2" t="b"><v>0</v></c><c r="F2" t="str"><f>A1</f><v>_x0041_</v></c>'
        '<c r="G2" t="e"><v>#N/A</v></c><c r="H2" t="d"><v>2026-01-05T00:00:00</v></c><c r="I2"><f>1+1</f><v></v></c>'
        "</row>"
    )
    shared = ["email", "<r><t>first</t></r><r><t xml:space='preserve'> name</t></r><rPh><t>x</t></rPh>"]
    text = csv_of(book(xlsx(rows, shared=shared, codes=["00000"])))
    assert text == 'email,first name\n"a, b",,00123,TRUE,FALSE,A,#N/A,2026-01-05\n'


def test_a_formula_without_a_stored_value_makes_a_bad_row_that_says_so(book):
    """As programs write them that do not calculate; an empty cell would be taken for an empty value."""
    rows = (
        "<row><c><v>1</v></c></row>"
        '<row r="2"><c r="A2"><v>2</v></c><c r="AB2"><f>A2*2</f></c><c><f>A2*3</f></c></row>'
        "<row><c><v>3</v></c></row>"
    )
    source = open_bytes(ListPath.of(book(xlsx(rows))), "utf-8")
    lines = b"".join(iter(lambda: source.read(100), b"")).split(b"\n")
    source.close()
    words = b"the formula in cell AB2 has no stored value, as in files that a program has made; open the workbook in a "
    assert lines[1].startswith(UNREADABLE + words)
    assert (lines[0], lines[2]) == (b"1", b"3")


def test_rows_keep_their_numbers_and_cells_their_columns(book, csv_of):
    rows = '<row r="3"><c r="B3"><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row><row r="7"><c/></row>'
    assert csv_of(book(xlsx(rows))) == "\n\n,1,2\n3\n\n\n\n"


def test_a_break_within_a_cell_does_not_count_as_a_line(book, csv_of):
    rows = '<row><c t="str"><v>two&#10;lines_x000D_&#10;three</v></c></row>'
    assert csv_of(book(xlsx(rows))) == '"two\rlines\rthree"\n'


def test_the_first_sheet_that_is_visible_or_the_named_one_is_read(book, csv_of):
    path = book(xlsx("<row><c><v>1</v></c></row>", sheets=HIDDEN, more=SECOND))
    assert csv_of(path) == "1\n"
    assert csv_of(path, "Notes") == csv_of(path, " notes") == "2\n"
    with pytest.raises(Refused, match="has no sheet 'Members'; it has Notes, One"):
        csv_of(path, "Members")
    told = r"name the column of the addresses `email`; its sheet 'One' was read, and it has 'Notes' too"
    lines = Lines(ListPath.of(path), "utf-8")
    with pytest.raises(Refused, match=told):
        Rows(lines)
    lines.close()


def test_days_from_1904(book, csv_of):
    parts = xlsx('<row><c s="1"><v>0</v></c></row>', codes=["yyyy"], properties='<workbookPr date1904="1"/>')
    assert csv_of(book(parts)) == "1904\n"


def test_prefixes_make_no_difference(book, csv_of):
    row = '<x:row r="2"><x:c r="A2"><x:v>5</x:v></x:c></x:row>'
    sheet = f'<x:worksheet xmlns:x="a"><x:sheetData>{row}</x:sheetData></x:worksheet>'
    assert csv_of(book(xlsx("", more={"xl/worksheets/sheet1.xml": sheet}))) == "\n5\n"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (xlsx('<row r="2"/><row r="1"/>'), "row 1 comes behind row 2"),
        (xlsx('<row r="9999999"/>'), "row 9999999 comes behind row 0"),
        (xlsx('<row><c r="1A"><v>1</v></c></row>'), "'1A' is no place of a cell"),
        (xlsx('<row><c r="XFE1"><v>1</v></c></row>'), "'XFE1' is no place of a cell"),
        (xlsx('<row><c t="s"><v>7</v></c></row>'), "it has no text '7'"),
        (xlsx("<row>" + "<c/>" * 16385 + "</row>"), "row 1 has too many cells"),
        (xlsx(f"<row><c><v>{'1' * 1048577}</v></c></row>"), "has a cell of more than 1,048,576 characters"),
        (xlsx("<row/>", shared=["x" * 1048577]), "has a cell of more than 1,048,576 characters"),
        (xlsx("<row>"), "xl/worksheets/sheet1.xml is no XML"),
        (xlsx("", sheets=""), "has no sheet"),
        (xlsx("", sheets=HIDDEN.replace("rId1", "rId9")), "has no cells in its sheet 'One'"),
        ({**xlsx(""), "xl/workbook.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}, "has a document type in its XML"),
        ({"[Content_Types].xml": ""}, "its part xl/workbook.xml is missing"),
    ],
)
def test_what_is_broken_is_refused(book, csv_of, parts, words):
    with pytest.raises((Refused, UnreadableError)) as refused:
        csv_of(book(parts))
    assert words in str(refused.value)
