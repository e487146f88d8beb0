from __future__ import annotations

import json

from bulkmail.control.best import best
from bulkmail.control.campaign_models import BestAnswer

AT = "2026-12-02T03:31:00.000Z"


class Reader:
    """What a spool would say of one campaign whose folder is here."""

    def __init__(self, folder):
        self.folder = str(folder)

    def campaign(self, name):
        return type("Row", (), {"folder": self.folder}) if name == "spring" else None


def test_the_best_minute_and_hour_are_those_of_the_report(tmp_path):
    assert best(Reader(tmp_path), "autumn") is None
    assert best(Reader(tmp_path), "spring") == {"campaign": "spring", "minute": None, "hour": None}
    (tmp_path / "report").mkdir()
    told = {"campaign": "spring", "best_minute": {"at": AT, "accepted": 7}, "best_hour": {"at": AT, "accepted": 70}}
    (tmp_path / "report" / "summary.json").write_text(json.dumps(told))
    found = BestAnswer.model_validate(best(Reader(tmp_path), "spring"))
    assert (found.minute.accepted, found.hour.accepted, found.hour.at) == (7, 70, AT)
