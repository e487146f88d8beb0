from __future__ import annotations

from pathlib import Path

import pytest

from bulkmail.campaign import load_campaign, read_headers
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
    lists = read_headers(load_campaign(str(campaign_in(tmp_path, text))), load_settings(None, str(tmp_path)))
    assert lists.columns == [["email", "name", "unsubscribed"]]
    assert lists.sizes == [len(text)]
    assert [notice.line for notice in lists.notices] == [1]
    assert "unsubscribed" in lists.notices[0].message


def test_bad_lists_are_refused_before_anything_starts(tmp_path: Path) -> None:
    path = campaign_in(tmp_path, "name\nAnn\n", suppress="not an address, nor a domain\n")
    with pytest.raises(Refused) as refused:
        read_headers(load_campaign(str(path)), load_settings(None, str(tmp_path)))
    assert {Path(problem.file).name for problem in refused.value.problems} == {"people.csv", "gone.txt"}
