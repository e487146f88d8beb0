from __future__ import annotations

import pytest

from bulkmail.control.by_status import rows_by_status
from bulkmail.control.campaign_models import RowsAnswer
from bulkmail.mail import RecipientRow, UnknownName
from bulkmail.spool import StatusRow


class Reader:
    """What a spool would say of one campaign."""

    def __init__(self, files=1, rows=(), rest=None):
        self.files, self.rows, self.rest, self.asked = files, rows, rest, []

    def campaign(self, name):
        return type("Row", (), {"id": 7}) if name == "spring" else None

    def input_files(self, _):
        return [(n, f"{n}.csv", ["email"]) for n in range(self.files)]

    def with_status(self, *asked):
        self.asked.append(asked)
        return list(self.rows), self.rest


def row(email, provider="", next_at=None, **changed):
    known = ["deferred", "greylisted", 450, "4.2.0", "4.2.0 later", "rcpt", "mx.a.example", "", "", "", 1, 1002.0]
    made = RecipientRow(3, 1, 7, email, *known, None, 0, "", "[]")
    return StatusRow(made._replace(**changed), provider, next_at)


def test_who_it_is_and_why():
    reader = Reader(files=2, rows=[row("ann@B.example", "google", 2000.0), row("nobody")], rest=3)
    found = rows_by_status(reader, "spring", "deferred", 12)
    RowsAnswer.model_validate(found)
    assert reader.asked == [(7, "deferred", 12, 100, "")]
    one, other = found["rows"]
    assert {name: one[name] for name in ("row", "email", "domain", "provider", "category", "smtp_code", "reply")} == {
        "row": "1.csv:7",
        "email": "ann@B.example",
        "domain": "b.example",
        "provider": "google",
        "category": "greylisted",
        "smtp_code": 450,
        "reply": "4.2.0 later",
    }
    assert one["next_attempt_at"] == "1970-01-01T00:33:20.000Z"
    assert (other["domain"], other["provider"]) == ("", "other")
    assert found["next"] == 3


def test_another_status_and_another_campaign():
    with pytest.raises(UnknownName, match="there is no status 'bounce'; the nearest is 'bounced'"):
        rows_by_status(Reader(), "spring", "bounce", None)
    assert rows_by_status(Reader(), "autumn", "bounced", None) is None


def test_a_hundred_rows_of_a_real_spool(waiting):
    seen, before = [], None
    for _ in range(3):
        found = rows_by_status(waiting, "spring", "pending", before)
        seen += [int(one["row"]) for one in found["rows"]]
        before = found["next"]
    assert (seen, before) == (list(range(250, 0, -1)), None)
