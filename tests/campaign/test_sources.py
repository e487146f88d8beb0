from __future__ import annotations

import gzip
import importlib

import pytest

from bulkmail.campaign import sources
from bulkmail.campaign.intake import Intake
from bulkmail.mail import Refused

TEXT = b"email,name\na@b.example,Ann\n" * 3


def zstandard():
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


@pytest.fixture
def written(tmp_path):
    def written(data, name="list.csv"):
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return written


def test_a_list_packed_with_gzip_is_read_as_what_it_holds(written, csv_of):
    assert csv_of(written(gzip.compress(TEXT), "list.csv.gz")).encode() == TEXT
    two = gzip.compress(TEXT) + gzip.compress(b"c@d.example,C\n")
    assert csv_of(written(two, "list.csv.gz")).encode() == TEXT + b"c@d.example,C\n"


def test_a_packed_list_in_another_encoding(written):
    packed = written(gzip.compress("email;Name\na@b.example;J\u00f6rg\n".encode("cp1252")), "l.csv.gz")
    intake = Intake([packed], encoding="windows-1252")
    assert "J\u00f6rg" in intake.next(5)[1][0][5]
    intake.close()
    wide = written(gzip.compress("email;Name\na@b.example;J\u00f6rg\n".encode("utf-16")), "w.csv.gz")
    intake = Intake([wide])
    assert "J\u00f6rg" in intake.next(5)[1][0][5]
    intake.close()


@pytest.mark.skipif(zstandard() is None, reason="this Python reads no Zstandard: backports.zstd is not installed")
def test_a_list_packed_with_zstandard(written, csv_of):
    assert csv_of(written(zstandard().compress(TEXT), "list.csv.zst")).encode() == TEXT
    assert csv_of(written(zstandard().compress(b'{"email": "a@b.example"}'), "l.jsonl.zst")) == "email\na@b.example\n"


def test_without_a_reader_of_zstandard_it_is_told_what_to_install(written, csv_of, monkeypatch):
    def none(name):
        raise ImportError(name)

    monkeypatch.setattr(sources, "import_module", none)
    with pytest.raises(Refused, match=r"install bulkmail\[zstd\], or pack it with gzip"):
        csv_of(written(b"\x28\xb5\x2f\xfdxxxx"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.4", "is a PDF document"),
        (b"BZh9", "unpack it, or pack it with gzip"),
        (b"\xef\xbb\xbf<html><table>", "is a page of HTML or XML"),
        (b'<?xml version="1.0"?><Workbook>', "is a page of HTML or XML"),
        (b'[\n {"email": "a@b.example"}]', "is one JSON array; write an object in each line"),
        (gzip.compress(b"PK\x03\x04"), "is packed, and holds no text; unpack it"),
        (gzip.compress(gzip.compress(TEXT)), "is packed, and holds no text; unpack it"),
        (gzip.compress(TEXT)[:-9], "cannot be unpacked"),
    ],
    ids=["pdf", "bzip2", "html", "xml", "json", "binary within", "packed twice", "cut off"],
)
def test_what_is_no_list_is_refused_with_what_to_do(written, csv_of, data, words):
    with pytest.raises(Refused) as refused:
        csv_of(written(data))
    assert words in str(refused.value)


def test_a_sheet_of_what_is_no_workbook_is_refused(written, csv_of):
    with pytest.raises(Refused, match="is no workbook, so it has no sheet 'A'; take `sheet` away"):
        csv_of(written(TEXT), "A")
