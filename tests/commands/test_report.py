from __future__ import annotations

import json
import sys

import pytest

from bulkmail import cli


@pytest.fixture
def sent(spool, monkeypatch):
    content = {"from": "Shop <news@example.com>", "envelope_from": None, "headers": {}}
    monkeypatch.setattr("bulkmail.spool.reading.Reading.content", lambda *_: content)
    return spool.parent


@pytest.mark.parametrize(("form", "begins"), [("csv", b"\xef\xbb\xbfrow,email,status"), ("pmta", b"type,timeLogged")])
def test_it_is_written_to_stdout(sent, capsysbinary, form, begins):
    assert cli.main(["report", "spring", "--format", form]) == 0
    assert capsysbinary.readouterr().out.startswith(begins)


def test_or_to_a_file_whole_or_not_at_all(sent, capsys):
    assert cli.main(["report", "spring", "--format", "jsonl", "--output", "out.jsonl"]) == 0
    rows = [json.loads(line) for line in (sent / "out.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["delivered", "pending", "pending"]
    assert not (sent / "out.jsonl.part").exists()
    assert cli.main(["report", "spring", "--output", "none/out.csv"]) == 1
    assert "none/out.csv cannot be written" in capsys.readouterr().err


def test_a_campaign_that_is_not_there_is_told(sent, capsys):
    assert cli.main(["report", "sprig"]) == 1
    assert "did you mean spring?" in capsys.readouterr().err


def test_parquet_is_refused_on_a_terminal_and_without_its_extra(sent, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(["report", "spring", "--format", "parquet"]) == 1
    assert "name a file with --output" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert cli.main(["report", "spring", "--format", "parquet", "--output", "out.parquet"]) == 1
    assert "pip install 'bulkmail[parquet]'" in capsys.readouterr().err
    assert not (sent / "out.parquet").exists()


def test_parquet_to_a_file(sent):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (the extra `parquet`)")
    assert cli.main(["report", "spring", "--format", "parquet", "--output", "out.parquet"]) == 0
    assert parquet.read_table(sent / "out.parquet")["status"].to_pylist() == ["delivered", "pending", "pending"]
