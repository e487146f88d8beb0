from __future__ import annotations

from pathlib import Path

import pytest

from bulkmail.campaign import load_campaign, survey
from bulkmail.mail import Refused
from bulkmail.settings import load_settings


def campaign_in(folder: Path, csv: str, suppress: str | None = None) -> Path:
    (folder / "people.csv").write_text(csv, encoding="utf-8")
    (folder / "body.txt").write_text("Hello", encoding="utf-8")
    lines = ["name: x", "from: a@example.com", "subject: Hi", "template: {text: body.txt}", "recipients: people.csv"]
    if suppress is not None:
        (folder / "gone.txt").write_text(suppress, encoding="utf-8")
        lines.append("suppress: [gone.txt]")
    path = folder / "campaign.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_columns_sizes_and_what_to_know(tmp_path: Path) -> None:
    text = "E-Mail,name,unsubscribed\na@example.com,Ann,no\n"
    lists = survey(load_campaign(str(campaign_in(tmp_path, text))), load_settings(None, str(tmp_path)))
    assert lists.columns == [["email", "name", "unsubscribed"]]
    assert lists.sizes == [len(text)]
    assert [notice.line for notice in lists.notices] == [1]
    assert "unsubscribed" in lists.notices[0].message
    assert [(row[3], row[6]) for row in lists.rows] == [("a@example.com", "ok")]


def test_only_the_first_rows_are_looked_at_unless_all_are_wanted(tmp_path: Path) -> None:
    text = "email,opt_out\n" + "".join(f"u{n}@example.com,{n % 2}\n" for n in range(12_000))
    campaign, settings = load_campaign(str(campaign_in(tmp_path, text))), load_settings(None, str(tmp_path))
    lists = survey(campaign, settings)
    assert len(lists.rows) == 100
    assert lists.notices[0].message.startswith("50 of the first 100 rows say in column `opt_out`")
    lists = survey(campaign, settings, whole=True)
    assert len(lists.rows) == 100
    assert lists.notices[0].message.startswith("6,000 of 12,000 rows say in column `opt_out`")
    assert len(lists.notices) == 1


def test_bad_lists_are_refused_before_anything_starts(tmp_path: Path) -> None:
    path = campaign_in(tmp_path, "name\nAnn\n", suppress="not an address, nor a domain\n")
    with pytest.raises(Refused) as refused:
        survey(load_campaign(str(path)), load_settings(None, str(tmp_path)))
    assert {Path(problem.file).name for problem in refused.value.problems} == {"people.csv", "gone.txt"}
