from __future__ import annotations

import contextlib
import zipfile
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.campaign import workbook
from bulkmail.campaign.cells import UnreadableError
from bulkmail.mail import Refused
from tests.campaign.conftest import ods, xlsx


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"xl/workbook.bin": ""}, "is a binary workbook (.xlsb); save it as .xlsx or .csv"),
        ({"Index/Document.iwa": ""}, "is an Apple Numbers document; save it as .xlsx or .csv"),
        ({"[Content_Types].xml": "", "word/document.xml": ""}, "a document that is no workbook"),
        ({"list.csv": "email"}, "is a ZIP archive"),
        ({}, "is a ZIP archive"),
    ],
)
def test_what_is_no_workbook_is_refused_with_what_to_do(book, csv_of, parts, words):
    with pytest.raises(Refused) as refused:
        csv_of(book(parts))
    assert words in str(refused.value)


def test_a_broken_archive_is_refused(book, csv_of, tmp_path):
    path = book(xlsx("<row><c><v>1</v></c></row>" * 1000))
    whole = (tmp_path / "list.xlsx").read_bytes()
    (tmp_path / "list.xlsx").write_bytes(whole[:-50])
    with pytest.raises(Refused, match="is a broken workbook or archive"):
        csv_of(path)
    with zipfile.ZipFile(tmp_path / "list.xlsx", "w") as archive:
        for part, text in xlsx("<row><c><v>1</v></c></row>" * 1000).items():
            archive.writestr(part, text)
    stored = bytearray((tmp_path / "list.xlsx").read_bytes())
    at = stored.index(b"<worksheet>")
    stored[at + 500] ^= 1
    (tmp_path / "list.xlsx").write_bytes(stored)
    with pytest.raises(UnreadableError, match="is a broken workbook"):
        csv_of(path)


def test_what_unpacks_to_too_much_is_refused(book, csv_of, monkeypatch):
    monkeypatch.setattr(workbook, "_MOST_UNPACKED", 100)
    with pytest.raises(Refused, match="more than any list has"):
        csv_of(book(xlsx("<row/>" * 100)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_xml_says_it_is_read_or_refused(book, csv_of, data):
    words = st.text(max_size=6) | st.sampled_from(["\u00b2", "0", "A1", "s", "-1", "1e9", "99999999999", "_xD800_"])
    escaped = words.map(lambda text: escape("".join(c for c in text if c.isprintable()), {'"': "&quot;"}))
    cells = "".join(
        f'<c r="{data.draw(escaped)}" s="{data.draw(escaped)}" t="{kind}"><v>{data.draw(escaped)}</v></c>'
        for kind in data.draw(st.lists(st.sampled_from(["n", "s", "b", "d", "e", "str", "x"]), max_size=3))
    )
    parts = xlsx(f'<row r="{data.draw(escaped)}">{cells}</row>', shared=["a"], codes=[data.draw(escaped)])
    with contextlib.suppress(Refused, UnreadableError):
        csv_of(book(parts))
    again = f'table:number-columns-repeated="{data.draw(escaped)}"'
    cell = f"<table:table-cell {again}><text:p>x</text:p></table:table-cell>"
    row = f'<table:table-row table:number-rows-repeated="{data.draw(escaped)}">{cell}</table:table-row>'
    with contextlib.suppress(Refused, UnreadableError):
        csv_of(book(ods(f'<table:table table:name="a">{row}</table:table>')))
