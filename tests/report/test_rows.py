from __future__ import annotations

from bulkmail.report import AttemptRow, RecipientRow
from bulkmail.report.rows import file_prefixes


def test_one_file_needs_no_name_before_the_row_number():
    assert file_prefixes([("people.csv", ["email"])]) == [""]


def test_several_files_are_told_apart_by_name():
    assert file_prefixes([("a.csv", ["email"]), ("b.csv", ["email"])]) == ["a.csv:", "b.csv:"]


def test_the_orders_are_a_contract_with_the_reader():
    assert RecipientRow._fields == (
        "n", "file_no", "row_in_file", "email", "status", "category", "smtp_code", "enhanced", "reply", "stage",
        "mx_host", "mx_ip", "source_ip", "tls", "attempts", "first_attempt_at", "completed_at", "bytes", "fields",
    )  # fmt: skip
    assert AttemptRow._fields == (
        "id", "n", "file_no", "row_in_file", "email", "at", "attempt", "result", "category", "smtp_code", "enhanced",
        "reply", "stage", "mx_host", "mx_ip", "source_ip", "tls", "duration_ms", "next_attempt_at",
    )  # fmt: skip
