from __future__ import annotations

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.campaign.browsing import ListRows
from bulkmail.mail import Refused
from bulkmail.settings import Settings


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "campaign.yaml").write_text(
        "name: spring\nfrom: a@example.com\nsubject: Hi\ntemplate: {text: body.txt}\n"
        "recipients: [one.csv, two.csv]\nsuppress: never.csv\n"
    )
    (tmp_path / "body.txt").write_text("Hello\n")
    (tmp_path / "one.csv").write_text("email,name\nann@example.com,Ann\nbob,Bob\ncarol@example.com,Carol\n")
    (tmp_path / "two.csv").write_text("name,email\nAnn,ANN@example.com\nDave,dave@example.org\n")
    (tmp_path / "never.csv").write_text("carol@example.com\n")
    return tmp_path


def test_all_rows_with_their_verdicts(folder):
    with ListRows(load_campaign(str(folder)), Settings()) as rows:
        found = {row[0]: (row[1], row[2], row[3], row[6]) for row in rows}
        assert rows.duplicates() == {4: "the same address as row 1 of one.csv"}
    assert found == {
        1: (0, 1, "ann@example.com", "ok"),
        2: (0, 2, "bob", "invalid"),
        3: (0, 3, "carol@example.com", "suppressed"),
        4: (1, 1, "ANN@example.com", "held"),
        5: (1, 2, "dave@example.org", "ok"),
    }


def test_more_rows_than_are_read_at_once(folder):
    many = "".join(f"u{n}@example.com,U\n" for n in range(5000))
    (folder / "one.csv").write_text(f"email,name\n{many}")
    with ListRows(load_campaign(str(folder)), Settings()) as rows:
        assert [row[0] for row in rows] == [*range(1, 5003)]
        assert rows.duplicates() == {}


def test_a_list_that_cannot_be_read(folder):
    campaign = load_campaign(str(folder))
    (folder / "one.csv").write_text("name\nAnn\n")
    with pytest.raises(Refused, match=r"one\.csv"):
        ListRows(campaign, Settings())
