from __future__ import annotations

import json
import time

from bulkmail import cli
from bulkmail.spool import SiteFact, SqliteStore


def test_status_for_people(spool, capsys):
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out == (
        "spring: running, 3 rows so far: delivered 1, pending 2\nsummer: ready, 0 rows so far: none yet\n"
    )


def test_status_of_one_campaign_for_programs(spool, capsys):
    assert cli.main(["status", "spring", "--json"]) == 0
    ((figures),) = json.loads(capsys.readouterr().out)
    assert (figures["campaign"], figures["state"], figures["input_rows"]) == ("spring", "running", 3)
    assert sum(figures["by_status"].values()) == 3
    assert figures["by_status"]["delivered"] == 1
    assert (figures["input_complete"], figures["exit_status"], figures["possibly_doubled"]) == (False, None, 0)


def test_status_of_a_campaign_that_is_not_there(spool, capsys):
    assert cli.main(["status", "winter"]) == 1
    assert "has no campaign 'winter'" in capsys.readouterr().err


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
