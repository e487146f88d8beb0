"""The order of the columns: the queries of the spool select it, and the files of the report are written from it."""

from __future__ import annotations

from bulkmail.mail import AttemptRow, RecipientRow


def test_the_orders_are_a_contract_between_spool_and_report():
    assert RecipientRow._fields == (
        "n", "file_no", "row_in_file", "email", "status", "category", "smtp_code", "enhanced", "reply", "stage",
        "mx_host", "mx_ip", "source_ip", "tls", "attempts", "first_attempt_at", "completed_at", "bytes", "note",
        "fields", "late_at", "unsubscribed_at", "complained_at", "tls_policy",
    )  # fmt: skip
    assert AttemptRow._fields == (
        "id", "n", "file_no", "row_in_file", "email", "at", "attempt", "result", "category", "smtp_code", "enhanced",
        "reply", "stage", "mx_host", "mx_ip", "source_ip", "tls", "duration_ms", "next_attempt_at",
    )  # fmt: skip


def test_who_complained_or_unsubscribed_wants_no_more():
    row = RecipientRow(
        1, 0, 1, "a@b.example", "delivered", "", 250, "", "", "dot", "", "", "", "", 1, 1.0, 2.0, 9, "", "[]"
    )
    assert not row.wants_no_more
    assert not row._replace(late_at=3.0).wants_no_more
    assert row._replace(unsubscribed_at=3.0).wants_no_more
    assert row._replace(complained_at=3.0).wants_no_more
