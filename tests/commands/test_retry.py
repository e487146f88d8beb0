from __future__ import annotations

import csv
import json
import os

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.cli import main
from bulkmail.spool import Attempt, Journalled, Settlement, SqliteStore
from tests.retrying import RetryPlan

OUTCOMES = (("delivered", ""), ("bounced", "bad-mailbox"), ("blocked", "quota"), ("blocked", "policy"))


@pytest.fixture
def ended(place):
    """``ended(state)``: a spool with the campaign in ``place``; of five rows one is pending."""

    def make(state):
        (place / "spool").mkdir(mode=0o700)
        store = SqliteStore(str(place / "spool" / "spool.sqlite3"))
        store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
        store.create_campaign(
            "spring",
            str(place / "spring"),
            key=b"k" * 32,
            content={},
            digests={},
            files=[("recipients.csv", ["email", "first_name"])],
            now=1.0,
        )
        rows = [
            (n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example", "+Zoë"]), "ok", "")
            for n in range(1, 6)
        ]
        store.add_rows(1, rows, {}, True, 1000.0)
        store.set_state(1, "running", 1000.0)
        store.settle(
            [
                Settlement(row.id, 1, *outcome, attempt=Attempt(1002.0, 1, "failed"), completed_at=1002.0)
                for row, outcome in zip(store.claim([(1, 4)], 1001.0)[1], OUTCOMES, strict=True)
            ]
        )
        store.set_state(1, state, 1003.0)
        store.close()
        return place

    return make


def people(folder):
    with open(folder / "recipients.csv", encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_new_campaign_beside_the_old_one(ended, capsys):
    place = ended("finished")
    assert main(["retry", "spring"]) == 0
    assert people(place / "spring-retry") == [
        ["email", "first_name"],
        ["u3@a.example", "+Zoë"],
        ["u4@a.example", "+Zoë"],
    ]
    assert load_campaign(str(place / "spring-retry")).name == "spring-retry"
    said = capsys.readouterr().out
    assert said.startswith(f"spring-retry: 2 rows of spring (2 blocked), in {place}/spring-retry\n")
    assert "bulkmail check spring-retry; to send it: bulkmail send spring-retry\n" in said
    assert main(["retry", "spring"]) == 0
    assert (place / "spring-retry-2").is_dir()


def test_the_rows_can_be_chosen_by_status_and_category(ended, capsys):
    place = ended("cancelled")
    assert (
        main(
            ["retry", "spring", "--status", "blocked,bounced", "--category", "quota,bad-mailbox", "--as", "n", "--json"]
        )
        == 0
    )
    assert json.loads(capsys.readouterr().out) == {
        "campaign": "n",
        "folder": str(place / "n"),
        "rows": 2,
        "by_status": {"bounced": 1, "blocked": 1},
        "from": "spring",
    }
    assert [row[0] for row in people(place / "n")] == ["email", "u2@a.example", "u3@a.example"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sprng"], "the spool has no campaign 'sprng'; did you mean spring?"),
        (["spring", "--status", "expird"], "rows that can be sent to again; did you mean expired?"),
        (["spring", "--status", "delivered"], "of rows that can be sent to again; write some of exp"),
        (["spring", "--category", "qota"], "'qota' is not a category; did you mean quota?"),
        (["spring", "--as", "New One"], "--as: must be 1 to 100 letters, digits and"),
        (["spring", "--as", "spring"], "the spool has a campaign 'spring' already; give another name with --as"),
        (["spring", "--as", "spool"], "/spool is there already; give another name with --as"),
        (["spring", "--status", "expired"], "no row of spring is expired; see `bulkmail status`"),
        (["spring", "--category", "virus"], "no row of spring is one that can be tried again with the category virus"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_left(ended, capsys, arguments, words):
    place = ended("finished")
    before = sorted(os.listdir(place))
    assert main(["retry", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert sorted(os.listdir(place)) == before


def test_a_campaign_that_is_not_at_its_end(ended, capsys):
    ended("running")
    assert main(["retry", "spring"]) == 1
    assert (
        "the campaign 'spring' is not at its end (running), so some of its rows may still get it"
        in capsys.readouterr().err
    )


def test_a_campaign_whose_folder_is_gone(ended, capsys):
    place = ended("finished")
    os.rename(place / "spring", place / "elsewhere")
    assert main(["retry", "spring"]) == 1
    assert "make a new campaign with `recipients: {rest_of: spring}`" in capsys.readouterr().err


@pytest.mark.heavy
def test_a_campaign_to_the_rest_is_checked_row_by_row(ended, capsys):
    place = ended("finished")
    os.rename(place / "spring", place / "old")
    (place / "again").mkdir()
    (place / "again" / "campaign.yaml").write_text(
        (place / "old" / "campaign.yaml")
        .read_text()
        .replace("name: spring", "name: again")
        .replace("recipients: recipients.csv", "recipients: {rest_of: spring}")
    )
    (place / "again" / "body.txt.j2").write_text("Hello {{ first_name }}\n")
    capsys.readouterr()
    assert main(["check", "again", "--no-dns", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["subject"], found["rows"], found["mailed"]) == ("Hi +Zoë", 2, 2)
