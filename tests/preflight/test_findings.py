from __future__ import annotations

import pytest

from bulkmail.preflight import Finding, Severity


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (Finding(Severity.ERROR, "no-mx", "a.example", "takes no mail"), "a.example: takes no mail"),
        (
            Finding(Severity.WARNING, "empty", "column city", "is empty", "give a default", (2, 5), 1_200),
            "column city: is empty (1,200 rows: 2, 5, …); give a default",
        ),
        (Finding(Severity.NOTE, "role", "r.csv", "is a role address", rows=(7,), count=1),
         "r.csv: is a role address (1 row: 7)"),
    ],
)  # fmt: skip
def test_a_finding_is_one_line_for_a_person(finding, line):
    assert str(finding) == line
