from __future__ import annotations

import zipfile

import pytest

from bulkmail.campaign import workbook
from bulkmail.campaign.cells import UnreadableError
from bulkmail.mail import Refused
from tests.campaign.conftest import xlsx


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
