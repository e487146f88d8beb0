from __future__ import annotations

import pytest

from bulkmail.campaign.cells import UnreadableError
from bulkmail.campaign.sheet_xml import choose, local, parser


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
