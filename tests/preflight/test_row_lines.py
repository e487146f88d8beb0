from __future__ import annotations

import csv
import os

import pytest

from bulkmail.files import Folder
from bulkmail.preflight import row_lines as module
from bulkmail.preflight.kinds import warning
from bulkmail.preflight.row_lines import CHECK_COLUMNS, RowLines

KIND = warning("mistyped-domain", "gmial.com", "it looks\nmistyped", "=correct it")


def written(path):
    with (path / "check.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.usefixtures("umask_077")
def test_a_line_for_each_row_and_nothing_that_a_spreadsheet_runs(tmp_path):
    (tmp_path / "check.csv").write_text("older")
    lines = RowLines(Folder.open(str(tmp_path)))
    lines.add(KIND, [(3, "=ann@gmial.com"), (9, "bob@gmial.com")])
    assert (tmp_path / "check.csv").read_text() == "older"
    lines.finish()
    assert written(tmp_path) == [
        list(CHECK_COLUMNS),
        ["3", "'=ann@gmial.com", "warning", "mistyped-domain", "gmial.com", "it looks mistyped", "'=correct it"],
        ["9", "bob@gmial.com", "warning", "mistyped-domain", "gmial.com", "it looks mistyped", "'=correct it"],
    ]
    assert (tmp_path / "check.csv").stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["check.csv"]


def test_it_is_bounded_by_kind_and_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_OF_A_KIND", 3)
    monkeypatch.setattr(module, "MOST_LINES", 5)
    lines = RowLines(Folder.open(str(tmp_path)))
    for n in range(10):
        lines.add(KIND, [(n, "a")])
        lines.add(warning("other", "x", "y"), [(n, "a")])
    assert not lines.wanted
    lines.finish()
    assert [row[0] for row in written(tmp_path)[1:]] == ["0", "0", "1", "1", "2"]


def test_a_link_is_never_written_through(tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "check.csv").symlink_to(other)
    (folder / ".check.csv.new").symlink_to(other)
    lines = RowLines(Folder.open(str(folder)))
    lines.finish()
    assert other.read_text() == "precious"
    assert not (folder / "check.csv").is_symlink()


def test_a_folder_that_cannot_be_written_to_is_a_fault_and_no_error(tmp_path):
    folder = Folder.open(str(tmp_path))
    (tmp_path / ".check.csv.new").mkdir()
    lines = RowLines(folder)
    assert lines.fault
    lines.add(KIND, [(1, "a")])
    lines.finish()
    lines.discard()
    assert os.listdir(tmp_path) == [".check.csv.new"]


def test_what_is_not_finished_is_removed(tmp_path):
    lines = RowLines(Folder.open(str(tmp_path)))
    lines.add(KIND, [(1, "a")])
    lines.discard()
    assert os.listdir(tmp_path) == []
    RowLines(None).finish()
