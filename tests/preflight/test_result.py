from __future__ import annotations

import json

from bulkmail.preflight import Finding, Preflight, Severity

FINDINGS = (
    Finding(Severity.ERROR, "e", "html", "wrong", "right", (1,), 1),
    Finding(Severity.WARNING, "w", "html", "odd"),
    Finding(Severity.NOTE, "n", "html", "told"),
)


def made(**changes):
    given = {
        "campaign": "spring",
        "sender": "Shop <news@example.com>",
        "signed_by": (),
        "subject": "Ann, spring",
        "rows": 2000,
        "mailed": 1998,
        "repeated": 2,
        "suppressed": 0,
        "unusable": 4,
        "unusable_rows": (79, 336, 1015, 1506),
        "not_composed": 0,
        "composed": 2000,
        "mistyped": 3,
        "mistyped_as": ("gmial.com",),
        "bytes": 24_000_000,
        "largest": 15_300,
        "largest_html": 9000,
        "domains": {},
        "seconds": 4.0,
        "findings": FINDINGS,
    }
    return Preflight(**{**given, **changes})


def test_findings_by_severity_and_the_rate():
    found = made()
    assert [[one.code for one in some] for some in (found.errors, found.warnings, found.notes)] == [["e"], ["w"], ["n"]]
    assert found.rate == 500.0
    assert made(seconds=0.0).rate == 0.0


def test_as_json():
    plain = json.loads(json.dumps(made().plain()))
    assert plain["ok"] is False
    assert plain["rows_per_second"] == 500.0
    assert plain["unusable_rows"] == [79, 336, 1015, 1506]
    assert plain["findings"][0] == {
        "severity": "error",
        "code": "e",
        "where": "html",
        "message": "wrong",
        "remedy": "right",
        "rows": [1],
        "count": 1,
    }
    assert made(findings=FINDINGS[1:]).plain()["ok"] is True
