from __future__ import annotations

from bulkmail import cli
from bulkmail.spool import Hold, Reader, SqliteStore


def test_a_campaign_that_waits_for_approval_is_released(spool, capsys):
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.hold(Hold(2, "approval", "look at preview/", 1000.0))
    store.close()
    assert cli.main(["status", "summer"]) == 0
    assert capsys.readouterr().out.startswith("summer: waiting for approval, ")
    assert cli.main(["approve", "summer", "--by", "ann"]) == 0
    assert capsys.readouterr().out == "summer: approved. It has not been started yet.\n"
    reader = Reader(str(spool))
    assert reader.holds() == []
    reader.close()


def test_one_that_waits_for_none_is_told_so(spool, capsys):
    assert cli.main(["approve", "spring"]) == 1
    assert "spring is not" in capsys.readouterr().err
