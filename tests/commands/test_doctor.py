from __future__ import annotations

import json

import pytest

from bulkmail import cli
from bulkmail.commands import machine_checks


@pytest.fixture
def quiet(monkeypatch):
    """A machine of which nothing is to be told."""
    monkeypatch.setattr(machine_checks.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine_checks, "_clock_status", lambda: False)


def test_each_check_is_a_line_and_the_last_one_counts(place, quiet, capsys):
    assert cli.main(["doctor", "--no-dns", "--watch", "."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok       settings     the defaults; there is no bulkmail.yaml here"
    assert "ok       clock        is synchronised" in lines
    assert any(line.startswith("ok       watch        .; folders in it: 1") for line in lines)
    assert lines[-1].startswith("no errors, ")


def test_settings_that_are_wrong_are_an_error_and_the_rest_is_checked(place, quiet, capsys):
    (place / "bulkmail.yaml").write_text("hostnam: x\n")
    assert cli.main(["doctor", "--no-dns"]) == 1
    out = capsys.readouterr().out
    assert "error    settings " in out
    assert "did you mean `hostname`?" in out
    assert "clock" in out


def test_as_json_and_with_a_dead_name_server(place, quiet, capsys, name_server):
    server = name_server()
    server.dead = True
    (place / "bulkmail.yaml").write_text(f"dns: {{nameservers: ['{server.address}'], timeout: 300ms}}\n")
    assert cli.main(["doctor", "--json", "--no-connect", "--address", "192.0.2.1"]) == 1
    made = json.loads(capsys.readouterr().out)
    assert all(set(check) == {"name", "result", "message", "remedy"} for check in made)
    assert {check["name"]: check["result"] for check in made}["resolver"] == "error"
