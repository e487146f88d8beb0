from __future__ import annotations

import json
from types import SimpleNamespace

from bulkmail.control.best import best, bests
from bulkmail.control.campaign_models import BestAnswer

AT = "2026-12-02T03:31:00.000Z"


class Reader:
    """What a spool would say of one campaign whose folder is here."""

    def __init__(self, folder):
        self.folder = str(folder)

    def campaign(self, name):
        return self.campaigns(None)[0] if name == "spring" else None

    def campaigns(self, ended):
        self.ended = ended
        return [SimpleNamespace(name=name, folder=self.folder) for name in ("spring", "summer")]


def test_the_best_minute_and_hour_are_those_of_the_report(tmp_path):
    assert best(Reader(tmp_path), "autumn") is None
    assert best(Reader(tmp_path), "spring") == {"campaign": "spring", "minute": None, "hour": None}
    (tmp_path / "report").mkdir()
    told = {"campaign": "spring", "best_minute": {"at": AT, "accepted": 7}, "best_hour": {"at": AT, "accepted": 70}}
    (tmp_path / "report" / "summary.json").write_text(json.dumps(told))
    found = BestAnswer.model_validate(best(Reader(tmp_path), "spring"))
    assert (found.minute.accepted, found.hour.accepted, found.hour.at) == (7, 70, AT)
    reader = Reader(tmp_path)
    nothing = {"campaign": "summer", "minute": None, "hour": None}
    found = bests(reader, 100)
    assert reader.ended == 100
    assert found == [best(reader, "spring"), nothing], "a summary of another campaign tells nothing"
