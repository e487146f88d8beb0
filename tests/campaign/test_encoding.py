from __future__ import annotations

import hashlib
import os

import pytest

from bulkmail.campaign.encoding import CHARSETS, charset, encoding_of, fingerprint, open_bytes, refuse
from bulkmail.mail import Refused

TEXT = "email,name\na@b.de,J\u00f6rg\n"


@pytest.fixture
def written(tmp_path):
    def write(data):
        path = tmp_path / "list.csv"
        path.write_bytes(data)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("data", "configured", "expected"),
    [
        (TEXT.encode(), None, "utf-8"),
        (TEXT.encode("utf-8-sig"), None, "utf-8"),
        (b"", None, "utf-8"),
        (TEXT.encode(), "windows-1252", "utf-8"),  # strict UTF-8 comes before what was configured
        (TEXT.encode("utf-8-sig") + b"\xff", "latin-1", "utf-8"),  # and a mark before both
        (TEXT.encode("cp1252"), "Windows-1252", "cp1252"),
        (b"a" * 200_000 + b"\xf6", "latin-1", "iso8859-1"),
        (b"a" * 65_535 + "\u00f6".encode(), "latin-1", "utf-8"),
        (TEXT.encode("cp1252"), None, "utf-8"),  # told row by row
        (TEXT.encode("cp1252"), "utf-8-sig", "utf-8"),
        (TEXT.encode("utf-16"), "utf-16", "utf-16"),
        (TEXT.encode("utf-16-be"), "UTF-16BE", "utf-16-be"),
        (TEXT.encode("utf-16"), "utf-16-be", "utf-16"),  # a mark before what was configured
        (TEXT.encode("utf-32"), "utf-16", "utf-32"),
        (TEXT.encode("utf-8-sig"), "utf-16", "utf-8"),  # the operator's suppress list beside a list in UTF-16
        (TEXT.encode(), "utf-16", "utf-8"),
        (b"", "utf-16", "utf-8"),
        (TEXT.encode("utf-16"), None, "utf-16"),
        (TEXT.encode("utf-16"), "windows-1252", "utf-16"),
        (TEXT.encode("utf-32"), None, "utf-32"),
    ],
)
def test_the_mark_then_utf8_then_what_was_configured(written, data, configured, expected):
    assert encoding_of(written(data), configured) == expected


@pytest.mark.parametrize(
    ("data", "configured", "words"),
    [
        (TEXT.encode("utf-16-le"), None, "NUL bytes"),
        (b"PK\x03\x04rest", None, "is a broken workbook or archive"),
        (b"\x1f\x8brest", None, "cannot be unpacked"),
        (TEXT.encode(), "no-such", "is not a character encoding for lists"),
        (TEXT.encode(), "rot13", "is not a character encoding for lists"),
        (TEXT.encode(), "utf-7", "is not a character encoding for lists"),
        (TEXT.encode(), "cp500", "is not a character encoding for lists"),
        (TEXT.encode(), "unicode_escape", "is not a character encoding for lists"),
        (TEXT.encode(), "raw_unicode_escape", "is not a character encoding for lists"),
        (TEXT.encode(), "idna", "is not a character encoding for lists"),
        (TEXT.encode(), "iso2022_jp", "is not a character encoding for lists"),
        (TEXT.encode(), "x\0\ud800", "is not a character encoding for lists"),
        (TEXT.encode("utf-16-le"), "utf-16", "list.csv:1:1: has no byte order mark, .* write `encoding: utf-16-le`"),
        (TEXT.encode("utf-32-be"), "utf-32", "has no byte order mark"),
        (TEXT.encode("cp1252"), "utf-16", "is not written in UTF-16"),
        (TEXT.encode(), "undefined", "is not a character encoding for lists"),
    ],
)
def test_refusals_name_the_remedy(written, data, configured, words):
    with pytest.raises(Refused, match=words):
        encoding_of(written(data), configured)


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path):
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    for path, words in (
        (pipe, "not a regular file"),
        (str(tmp_path), "folder, not a file"),
        (str(tmp_path / "none"), "does not exist"),
    ):
        with pytest.raises(Refused, match=words):
            open_bytes(path, "utf-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_wide_characters_come_as_utf8_however_they_are_cut(written, encoding, size):
    text = TEXT + "\U0001f600\u4e2d"
    file = open_bytes(written(text.encode(encoding)), encoding)
    parts = []
    while part := file.read(size):
        parts.append(part)
    file.close()
    assert b"".join(parts).decode().removeprefix("\ufeff") == text


def test_half_a_wide_character_is_no_utf8(written):
    file = open_bytes(written("ab".encode("utf-16-le") + b"x"), "utf-16-le")
    assert file.read(100) + file.read(100) == b"ab\xff"
    assert file.read(100) == b""
    file.close()


def test_the_fingerprint_is_of_the_beginning_and_tells_what_follows(written):
    path = written(b"abcdef")
    assert fingerprint(path, "utf-8", 4) == (hashlib.sha256(b"abcd").hexdigest(), b"ef")
    assert fingerprint(path, "utf-8", 6) == (hashlib.sha256(b"abcdef").hexdigest(), b"")
    assert fingerprint(path, "utf-8", 9)[0] == hashlib.sha256(b"abcdef").hexdigest()
    big = written(bytes(3 << 20))
    assert fingerprint(big, "utf-8", (2 << 20) - 1) == (hashlib.sha256(bytes((2 << 20) - 1)).hexdigest(), b"\0\0")


def test_a_refusal_has_its_place():
    (problem,) = refuse("x.csv", "is wrong", 3, 4).problems
    assert str(problem) == "x.csv:3:4: is wrong"


@pytest.mark.parametrize("name", sorted(CHARSETS))
def test_every_character_set_is_one_that_lists_can_be_read_in(name):
    assert charset(name) == charset(name.upper()) == name
    if not name.startswith(("utf-16", "utf-32")):
        assert bytes(range(32, 127)).decode(name) == bytes(range(32, 127)).decode("ascii")
        for control in b"\0\t\n\r\x1b\x7f":
            assert bytes([control]).decode(name) == chr(control)


def test_a_missing_byte_order_mark_ends_in_bytes_that_are_no_utf8(written):
    file = open_bytes(written("ab".encode("utf-16-le")), "utf-16")
    assert file.read(100) == b"\xff"
    file.close()
