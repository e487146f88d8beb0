from __future__ import annotations

import json

import pytest

from bulkmail.report import earlier
from bulkmail.report.attempts import AttemptsFile
from bulkmail.report.earlier import attempts_beyond, campaign_told

FILES = [("recipients.csv", ["email"])]


@pytest.fixture
def grown(tmp_path, attempt):
    """A file of seven attempts, and the position after the third."""
    rows = [attempt(id=n, n=n) for n in range(1, 8)]
    file = AttemptsFile(str(tmp_path / "attempts.csv"), FILES)
    position = file.append(rows[:3])
    file.append(rows)
    file.close()
    return position


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 20])
def test_what_is_behind_a_position_is_counted(tmp_path, grown, monkeypatch, block):
    monkeypatch.setattr(earlier, "_BLOCK", block)
    assert attempts_beyond(str(tmp_path), grown) == 4
    assert attempts_beyond(str(tmp_path), (0, 0)) == 7


def test_a_torn_last_line_is_no_attempt(tmp_path, grown):
    path = tmp_path / "attempts.csv"
    path.write_bytes(path.read_bytes()[:-1])
    assert attempts_beyond(str(tmp_path), grown) == 3


def test_another_file_tells_nothing(tmp_path):
    assert attempts_beyond(str(tmp_path), (0, 0)) == 0
    (tmp_path / "attempts.csv").write_text("a,b\r\n1,2\r\n")
    assert attempts_beyond(str(tmp_path), (0, 0)) == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [(json.dumps({"campaign": "spring"}), "spring"), ("{}", ""), ("[]", ""), ("{", ""), ("\udcff", ""), (None, "")],
)
def test_whose_report_it_is(tmp_path, text, name):
    if text is not None:
        (tmp_path / "summary.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert campaign_told(str(tmp_path)) == name
