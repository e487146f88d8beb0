from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.files import inside, read_inside, size_inside, walk


def test_reading_stays_inside_and_within_the_limit(folder: Path) -> None:
    assert read_inside(str(folder), "terms.pdf", 8) == b"%PDF-1.4"
    assert size_inside(str(folder), "terms.pdf", 8) == 8
    with pytest.raises(ValueError, match=r"^terms\.pdf is larger than 7 bytes$"):
        read_inside(str(folder), "terms.pdf", 7)
    with pytest.raises(ValueError, match=r"^\.\./x leads out of the campaign's folder"):
        read_inside(str(folder), "../x", 7)


@given(st.lists(st.sampled_from(["..", ".", "a", "up", "//", "~"]), min_size=1, max_size=8).map("/".join))
def test_no_spelling_leads_out(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "law"
    (root / "a").mkdir(parents=True, exist_ok=True)
    if not (root / "up").is_symlink():
        (root / "up").symlink_to("..")
    try:
        path = inside(str(root), name)
    except ValueError:
        return
    assert os.path.realpath(path) == path
    assert path == os.path.realpath(root) or path.startswith(os.path.realpath(root) + "/")


def test_a_neighbour_with_a_longer_name_is_outside(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match="leads out"):
        inside(str(tmp_path / "a"), "../ab")


def test_the_walk_lists_files_and_links_but_not_what_we_write(folder: Path) -> None:
    for name in ("report", "rehearsal", "sub/report"):
        (folder / name).mkdir(parents=True)
        (folder / name / "x").write_text("x")
    (folder / "STATUS.txt").write_text("x")
    (folder / "link").symlink_to("sub")
    (folder / ".hidden").write_text("x")
    assert sorted(name for name, _ in walk(str(folder))) == [
        ".hidden",
        "body.html.j2",
        "body.txt.j2",
        "link",
        "recipients.csv",
        "sub/report/x",
        "terms.pdf",
        "unsubscribed.csv",
    ]


def test_the_walk_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkmail.campaign.files.MAX_FILES", 4)
    with pytest.raises(ValueError, match=r"^the folder holds more than 4 files$"):
        list(walk(str(folder)))
    monkeypatch.undo()
    (folder / "/".join("abcdefghij")).mkdir(parents=True)
    list(walk(str(folder)))
    (folder / "/".join("abcdefghijk")).mkdir(parents=True)
    with pytest.raises(ValueError, match="nested more than 10 levels deep"):
        list(walk(str(folder)))


def test_a_folder_that_is_gone_cannot_be_walked(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"^the folder \. cannot be read \(No such file or directory\)$"):
        list(walk(str(folder / "gone")))
