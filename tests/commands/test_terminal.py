from __future__ import annotations

import json

from bulkmail.commands import terminal


def test_results_go_to_stdout_and_notices_to_stderr(capsys):
    terminal.say("done")
    terminal.tell("look here")
    assert capsys.readouterr() == ("done\n", "look here\n")


def test_one_json_value(capsys):
    terminal.say_json({"rows": 3})
    assert json.loads(capsys.readouterr().out) == {"rows": 3}


def test_a_time_is_utc_to_the_precision_asked_for():
    assert terminal.utc(0.25) == "1970-01-01T00:00Z"
    assert terminal.utc(0.25, "milliseconds") == "1970-01-01T00:00:00.250Z"
