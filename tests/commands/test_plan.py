from __future__ import annotations

import json

import pytest

from bulkmail import cli

SCHEDULE = "schedule: {not_before: 2030-01-07T09:00, hours: '09:00-18:00', days: mon-fri, timezone: Europe/Berlin"


@pytest.fixture
def spring(place):
    """The campaign with so many rows at two domains, and lines that follow."""
    folder = place / "spring"
    yaml = (folder / "campaign.yaml").read_text()

    def write(count=40, more=""):
        (folder / "campaign.yaml").write_text(yaml + more + "\n")
        rows = [f"u{n}@{'ab'[n % 2]}.example,A" for n in range(count)]
        (folder / "recipients.csv").write_text("\n".join(["email,first_name", *rows]) + "\n")

    return write


def test_the_plan_says_who_when_and_what_binds_it(spring, capsys):
    spring(more=SCHEDULE + ", per_day: 10}")
    assert cli.main(["plan", "spring", "--no-dns"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "spring: 40 of 40 rows are to be sent to, at 2 domains"
    assert "It begins Mon 2030-01-07 09:00 Europe/Berlin (08:00 UTC)." in lines
    assert "What binds it: schedule.per_day." in lines
    assert any(line.startswith("It ends about Thu 2030-01-10 09:00") for line in lines)


def test_what_is_not_sent_in_time_gives_status_1(spring, capsys):
    spring(more=SCHEDULE + ", per_day: 10, not_after: 2030-01-08T12:00}")
    assert cli.main(["plan", "spring", "--no-dns"]) == 1
    assert "20 messages are not sent by schedule.not_after, Tue 2030-01-08 12:00" in capsys.readouterr().out


def test_as_json(spring, capsys):
    spring(more=SCHEDULE + "}")
    assert cli.main(["plan", "spring", "--no-dns", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["campaign"], found["mailed"], found["begins_at"]) == ("spring", 40, "2030-01-07T08:00:00Z")
    assert [one["name"] for one in found["destinations"]] == ["a.example", "b.example"]


def test_a_campaign_that_is_wrong_is_refused(spring, capsys):
    spring(more="schedule: {days: funday, timezone: UTC}")
    assert cli.main(["plan", "spring", "--no-dns"]) == 1
    assert "'funday' is not a day" in capsys.readouterr().err
