from __future__ import annotations

import json

import pytest

from bulkmail.campaign import load_campaign, survey
from bulkmail.campaign.own_report import notice, own_report, unguarded_cell
from bulkmail.campaign.own_report import refusal as why_refused
from bulkmail.mail import RECIPIENT_COLUMNS, RecipientRow, Refused
from bulkmail.report import write_recipients
from bulkmail.settings import Settings
from tests.places import file_at

KEY = bytes(range(32))
COLUMNS = ["first_name", "email", "status", "phone", "Email Opt Out"]


def row(n, status, *, category="", name="Zoë", email=""):
    email = email or f"a{n}@x.example"
    cells = json.dumps([name, email, "vip", "+49 30", ""])
    return RecipientRow(
        n, 0, n, email, status, category, 550, "5.1.1", "no", "rcpt", "mx", "192.0.2.1", "192.0.2.2", "", 1, 1.0, 2.0,
        10, "", cells,
    )  # fmt: skip


@pytest.fixture
def report(tmp_path):
    def write(*statuses):
        rows = [row(n, status, category="other") for n, status in enumerate(statuses, 1)]
        write_recipients(
            file_at(tmp_path / "old" / "recipients.csv"), rows, [("people.csv", COLUMNS)], KEY, "x.example"
        )
        return tmp_path / "old"

    return write


@pytest.fixture
def surveyed(folder, write):
    def surveyed(path, *, whole=False):
        (folder / "recipients.csv").write_bytes(path.read_bytes())
        return survey(load_campaign(str(write())), Settings(), whole=whole)

    return surveyed


@pytest.mark.parametrize("name", ["try-again.csv", "recipients.csv"])
def test_of_a_report_as_a_list_the_own_columns_come_back_as_they_were(surveyed, report, name):
    lists = surveyed(report("expired", "cancelled") / name)
    (columns,) = lists.columns
    assert sorted(columns) == sorted(COLUMNS)
    assert [row[3] for row in lists.rows] == ["a1@x.example", "a2@x.example"]
    cells = dict(zip(columns, json.loads(lists.rows[0][5]), strict=True))
    own = ["Zoë", "a1@x.example", "vip", "+49 30", ""]
    assert cells == dict(zip(COLUMNS, own, strict=True))


def test_the_report_s_own_status_says_nothing_of_consent_and_the_list_s_still_does(surveyed, report):
    lists = surveyed(report("expired") / "recipients.csv")
    (told,) = [notice.message for notice in lists.notices]
    assert "`Email Opt Out`" in told


@pytest.mark.parametrize("statuses", [("expired", "bounced"), ("delivered", "expired"), ("suppressed",), ("pending",)])
def test_a_report_as_it_was_written_is_refused_with_the_ways_on(surveyed, report, statuses):
    with pytest.raises(Refused) as refused:
        surveyed(report(*statuses) / "recipients.csv")
    (problem,) = refused.value.problems
    wrong = next(status for status in statuses if status != "expired")
    assert problem.line == 1
    assert problem.message.startswith(f"this is a campaign's report, and of its {len(statuses)} rows are 1 `{wrong}`: ")
    for way in ("try-again.csv", "rest_of", "bulkmail retry"):
        assert way in problem.message


def test_the_row_that_must_not_be_mailed_may_be_the_last_of_a_long_report(surveyed, report):
    with pytest.raises(Refused, match="of its 301 rows are 1 `bounced`"):
        surveyed(report(*["expired"] * 300, "bounced") / "recipients.csv")


def test_take_off_csv_is_no_list_to_send_to(surveyed, report):
    with pytest.raises(Refused, match="1 `bounced`"):
        surveyed(report("delivered", "bounced") / "take-off.csv")


def test_those_who_got_it_may_get_another_mail_and_unknown_is_told():
    assert why_refused({"delivered": 3, "duplicate": 1}) == ""
    assert why_refused({"expired": 3, "unknown": 1}) == ""
    assert notice({"expired": 3, "unknown": 1}).startswith("1 row is `unknown`")
    assert notice({"expired": 3}) == ""


def test_a_list_with_some_of_our_names_is_a_list():
    assert own_report(["email", "status", "category", "row", "reply"], 0) is None
    assert own_report(["status", "email", "category", "reason"], 1) is None
    assert own_report(["email", "name", "status", "category", "reason"], 0).names == ("email", "name", "", "", "")


def test_a_report_with_columns_left_out_is_still_one():
    kept = [*RECIPIENT_COLUMNS[:9], "input_row", "city"]
    assert own_report(kept, 1).columns == ["email", "row", "city"]


@pytest.mark.parametrize(("cell", "was"), [("'=1", "=1"), ("''=1", "'=1"), ("a;'=1", "a;=1"), ("it's", "it's")])
def test_a_guarded_cell_comes_back(cell, was):
    assert unguarded_cell(cell) == was


@pytest.mark.parametrize("name", ["report/try-again.csv", "./rehearsal/recipients.csv"])
def test_a_list_that_the_sending_writes_over_is_refused(refusal, name):
    (problem,) = refusal(recipients=name)
    assert f"{name} is written by this program while the campaign is sent; copy it" in problem
