from __future__ import annotations

import csv
import io
import json

from bulkmail.mail import RECIPIENT_COLUMNS, RecipientRow, message_id, token
from bulkmail.report import csv_export, json_export

KEY = b"k" * 32
FILES = [("a.csv", ["email", "status", "plan"]), ("b.csv", ["email"])]


def row(n, file_no=0, cells=("u@a.example", "=1+1", "plus"), **more):
    given = {
        "status": "delivered", "category": "", "smtp_code": 250, "enhanced": "2.0.0", "reply": "Ok", "stage": "dot",
        "mx_host": "mx", "mx_ip": "192.0.2.1", "source_ip": "", "tls": "", "attempts": 1, "first_attempt_at": 1.5,
        "completed_at": 2.0, "bytes": 9, "note": "",
    } | more  # fmt: skip
    return RecipientRow(n, file_no, n, f"u{n}@a.example", **given, fields=json.dumps(list(cells)))


def test_as_csv_it_is_the_reports_file():
    parts = list(csv_export([[row(1)], [], [row(2, 1, ("x",))]], FILES, KEY, "x.example", "", None))
    assert len(parts) == 3, "a part for each batch: nothing is gathered"
    found = list(csv.DictReader(io.StringIO(b"".join(parts).decode("utf-8-sig"), newline="")))
    assert tuple(found[0]) == (*RECIPIENT_COLUMNS, "input_status", "plan")
    assert (found[0]["row"], found[0]["input_status"], found[1]["plan"]) == ("a.csv:1", "'=1+1", "")
    assert found[1]["message_id"] == message_id(KEY, 2, "x.example")


def test_as_json_it_has_the_same_and_the_cells_as_they_are():
    parts = list(
        json_export([[row(1), row(2, 1, ("x",), status="pending", smtp_code=None, reply="", note="why", late_at=3.0)]],
                    FILES, KEY, "x.example", "<same@x>", lambda one: f"v{one.n}")
    )  # fmt: skip
    first, second = (json.loads(line) for line in b"".join(parts).splitlines())
    assert tuple(first) == (*RECIPIENT_COLUMNS, "fields")
    assert first["fields"] == {"status": "=1+1", "plan": "plus"}
    assert (first["smtp_code"], first["attempts"], first["completed_at"]) == (250, 1, "1970-01-01T00:00:02.000Z")
    assert (first["message_id"], first["token"], first["variant"]) == ("<same@x>", token(KEY, 1), "v1")
    assert (second["row"], second["smtp_code"], second["reply"]) == ("b.csv:2", None, "why")
    assert second["late_at"] == "1970-01-01T00:00:03.000Z"
