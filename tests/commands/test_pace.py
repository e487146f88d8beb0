from __future__ import annotations

import json

import pytest

from bulkmail import cli
from bulkmail.commands import pace as module


def test_the_service_is_asked(place, monkeypatch, capsys):
    asked = []

    class FakeClient:
        def __init__(self, folder):
            assert folder == str(place / "spool")

        def post(self, *path, **order):
            asked.append((path, order))
            return {"of": order["of"], "done": "paced", "count": 1}

    monkeypatch.setattr(module, "Client", FakeClient)
    assert cli.main(["pace", "google", "5/s", "--for", "2h", "--by", "ann"]) == 0
    assert "google is sent to at 5/s at most for 2h" in capsys.readouterr().out
    assert cli.main(["pace", "mx.a.example", "1000/h", "--by", "ann", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == "paced"
    assert asked == [
        (("sites", "pace"), {"of": "google", "rate": "5/s", "for": "2h", "who": "ann"}),
        (("sites", "pace"), {"of": "mx.a.example", "rate": "1000/h", "for": "1h", "who": "ann"}),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["google", "5/s"], "so nothing is sent that could be slower"),
        (["google", "fast"], "'fast'"),
        (["google", "5/s", "--for", "ever"], "'ever'"),
    ],
)
def test_what_cannot_be_done_is_told(place, capsys, words, said):
    assert cli.main(["pace", *words]) == 1
    assert said in capsys.readouterr().err
