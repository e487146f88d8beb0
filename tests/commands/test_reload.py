from __future__ import annotations

import json

from bulkmail import cli
from bulkmail.commands import reload as module

ANSWER = {"live": ["retry.schedule"], "anew": [], "restart": [], "sentences": ["used from now on: retry.schedule"]}


def test_what_the_service_says_is_told(place, monkeypatch, capsys):
    asked = []

    class FakeClient:
        def __init__(self, folder):
            assert folder == str(place / "spool")

        def post(self, *path):
            asked.append(path)
            return ANSWER

    monkeypatch.setattr(module, "Client", FakeClient)
    assert cli.main(["reload"]) == 0
    assert capsys.readouterr().out == "used from now on: retry.schedule\n"
    assert cli.main(["reload", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ANSWER
    assert asked == [("reload",), ("reload",)]


def test_without_a_service_the_next_start_reads_them(place, capsys):
    assert cli.main(["reload"]) == 1
    assert "so the next start reads the settings" in capsys.readouterr().err


def test_a_mistake_is_told_before_the_service_is_asked(place, monkeypatch, capsys):
    (place / "bulkmail.yaml").write_text("retry:\n  schedule: soon\n")
    monkeypatch.setattr(module, "Client", None)
    assert cli.main(["reload"]) == 1
    assert "bulkmail.yaml:2:13: retry.schedule: " in capsys.readouterr().err
