from __future__ import annotations

from bulkmail.preflight.findings import Severity
from bulkmail.preflight.kinds import Kinds, error, note, warning


def test_rows_are_counted_by_kind_and_the_first_are_kept_in_order():
    kinds = Kinds()
    kinds.add(error("e", "a.j2:1", "no number"), [70, 80])
    kinds.add(error("e", "a.j2:1", "no number"), range(1, 65))
    kinds.add(note("n", "email", "told"), [])
    first, second = kinds.findings(1000, 0)
    assert (first.severity, first.code, first.count) == (Severity.ERROR, "e", 66)
    assert first.rows == tuple(range(1, 11))
    assert (second.severity, second.count, second.rows) == (Severity.NOTE, 0, ())


def test_kinds_that_differ_in_quoted_values_are_one():
    kinds = Kinds()
    for row, value in enumerate(("x", "y", "z"), 1):
        kinds.add(warning("bad", "list", f"'{value}' is no number"), [row])
    (found,) = kinds.findings(10, 0)
    assert (found.message, found.rows, found.count) == ("'x' is no number", (1, 2, 3), 3)


def test_what_is_true_of_every_row_names_none():
    kinds = Kinds()
    kinds.add(warning("w", "html", "it is so"), [1, 2, 3])
    kinds.add(warning("w", "list", "it is so"), [1, 2, 3])
    letter, rows = kinds.findings(3, 1)
    assert (letter.rows, letter.count) == ((), 2), "the second of an address is not mailed"
    assert (rows.rows, rows.count) == ((1, 2, 3), 3)


def test_memory_is_bounded():
    kinds = Kinds()
    for row in range(100_000):
        kinds.add(error(f"code-{row % 5}", f"place {row}", "wrong"), [row])
    found = list(kinds.findings(0, 0))
    assert len(found) == 5 * 41
    assert sum(one.count for one in found) == 100_000
    assert all(len(one.rows) <= 10 for one in found)
