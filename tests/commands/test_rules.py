from __future__ import annotations

import json

import pytest

from bulkmail import cli
from bulkmail.shaping import SHIPPED_RULES

HEADER = "at,row,email,attempt,result,category,smtp_code,enhanced_code,reply,stage,mx_host,mx_ip\n"
DEFERRED = "4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred"


@pytest.fixture
def report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        f"2026-12-01T10:{minute:02}:00.000Z,{minute},p{minute}@yahoo.com,1,{result},x,{code},,{text},mail,{host},192.0.2.1"
        for minute, result, code, text, host in [
            (0, "deferred", 421, DEFERRED, "mta5.am0.yahoodns.net"),
            (1, "delivered", 250, "ok", "mta5.am0.yahoodns.net"),
            (2, "deferred", 421, DEFERRED, "mta6.am0.yahoodns.net"),
            (3, "failed", 550, "5.1.1 no such user", "mx.own.example"),
            (4, "deferred", 451, "4.3.0 come again", "mx.own.example"),
        ]
    ]
    (tmp_path / "attempts.csv").write_text(HEADER + "\n".join(lines) + "\n")
    return tmp_path


def test_what_would_have_acted_and_when(report, capsys):
    assert cli.main(["rules", "try", "attempts.csv"]) == 0
    out = capsys.readouterr().out
    assert "2026-12-01T10:02:00Z  yahoo: rest 4h" in out
    assert "line 4: 421 4.7.0 [TSS05]" in out
    assert out.endswith("4 refusals; 2 matched a rule, which acted 1 time\n")


@pytest.mark.parametrize(("between", "acts"), [("deferred", 1), ("delivered", 0)])
def test_what_counts_in_a_row_begins_anew_behind_what_was_delivered(tmp_path, monkeypatch, capsys, between, acts):
    monkeypatch.chdir(tmp_path)
    said = "421,,4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred"
    results = ["deferred"] * 5 + [between] + ["deferred"] * 5
    lines = [
        f"2026-12-01T10:{n:02}:00.000Z,{n},p@yahoo.com,1,{result},x,"
        f"{said if result == 'deferred' else '250,,ok'},mail,mta5.am0.yahoodns.net,192.0.2.1"
        for n, result in enumerate(results)
    ]
    (tmp_path / "attempts.csv").write_text(HEADER + "\n".join(lines) + "\n")
    assert cli.main(["rules", "try", "attempts.csv", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["acted"]) == acts


def test_rules_of_the_settings_come_first(report, capsys):
    rules = "[{provider: yahoo, match: TSS05, do: {stop: campaign}}, {mx: own.example, match: again, do: {rest: 1h}}]"
    (report / "bulkmail.yaml").write_text(f"shaping: {{rules: {rules}}}\n")
    (report / "bulkmail.yaml").chmod(0o600)
    assert cli.main(["rules", "try", "attempts.csv", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["refusals"] == 4
    assert [(one["at"], one["do"], one["rule"]) for one in told["acted"]] == [
        ("2026-12-01T10:00:00Z", "stop campaign", "shaping.rules[0]"),
        ("2026-12-01T10:04:00Z", "rest 1h", "shaping.rules[1]"),
    ]
    assert cli.main(["rules", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told) == 2 + len(SHIPPED_RULES)
    assert (told[0]["rule"], told[0]["scope"]) == ("shaping.rules[0]", "yahoo")


def test_they_are_listed_in_words(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["rules", "list"]) == 0
    out = capsys.readouterr().out
    assert "yahoo: [TS02] 3 times in 1h: rate 1/m,burst=1, for 30m" in out
    assert "google: our system has detected an unusual rate 5 times in a row in 1h: rest 1h" in out
    assert "everybody: temporarily rate limited due to ip reputation: " in out


def test_what_is_no_report_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["rules", "try", "."]) == 1
    assert "name a report's attempts.csv" in capsys.readouterr().err
