from __future__ import annotations

from bulkmail.content.elements import ENDS, HEAD, SKIPPED, TABULAR, VOID, Element
from bulkmail.content.hiding import SHOWN


def test_the_tables_agree():
    assert "table" not in ENDS
    assert not VOID & SKIPPED
    assert HEAD - VOID <= SKIPPED
    assert {"td", "th", "tr"} <= TABULAR


def test_elements_are_told_apart_by_identity():
    one, other = Element("p", SHOWN), Element("p", SHOWN)
    assert one in [other, one]
    assert one not in [other, other]
