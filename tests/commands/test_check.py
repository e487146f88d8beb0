from __future__ import annotations

import json

import pytest

from bulkmail import cli
from bulkmail.campaign import digests
from bulkmail.campaign.intake import Intake
from bulkmail.delivery import prepare
from bulkmail.settings import load_settings
from bulkmail.spool import Journalled, SqliteStore
from tests.nameserver import DnsServer
from tests.retrying import RetryPlan
from tests.spring import YAML

pytestmark = pytest.mark.process


def test_check_quickly_says_that_all_is_well(place, capsys):
    assert cli.main(["check", "spring", "--quick"]) == 0
    assert capsys.readouterr().out == "spring: nothing wrong was found\n"
    assert not (place / "spool").exists()
    assert sorted(path.name for path in (place / "spring").iterdir()) == [
        "body.txt.j2",
        "campaign.yaml",
        "recipients.csv",
    ]


def test_check_shows_who_gets_what_and_what_is_odd(place, capsys):
    assert cli.main(["check", "spring", "--no-dns"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "spring: 1 person will be mailed"
    assert lines[1:3] == ["  from:    Example Shop <news@example.com> (not signed)", "  subject: Hi Ann"]
    assert "no-unsubscribe" not in out
    assert "unsubscribe: there is no way to unsubscribe" in out
    assert "  dkim: mail is not signed with DKIM; Gmail, " in out
    assert out.count("unsubscribe: ") == 1  # of the letter, in its own words
    assert lines[-1] == "spring: it can be sent; look at the 2 warnings first"
    assert (place / "spring" / "check.csv").exists()
    assert not (place / "spring" / "PROBLEMS.txt").exists()


def test_errors_end_it_with_1_and_stand_in_the_folder_until_they_are_corrected(place, capsys):
    body = place / "spring" / "body.txt.j2"
    body.write_text("Hello {{ first_name }} {{ '*|LNAME|*' }}\n")
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    out, _ = capsys.readouterr()
    assert "Errors:\n  text: `*|LNAME|*` stands in the finished letter as it is: a mark of Mailchimp (1 row: 1)" in out
    assert out.endswith("spring: it cannot be sent as it is: 1 error\n")
    assert "*|LNAME|*" in (place / "spring" / "PROBLEMS.txt").read_text()
    body.write_text("Hello {{ first_name }}\n")
    assert cli.main(["check", "spring", "--no-dns"]) == 0
    assert not (place / "spring" / "PROBLEMS.txt").exists()


def test_as_json(place, capsys):
    assert cli.main(["check", "spring", "--no-dns", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["campaign"], found["ok"], found["rows"], found["mailed"]) == ("spring", True, 1, 1)
    assert [one["code"] for one in found["findings"]] == ["no-unsubscribe", "dkim-unsigned"]
    assert cli.main(["check", "spring", "--quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"campaign": "spring", "ok": True, "findings": []}


def test_the_domains_and_the_sender_are_looked_up_by_the_settings(place, capsys):
    server = DnsServer()
    server.zone = {
        "example.org": {"MX": ["0 ."]},
        "example.com": {"MX": ["10 mx.example.com."], "TXT": ['"v=spf1 ip4:192.0.2.1 -all"']},
        "mx.example.com": {"A": ["192.0.2.9"]},
    }
    (place / "bulkmail.yaml").write_text(f'dns: {{nameservers: ["{server.address}"], must_exist: []}}\n')
    try:
        assert cli.main(["check", "spring", "--address", "192.0.2.7", "--json"]) == 1
        found = {one["code"]: one["severity"] for one in json.loads(capsys.readouterr().out)["findings"]}
        assert found["ptr-missing"] == "error"
        assert found["domain-takes-no-mail"] == "warning"
        assert found["no-unsubscribe"] == "warning"
        assert "no-one-click" not in found
        cli.main(["check", "spring"])
    finally:
        server.close()
    out = capsys.readouterr().out
    assert "example.org: 5.1.10 the domain example.org takes no mail (null MX) (1 row: 1)" in out
    assert "  domains: 1 of 1 looked up" in out


@pytest.mark.parametrize("how", [[], ["--quick"]])
def test_check_refuses_what_a_start_would_refuse(place, capsys, how):
    (place / "spring" / "campaign.yaml").write_text(YAML + "colour: red\nfrom_: x\n")
    assert cli.main(["check", "spring/campaign.yaml", *how]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "campaign.yaml:6:1: `colour`" in err
    assert "campaign.yaml:7:1: `from_`" in err
    assert "Traceback" not in err
    assert "campaign.yaml:6:1: `colour`" in (place / "spring" / "PROBLEMS.txt").read_text()
    assert cli.main(["check", "spring", "--json", *how]) == 1
    out, err = capsys.readouterr()
    assert [one["code"] for one in json.loads(out)["findings"]] == ["refused", "refused"]
    assert err == ""


def test_nothing_is_written_into_a_folder_that_is_no_campaign(place, capsys):
    (place / "other").mkdir()
    assert cli.main(["check", "other"]) == 1
    assert list((place / "other").iterdir()) == []
    assert "campaign.yaml" in capsys.readouterr().err


def test_check_with_settings_that_are_wrong(place, capsys):
    (place / "other.yaml").write_text("retry: {schedule: [soon]}\n")
    assert cli.main(["check", "spring", "--settings", "other.yaml"]) == 1
    assert "other.yaml:1:" in capsys.readouterr().err


# a campaign that was begun

CSV = "email,first_name\na@example.org,Ann\nb@example.org,Bob\n"


@pytest.fixture
def begun(place):
    """The campaign was started, and its list read to the end; nothing was sent yet."""
    (place / "spring" / "recipients.csv").write_text(CSV)
    settings = load_settings(None, str(place))
    prepared = prepare(str(place / "spring"), settings)
    campaign = prepared.campaign
    (place / "spool").mkdir(mode=0o700)
    store = SqliteStore(str(place / "spool" / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    found = digests(campaign, prepared.content)
    content = {**prepared.content, "key": b"k" * 32}
    store.create_campaign(
        "spring", campaign.folder, key=b"k" * 32, content=content, digests=found, files=prepared.files, now=1.0
    )
    intake = Intake(campaign.recipient_paths)
    _, rows, state, _ = intake.next(100)
    intake.close()
    store.add_rows(1, rows, state, False, 1000.0)
    store.set_state(1, "stopped", 1000.0)
    store.close()
    return place


def test_a_campaign_that_is_as_it_was_can_go_on(begun, capsys):
    assert cli.main(["check", "spring", "--no-dns"]) == 0
    assert "  started: it is in the spool already (stopped)" in capsys.readouterr().out


def test_a_list_that_has_grown_can_go_on(begun):
    (begun / "spring" / "recipients.csv").write_text(CSV + "c@example.org,Carol\n")
    assert cli.main(["check", "spring", "--no-dns"]) == 0


def test_a_list_that_was_changed_in_its_place_is_told_as_the_start_would(begun, capsys):
    (begun / "spring" / "recipients.csv").write_text(CSV.replace("Ann", "Eve"))
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    assert "recipients.csv: changed in the part already read" in capsys.readouterr().out
    assert "changed in the part already read" in (begun / "spring" / "PROBLEMS.txt").read_text()


def test_a_template_that_was_changed_is_refused(begun, capsys):
    (begun / "spring" / "body.txt.j2").write_text("Good day {{ first_name }}\n")
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    assert "body.txt.j2 changed since it was started" in capsys.readouterr().err


def test_a_name_that_another_folder_has_is_refused(place, spool, capsys):
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    assert "is already in the spool, sent from /c/spring" in capsys.readouterr().err


@pytest.mark.parametrize("how", [["--quick"], ["--no-dns"]])
def test_a_schedule_that_is_over_is_told_as_the_start_would(place, capsys, how):
    campaign = place / "spring" / "campaign.yaml"
    campaign.write_text(campaign.read_text() + 'schedule: {not_after: "2020-01-01 10:00Z"}\n')
    assert cli.main(["check", "spring", *how]) == 1
    assert "has passed; nothing would be sent" in capsys.readouterr().err
    assert "not_after" in (place / "spring" / "PROBLEMS.txt").read_text()
