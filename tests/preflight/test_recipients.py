from __future__ import annotations

from bulkmail.campaign import load_campaign
from bulkmail.preflight import count_rows
from bulkmail.settings import Settings

YAML = """\
name: spring
from: news@me.example
subject: Hello
template: {text: body.txt.j2}
recipients: [one.csv, two.csv]
suppress: [never.csv]
"""


def test_each_row_is_counted_once(tmp_path):
    (tmp_path / "campaign.yaml").write_text(YAML)
    (tmp_path / "body.txt.j2").write_text("Hello\n")
    (tmp_path / "one.csv").write_text("email\nann@a.example\nbob@b.example\nbob\ncarol@b.example\nANN@a.example\n")
    (tmp_path / "two.csv").write_text("email\nbob@b.example\ndave@a.example\nerin@gone.example\n")
    (tmp_path / "never.csv").write_text("carol@b.example\n@gone.example\n")
    read = []
    counts = count_rows(load_campaign(str(tmp_path)), Settings(), lambda: read.append(1))
    assert (counts.total, counts.mailed, counts.repeated, counts.suppressed, counts.unusable) == (8, 3, 2, 2, 1)
    assert counts.domains == {"a.example": 2, "b.example": 1}
    assert counts.first[3] == "ann@a.example"
    assert len(read) == counts.total
