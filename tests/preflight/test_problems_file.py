from __future__ import annotations

import os

import pytest

from bulkmail.files import Folder
from bulkmail.preflight import Finding, Severity, write_problems

ERROR = Finding(Severity.ERROR, "leftover", "html", "`*|X|*` stands there", "write {{ x }}", (1, 2), 2)
WARNING = Finding(Severity.WARNING, "w", "subject", "it is long")


@pytest.mark.usefixtures("umask_077")
def test_it_is_there_only_while_something_is_wrong(tmp_path):
    folder = Folder.open(str(tmp_path))
    write_problems(folder, "spring", [WARNING])
    assert os.listdir(tmp_path) == []
    write_problems(folder, "spring", [ERROR, WARNING])
    text = (tmp_path / "PROBLEMS.txt").read_text()
    assert text.startswith(
        "spring cannot be sent as it is: One thing is wrong with it.\n\n- html: `*|X|*` stands there"
    )
    assert "- subject: it is long\n" in text
    assert text.endswith(f"check it again with: bulkmail check {tmp_path}\n")
    assert (tmp_path / "PROBLEMS.txt").stat().st_mode & 0o777 == 0o644
    write_problems(folder, "spring", [])
    assert os.listdir(tmp_path) == []


def test_a_link_is_replaced_and_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "PROBLEMS.txt").symlink_to(other)
    write_problems(Folder.open(str(tmp_path / "c")), "spring", [ERROR])
    assert other.read_text() == "precious"
    assert not (tmp_path / "c" / "PROBLEMS.txt").is_symlink()
