from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulkmail.delivery.lifecycle import checker as module
from bulkmail.delivery.lifecycle.checker import Checker
from bulkmail.delivery.lifecycle.of_operator import OfOperator
from bulkmail.settings import Settings

CAMPAIGN = """\
name: spring
from: news@me.example
subject: Hello
template: {text: body.txt.j2}
recipients: recipients.csv
"""


def test_the_worker_says_that_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "prepare", endless)
    answer = Checker().handle(("check", "/c", OfOperator.plain(Settings())))
    assert answer == ("refused", [("/c", 0, 0, "its check needs more memory than a campaign's may take (1 GB)")])


QUERY = "SELECT 'ann@a.example' AS email, 'Ann' AS first_name"


def test_a_check_asks_no_database_and_says_that_one_is_to_be_asked_first(tmp_path: Path, pg_server: Any) -> None:
    asked = CAMPAIGN.replace("recipients.csv", "{postgresql: crm, query: people.sql}")
    files = {"campaign.yaml": asked, "body.txt.j2": "Hello {{ first_name }}\n", "people.sql": QUERY}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    plain = OfOperator.plain(Settings(databases={"crm": pg_server.fresh()}))
    answers = [Checker().handle((verb, str(tmp_path), plain))[0] for verb in ("check", "ask", "check")]
    assert answers == ["to-be-asked", "asked", "checked"]
