from __future__ import annotations

import zipfile
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign import sheet_xml
from bulkmail.campaign.cells import UnreadableError
from bulkmail.campaign.xlsx import xlsx_sheet
from bulkmail.campaign.xlsx_cells import Cells, Strings, column_letters, unescaped
from tests.campaign.conftest import xlsx

USUAL = [
    '<c r="A{0}" t="s"><v>0</v></c>',
    '<c r="B{0}" t="s"><v>2</v></c>',
    '<c r="C{0}" s="1"><v>17</v></c>',
    '<c r="D{0}"><v>0.125</v></c>',
    "<c><v>12</v></c>",
    "<c/>",
    '<c r="D{0}" s="1"/>',
    '<c r="E{0}" t="b"><v>1</v></c>',
    '<c r="F{0}" t="inlineStr"><is><t xml:space="preserve"> a_x000D_b</t></is></c>',
    '<c r="AB{0}" t="str"><v>word</v></c>',
    '<c r="A{0}" t="inlineStr"><is><t>A &amp;lt; &quot;B&quot;</t></is></c>',
    '<c r="C{0}" t="n" />',
]
OTHER = [
    '<c s="1" r="C{0}"><v>18</v></c>',
    '<c r="B{0}"><f>1+1</f><v>2</v></c>',
    '<c r="C{0}"><f>1+1</f></c>',
    '<c r="A{0}" t="str"><v>A &amp; B</v></c>',
    '<c r="A{0}" t="inlineStr"><is><t>&#65;&amp;B</t></is></c>',
    '<c r="A{0}" t="s"><v>1</v></c> ',
    '<c r="C{0}"><is><t>odd</t></is></c>',
    '<c r="C{0}" t="s"><v>9</v></c>',
]
SHARED = ["email", "<r><t>rich</t></r>", "A &lt; B", "x"]
ROW = st.tuples(
    st.sampled_from(["<row>", '<row r="{0}">', '<row r="{0}" x14ac:dyDescent="0.2">', '<row r="{0}" ht="a/b">']),
    st.lists(st.sampled_from(USUAL) | st.sampled_from(OTHER), max_size=5),
    st.integers(1, 3),
)


def sheet(tmp_path, rows, shared, before=""):
    path = tmp_path / "list.xlsx"
    parts = xlsx(rows, shared=shared, codes=["0.0"])
    for name in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"):
        parts[name] = before + parts[name]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    with zipfile.ZipFile(path) as archive:
        try:
            return list(xlsx_sheet(archive, None)[0])
        except UnreadableError as error:
            return str(error).partition("(")[0]


@given(st.lists(ROW, max_size=8), st.integers(20, 400))
def test_what_is_known_by_its_letters_is_what_the_parser_finds(tmp_path_factory, found, size):
    rows, number = "", 0
    for begin, cells, step in found:
        number += step if "{0}" in begin else 1
        rows += (begin + "".join(cells) + "</row>").format(number)
    folder = tmp_path_factory.mktemp("sheet")
    with patch.object(sheet_xml, "_CHUNK", size):
        quick = sheet(folder, rows, SHARED)
        whole = sheet(folder, rows, SHARED, "<!-- no letter is known behind this -->")
    assert quick == whole


def test_the_usual_rows_need_no_parser():
    strings = Strings()
    strings.add("email")
    cells = Cells([str], strings)
    text = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1"><v>5</v></c></row><row r="3"><c r="A3"><v>7</v></c></row>'
    assert cells.take(text)
    assert list(cells.taken()) == [["email", "", "5"], 1, ["7"]]
    for odd in (
        '<row r="3"></row>',
        '<row r="4"><c r="A4" t="s"><v>1</v></c></row>',
        '<row r="4"><c r="B4"><v>1</v></c><c r="A4"><v>1</v></c></row>',
        '<row r="4"><d/></row>',
        '<row r="4"/><row r="5"></row>',
    ):
        assert not cells.take(odd), odd
    assert list(cells.taken()) == []
    inline = '<row r="4"><c r="A4" t="inlineStr"><is><t>A &amp; B</t></is></c><c r="B4" t="inlineStr" /></row>'
    assert cells.take(inline), "as openpyxl writes them"
    assert list(cells.taken()) == [["A & B"]]


def test_the_letters_of_a_column():
    assert [column_letters(column) for column in (1, 26, 27, 28, 16384)] == ["A", "Z", "AA", "AB", "XFD"]


def test_what_xml_cannot_hold_is_undone():
    assert unescaped("a_x000D_b_x005F_x0041_c_xZZZZ_") == "a\rb_x0041_c_xZZZZ_"


def test_texts_lie_close_together():
    strings = Strings()
    for text in ("a", "", "\u00e9\u00e9", "z"):
        strings.add(text)
    assert [strings[at] for at in range(4)] == ["a", "", "\u00e9\u00e9", "z"]
    for at in (-1, 4):
        with pytest.raises(IndexError):
            strings[at]
