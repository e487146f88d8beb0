from __future__ import annotations

import csv
import io

from bulkmail.report import SUPPRESSION_COLUMNS, write_suppressions


def test_each_is_a_line_and_nothing_of_it_runs():
    pages = [
        [
            ("ann@a.example", "everything", "listed", "=x", 1.5, 255),
            ("@b.example", "list:n", "complained", "a,b", 2.0, 1),
        ],
        [],
        [
            (None, "campaign:c", "unsubscribed", "", 3.0, 2**63 - 1),
            ("+p@a.example", "everything", "listed", "", 0.0, 0),
        ],
    ]
    written = bytearray()
    assert write_suppressions(written.extend, pages) == (4, 1)
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == SUPPRESSION_COLUMNS
    assert [row["email"] for row in rows] == ["ann@a.example", "", "", "'+p@a.example"]
    assert [row["domain"] for row in rows] == ["", "b.example", "", ""]
    assert [row["source"] for row in rows] == ["'=x", "a,b", "", ""]
    assert rows[0]["since"] == "1970-01-01T00:00:01.500Z"
    assert [row["hash"] for row in rows] == ["00000000000000ff", "0000000000000001", "7fffffffffffffff", "0" * 16]
