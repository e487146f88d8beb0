from __future__ import annotations

from bulkmail import cli
from bulkmail.spool import Reader, SqliteStore


def test_an_ended_campaign_whose_report_is_whole_goes(spool, capsys):
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.set_state(2, "finished", 2000.0, exit_status=0)
    store.report_is_whole(2)
    store.close()
    assert cli.main(["remove", "summer"]) == 0
    assert capsys.readouterr().out == "summer: removed from the spool; its report stays in its folder\n"
    reader = Reader(str(spool))
    assert [row.name for row in reader.campaigns()] == ["spring"]
    reader.close()


def test_one_that_has_not_ended_stays(spool, capsys):
    assert cli.main(["remove", "spring"]) == 1
    assert "spring is running, and rows of it are not settled; cancel it first" in capsys.readouterr().err


def test_one_without_a_whole_report_goes_when_its_folder_is_gone_or_when_that_is_said(spool, place, capsys):
    (place / "there").mkdir()
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.create_campaign(
        "there", str(place / "there"), key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1.0
    )
    for campaign in (2, 3):
        store.set_state(campaign, "cancelled", 2000.0)
    store.close()
    assert cli.main(["remove", "summer"]) == 0
    assert cli.main(["remove", "there"]) == 1
    assert "bulkmail remove --without-report" in capsys.readouterr().err
    assert cli.main(["remove", "there", "--without-report"]) == 0
