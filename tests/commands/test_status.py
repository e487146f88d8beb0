from __future__ import annotations

import json
import time

from bulkmail import cli
from bulkmail.commands import status
from bulkmail.shaping import WarmupPlan
from bulkmail.spool import Attempt, BudgetUse, Journalled, Settlement, SiteFact, SqliteStore
from bulkmail.spool.place import Lock
from tests.retrying import RetryPlan

SENTENCE = "  Nothing is sent: its process has ended without stopping it. The next start goes on."


def test_status_for_people(spool, capsys):
    assert cli.main(["status"]) == 1, "its process is not there"
    assert capsys.readouterr().out == (
        "spring: dead, 3 rows so far: delivered 1, pending 2\n"
        "  Nothing is sent: its process has ended without stopping it. The next start goes on.\n"
        "summer: ready, 0 rows so far: none yet\n"
    )
    assert cli.main(["status", "summer"]) == 0


def test_the_names_alone_for_a_shell(spool, capsys):
    assert cli.main(["status", "--names"]) == 0
    assert capsys.readouterr().out == "spring\nsummer\n"


def test_a_campaign_that_waits_with_its_reasons(spool, capsys):
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    store.add_rows(1, [], {}, True, 1000.0)
    for row in store.claim([(1, 5)], 1001.0)[1]:
        attempt = Attempt(1002.0, 1, "deferred", "greylisted")
        store.settle([Settlement(row.id, 1, "deferred", "greylisted", attempt=attempt, next_at=4102444800.0)])
    store.close()
    lock = Lock(str(spool))
    assert cli.main(["status", "spring"]) == 0
    assert capsys.readouterr().out == (
        "spring: waiting, 3 rows: delivered 1, deferred 2\n"
        "  Waiting: 2 deferred, next try 1 January, 00:00 UTC.\n"
        "  reasons: greylisted 2\n"
    )
    lock.release()


def test_a_watch_tells_again_what_has_changed(spool, capsys, monkeypatch):
    looks = []

    def look(_):
        looks.append(1)
        if len(looks) == 2:
            store = SqliteStore(str(spool / "spool.sqlite3"))
            store.set_state(1, "finished", 2000.0, exit_status=0)
            store.close()
        if len(looks) == 3:
            store = SqliteStore(str(spool / "spool.sqlite3"))
            store.report_is_whole(1)
            store.close()
        if len(looks) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(status.time, "sleep", look)
    assert cli.main(["status", "spring", "--watch"]) == 0
    out = capsys.readouterr().out
    assert [line.split(",")[0] for line in out.splitlines()] == [
        "spring: dead",
        SENTENCE,
        "spring: finished",
        "  It is finished since 1 January",
        "spring: finished",
    ]
    assert "Its last report is not whole yet; the next start writes it." in out


def test_status_of_one_campaign_for_programs(spool, capsys):
    assert cli.main(["status", "spring", "--json"]) == 1
    ((figures),) = json.loads(capsys.readouterr().out)
    assert (figures["campaign"], figures["state"], figures["input_rows"]) == ("spring", "running", 3)
    assert sum(figures["by_status"].values()) == 3
    assert figures["by_status"]["delivered"] == 1
    assert (figures["input_complete"], figures["exit_status"], figures["possibly_doubled"]) == (False, None, 0)


def test_status_of_a_campaign_that_is_not_there(spool, capsys):
    assert cli.main(["status", "winter"]) == 1
    assert "there is no campaign 'winter'" in capsys.readouterr().err


def test_status_where_there_is_no_spool(place, capsys):
    assert cli.main(["status"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "spool" in err
    assert not (place / "spool").exists(), "looking makes nothing"


def test_what_is_remembered_of_sites_for_people(taught, capsys):
    assert cli.main(["status", "--sites"]) == 0
    tls, later, messages = capsys.readouterr().out.splitlines()
    assert tls == ("192.0.2.1: cannot do TLS, though it offers it; since 2025-11-24T16:00Z, until 2100-01-01T00:00Z")
    assert later.startswith("mx.a.example.net~12ab: learnt-by-a-later-version; since 2025-11-24T16:00Z")
    assert messages.startswith(
        "mx.a.example~12ab: takes 20 messages on a connection; since 2025-11-24T16:00Z, until 20"
    )


def test_what_is_remembered_of_sites_for_programs(taught, capsys):
    assert cli.main(["status", "--sites", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(fact["site"], fact["fact"], fact["value"]) for fact in facts][::2] == [
        ("192.0.2.1", "tls", 0.0),
        ("mx.a.example~12ab", "messages", 20.0),
    ]
    assert (facts[2]["learned_at"], facts[0]["expires_at"]) == ("2025-11-24T16:00:00.250Z", "2100-01-01T00:00:00.000Z")


def test_why_and_until_when_a_site_is_suspended(spool, capsys):
    """The fact is kept for twice `retry.expire_after` more: 3 days by default."""
    began, until = time.time() - 600, 4102444800.0
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.remember([SiteFact("mx.a.example~12ab", "outage", 3.0, began, until + 6 * 86400)])
    store.close()
    assert cli.main(["status", "--sites"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        "mx.a.example~12ab: cannot be used (not reached, or it refuses us), 3 times in a row; since "
    )
    assert line.endswith("Z, suspended until 2100-01-01T00:00Z")
    assert cli.main(["status", "--sites", "--json"]) == 0
    assert [fact["suspended_until"] for fact in json.loads(capsys.readouterr().out)] == ["2100-01-01T00:00:00.000Z"]


def test_nothing_is_remembered(spool, capsys):
    assert cli.main(["status", "--sites"]) == 0
    assert capsys.readouterr().out == "nothing is remembered of any site\n"


def test_what_a_new_source_has_used_today(spool, capsys):
    (spool.parent / "bulkmail.yaml").write_text(
        "sources: [{name: new, address: 192.0.2.10, warmup: {start: 2026-01-01, plan: [10, 20]}}]\n"
    )
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.use_budget(BudgetUse("new", "google", WarmupPlan(0, (10, 20)), time.time(), 4))
    store.close()
    assert cli.main(["status", "--sites"]) == 0
    assert capsys.readouterr().out.startswith(
        "source new at google: day 1 of 2 of its warm-up, 4 of today's 10 messages"
    )
    assert cli.main(["status", "--sites", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["site"], one["fact"], one["value"], one["left"]) == ("provider google from new", "warm-up", 4, 6)
