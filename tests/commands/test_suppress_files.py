"""Whole lists into the spool and out of it."""

from __future__ import annotations

import json
import time

import pytest

from bulkmail import cli
from bulkmail.spool import Audience, Reader, list_scope


def suppressed(place):
    reader = Reader(str(place / "spool"))
    found = reader.suppressions()
    reader.close()
    return {(one.address, one.scope, str(one.reason)): one for one in found}


def run(capsys, *arguments, status=0):
    assert cli.main(["suppress", *arguments]) == status
    return capsys.readouterr().out


def test_imported_from_a_plain_list(spool, place, capsys):
    (place / "no.txt").write_text("# they left\nAnn@A.example\n*@b.example\nnot an address\n\nann@a.example\n")
    assert cli.main(["suppress", "import", "no.txt", "--list", "news", "--reason", "unsubscribed"]) == 1
    told = capsys.readouterr()
    assert told.out == "2 suppressions were added, 1 known already\n"
    assert f"{place}/no.txt:4:1: " in told.err
    assert "the line is left out" in told.err
    found = suppressed(place)
    assert set(found) == {(who, list_scope("news"), "unsubscribed") for who in ("ann@a.example", "@b.example")}
    assert {one.source for one in found.values()} == {"the list no.txt"}


def test_what_is_exported_is_taken_back(spool, place, capsys):
    run(capsys, "add", "ann@a.example", "b.example", "--reason", "complained", "--source", "=cmd()")
    run(capsys, "add", "+x@a.example", "--list", "news", "--reason", "unsubscribed")
    run(capsys, "add", "gone@a.example")
    run(capsys, "forget", "gone@a.example")
    before = suppressed(place)
    assert run(capsys, "export", "all.csv").splitlines() == [
        "all.csv has 4 suppressions",
        "1 of them only as a hash, which `import` cannot take; `bulkmail spool copy` takes them along",
    ]
    data = (place / "all.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfemail,domain,scope,reason,source,since,hash\r\n")
    assert b",'=cmd()," in data
    assert b"'+x@a.example," in data
    assert (place / "all.csv").stat().st_mode & 0o777 == 0o600
    run(capsys, "remove", "ann@a.example", "b.example", "+x@a.example")
    assert cli.main(["suppress", "import", "all.csv"]) == 1
    told = capsys.readouterr()
    assert told.out == "3 suppressions were added\n"
    assert told.err.startswith("1 entry has only the hash of an address, and cannot be taken: ")
    after = suppressed(place)
    assert set(after) == set(before)
    for key, one in after.items():
        assert one.at == pytest.approx(before[key].at, abs=0.001)
    assert json.loads(run(capsys, "import", "all.csv", "--json", status=1)) == {
        "entries": 3, "added": 0, "wrong": 0, "without_address": 1}  # fmt: skip


def test_hashes_of_another_spool_are_refused_and_a_copy_of_the_spool_has_them(spool, place, capsys):
    (place / "bulkmail.yaml").write_text("spool: ./spool\nsuppression: {hashed: true}\n")
    run(capsys, "add", "ann@a.example", "b.example", "--reason", "complained")
    assert json.loads(run(capsys, "export", "all.csv", "--json")) == {
        "written": 2, "without_address": 2, "file": "all.csv"}  # fmt: skip
    (place / "other.yaml").write_text("spool: ./other\nsuppression: {hashed: true}\n")
    assert cli.main(["suppress", "import", "all.csv", "--settings", "other.yaml"]) == 1
    told = capsys.readouterr()
    assert told.out == "0 suppressions were added\n"
    assert told.err.startswith("2 entries have only the hash of an address, and cannot be taken: ")
    (place / "other.yaml").write_text("spool: ./copy\n")
    assert cli.main(["spool", "backup", "copy"]) == 0
    capsys.readouterr()
    assert "complained" in run(capsys, "check", "x@b.example", "--settings", "other.yaml")


def test_a_time_without_an_offset_is_utc(spool, place, capsys, monkeypatch):
    (place / "in.csv").write_text("email,since\na@a.example,2026-12-01T09:30:00\nb@a.example,2026-12-01T09:30Z\n")
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        told = run(capsys, "import", "in.csv")
    time.tzset()
    assert told == "2 suppressions were added\n"
    assert {one.at for one in suppressed(place).values()} == {1796117400.0}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a@a.example,all,listed,x,2026-12-01T00:00:00Z", "'all' is not a scope"),
        ("a@a.example,everything,why,x,2026-12-01T00:00:00Z", "'why' is not a reason; write complained, "),
        ("a@a.example,everything,listed,x,yesterday", "'yesterday' is not a time"),
    ],
)
def test_columns_of_ours_that_are_wrong_are_told(spool, place, capsys, line, words):
    (place / "in.csv").write_text(f"email,scope,reason,source,since\n{line}\n")
    assert cli.main(["suppress", "import", "in.csv"]) == 1
    assert words in capsys.readouterr().err
    assert suppressed(place) == {}


def test_a_long_list_is_put_in_order_in_pieces(spool, place, capsys, monkeypatch):
    monkeypatch.setattr("bulkmail.commands.suppress_files._SOME", 70)
    monkeypatch.setattr("bulkmail.commands.suppressions._AtRest.at_once", 30)
    (place / "long.txt").write_text("".join(f"u{n}@d{n % 7}.example\n" for n in range(1000)))
    assert run(capsys, "import", "long.txt") == "1,000 suppressions were added\n"
    reader = Reader(str(place / "spool"))
    asked = [f"u{n}@d{n % 7}.example" for n in range(1000)]
    assert len(reader.suppressed([*asked, "other@a.example"], Audience("a", "b"))) == 1000
    reader.close()
