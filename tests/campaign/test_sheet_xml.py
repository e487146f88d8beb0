from __future__ import annotations

import pytest

from bulkmail.campaign.cells import UnreadableError
from bulkmail.campaign.sheet_xml import Quick, choose, local, parser


def test_the_first_visible_sheet_or_the_wanted_one():
    sheets = [("A", False), ("B", True), ("b", True)]
    assert (choose(sheets, None), choose(sheets[:1], None)) == (1, 0)
    assert (choose(sheets, "b"), choose(sheets, " a "), choose(sheets, "B")) == (2, 0, 1)
    with pytest.raises(UnreadableError, match="has no sheet 'C'; it has A, B, b"):
        choose(sheets, "C")
    with pytest.raises(UnreadableError, match="has no sheet; save it"):
        choose([], None)


def test_a_document_type_is_refused():
    with pytest.raises(UnreadableError, match="document type"):
        parser().Parse(b"<!DOCTYPE a><a/>", True)


def test_a_name_without_its_prefix():
    assert (local("x:row"), local("row")) == ("row", "row")


HEAD = b'<?xml version="1.0" encoding="UTF-8"?><a><b>'


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (HEAD + b"<i>1</i><i>2</i></b></a>", ["<i>1</i><i>2</i>"]),
        (b"<a><b><i>1</i>\xff<i>2</i></b></a>", []),
        (b"<a><b><i>1</i><!-- <i>2</i> --></b></a>", []),
        (b"<a><b><i>1</i><i><![CDATA[</i>]]></i></b></a>", []),
        (HEAD.replace(b"UTF-8", b"latin1") + b"<i>1</i></b></a>", []),
        (b"<a><i>1</i></a>", []),
    ],
)
def test_what_is_known_by_sight_and_what_the_parser_is_given(text, known):
    for size in (len(text), 1):
        found = []
        quick = Quick(b"<b>", b"</i>", lambda some, found=found: found.append(some) or True)
        given = b"".join(quick.rest(text[at : at + size]) for at in range(0, len(text), size)) + quick.end()
        words = "".join(found)
        assert len(given) + len(words.encode()) == len(text)
        if size == len(text):
            assert (words, given) == ("".join(known), text.replace("".join(known).encode(), b""))


def test_what_is_not_known_goes_to_the_parser():
    quick = Quick(b"<b>", b"</i>", lambda text: "2" not in text)
    pieces = [quick.rest(piece) for piece in (b"<a><b><i>1</i>", b"<i>2</i>", b"<i>3</i></b>")]
    assert b"".join(pieces) + quick.end() == b"<a><b><i>2</i></b>"
