from __future__ import annotations

from bulkmail import cli


def test_a_spool_is_copied(spool, place, capsys):
    assert cli.main(["spool", "copy", "spool", "spool"]) == 1
    assert "onto itself" in capsys.readouterr().err
    assert cli.main(["spool", "copy", "spool", "new"]) == 0
    said = capsys.readouterr()
    assert said.out == "3 recipients are in new now; set `spool` to it\n"
    assert "recipient: 3 rows, done" in said.err
    assert (place / "new" / "spool.sqlite3").exists()


def test_a_spool_is_backed_up(spool, place, capsys):
    assert cli.main(["spool", "backup", "saved"]) == 0
    assert "in the copy 2 campaigns are paused" in capsys.readouterr().out
    assert cli.main(["spool", "backup", "saved"]) == 1
    assert "is not empty" in capsys.readouterr().err
