from __future__ import annotations

from bulkmail.preflight import Finding, Severity, report, summary, verdict
from tests.preflight.test_result import made


def test_the_summary_says_first_what_is_asked_first():
    lines = list(summary(made()))
    assert lines[0] == (
        "spring: 1,998 people of 2,000 rows will be mailed, 2 are repeated, "
        "4 rows cannot be used (rows 79, 336, 1,015, …), 3 addresses look mistyped (gmial.com)"
    )
    assert lines[1] == "  from:    Shop <news@example.com> (not signed)"
    assert lines[2] == "  subject: Ann, spring"
    assert lines[3] == "  size:    12.0 KB a message, the largest 15.3 KB"
    assert lines[4:] == [
        "  looked at in 4.0 s, 500 rows a second",
        "  rows are numbered without the column names: row 1 is the first below them",
    ]
    assert len(list(summary(made(unusable=0, unusable_rows=())))) == 5


def test_one_of_each():
    found = made(
        mailed=1,
        repeated=1,
        suppressed=1,
        unusable=1,
        unusable_rows=(7,),
        not_composed=1,
        rows=5,
        mistyped=1,
        signed_by=("example.com",),
    )
    lines = list(summary(found))
    assert lines[0] == (
        "spring: 1 person of 5 rows will be mailed, 1 is repeated, 1 is left out (suppressed), "
        "1 row cannot be used (row 7), 1 row gives no message, 1 address looks mistyped (gmial.com)"
    )
    assert lines[1].endswith("(signed by example.com)")
    assert next(iter(summary(made(rows=1998)))).startswith("spring: 1,998 people will be mailed, ")


def test_nothing_composed_has_neither_subject_nor_size():
    assert len(list(summary(made(composed=0)))) == 4


def test_a_long_subject_is_cut():
    assert list(summary(made(subject="s" * 300)))[2] == f"  subject: {'s' * 99}…"


def test_a_report_is_bounded():
    findings = [Finding(Severity.ERROR, "e", f"line {n}", "wrong") for n in range(50)]
    lines = list(report("Errors", findings))
    assert lines[:2] == ["Errors:", "  line 0: wrong"]
    assert lines[-1] == "  and 10 more; check.csv has them all"
    assert list(report("Errors", [])) == []


def test_the_verdict():
    assert verdict("spring", 0, 0) == "spring: nothing wrong was found"
    assert verdict("spring", 0, 1) == "spring: it can be sent; look at the warning first"
    assert verdict("spring", 0, 2) == "spring: it can be sent; look at the 2 warnings first"
    assert verdict("spring", 1, 2) == "spring: it cannot be sent as it is: 1 error"
    assert verdict("spring", 1, 0, 0) == "spring: it cannot be sent as it is: 1 error"
    assert verdict("spring", 0, 1, 0) == "spring: nobody would get it"
    assert verdict("spring", 0, 0, 1) == "spring: nothing wrong was found"
