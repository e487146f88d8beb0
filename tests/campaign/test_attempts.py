from __future__ import annotations

import pytest

from bulkmail.campaign import attempts_in
from bulkmail.mail import BulkmailError

HEADER = "at,row,email,attempt,result,category,smtp_code,enhanced_code,reply,stage,mx_host,mx_ip\r\n"
LINE = '2026-12-01T10:00:00.500Z,1,a@b.example,1,deferred,x,421,4.7.0,"4.7.0 slow, down",mail,mx.b,192.0.2.1\r\n'


@pytest.mark.parametrize("way", ["report/attempts.csv", "report", ""])
def test_the_file_or_its_folder_or_the_campaigns(tmp_path, way):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "attempts.csv").write_text("\ufeff" + HEADER + LINE + "2026-12-01T10:00:01", newline="")
    (one,) = attempts_in(str(tmp_path / way))
    assert one == (2, 1796119200.5, "a@b.example", "deferred", 421, "4.7.0 slow, down", "mx.b")


def test_what_a_spreadsheet_would_run_comes_back_as_it_was(tmp_path):
    path = tmp_path / "attempts.csv"
    path.write_text(HEADER + LINE.replace("4.7.0 slow, down", "'=1+1").replace("421", ""))
    (one,) = attempts_in(str(path))
    assert (one.reply, one.code) == ("=1+1", 0)


def test_another_file_is_told(tmp_path):
    (tmp_path / "recipients.csv").write_text("email\na@b.example\n")
    with pytest.raises(BulkmailError, match=r"is no attempts.csv: it has no column at"):
        list(attempts_in(str(tmp_path / "recipients.csv")))
    with pytest.raises(BulkmailError, match=r"name a report's attempts.csv"):
        list(attempts_in(str(tmp_path)))


def test_a_line_without_a_time_is_passed_over(tmp_path):
    path = tmp_path / "attempts.csv"
    path.write_text(HEADER + LINE.replace("2026-12-01T10:00:00.500Z", "noon"))
    assert list(attempts_in(str(path))) == []
