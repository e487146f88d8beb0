from __future__ import annotations

import json

from bulkmail import cli


def test_all_that_is_known_of_an_address(spool, capsys):
    assert cli.main(["find", "U1@a.example"]) == 0
    assert capsys.readouterr().out == "spring, row 1: delivered, attempts 1, at 1970-01-01T00:16:42.000Z\n"
    assert cli.main(["find", "u2@a.example", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["campaign"], found["row"], found["status"]) == ("spring", "2", "pending")


def test_an_address_that_no_campaign_has(spool, capsys):
    assert cli.main(["find", "nobody@a.example"]) == 1
    assert capsys.readouterr().out == "no campaign of the spool has nobody@a.example\n"
    assert cli.main(["find", "nobody"]) == 1
    assert "give the whole address, such as ann@example.com" in capsys.readouterr().out
    assert cli.main(["find", "nobody@a.example", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == []
