from __future__ import annotations

import marshal
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.files import ListPath, id_inside, read_inside, size_inside, walk
from bulkmail.files import Folder


def test_reading_stays_inside_and_within_the_limit(folder: Path) -> None:
    assert read_inside(Folder.open(str(folder)), "terms.pdf", 8) == b"%PDF-1.4"
    assert size_inside(Folder.open(str(folder)), "terms.pdf", 8) == 8
    with pytest.raises(ValueError, match=r"^terms\.pdf is larger than 7 bytes$"):
        read_inside(Folder.open(str(folder)), "terms.pdf", 7)
    with pytest.raises(ValueError, match=r"^\.\./x leads out of the campaign's folder"):
        read_inside(Folder.open(str(folder)), "../x", 7)


@given(st.lists(st.sampled_from(["..", ".", "a", "up", "round", "//", "~"]), min_size=1, max_size=8).map("/".join))
def test_no_spelling_leads_out(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "law"
    (root / "a").mkdir(parents=True, exist_ok=True)
    if not (root / "up").is_symlink():
        (root / "up").symlink_to("..")
        (root / "a" / "round").symlink_to(root / "a")
    try:
        found = id_inside(Folder.open(str(root)), name)
    except ValueError:
        return
    real = os.path.realpath(root / name)
    assert real == os.path.realpath(root) or real.startswith(os.path.realpath(root) + "/")
    assert found == (os.stat(real).st_dev, os.stat(real).st_ino)


def test_a_neighbour_with_a_longer_name_is_outside(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link").symlink_to(tmp_path / "ab")
    for name in ("../ab", "link"):
        with pytest.raises(ValueError, match="leads out"):
            id_inside(Folder.open(str(tmp_path / "a")), name)


def test_the_walk_lists_files_and_links_but_not_what_we_write(folder: Path) -> None:
    for name in ("report", "rehearsal", "sub/report"):
        (folder / name).mkdir(parents=True)
        (folder / name / "x").write_text("x")
    (folder / "STATUS.txt").write_text("x")
    (folder / "link").symlink_to("sub")
    (folder / ".hidden").write_text("x")
    assert sorted(name for name, _, _ in walk(Folder.open(str(folder)))) == [
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
        list(walk(Folder.open(str(folder))))
    monkeypatch.undo()
    (folder / "/".join("abcdefghij")).mkdir(parents=True)
    list(walk(Folder.open(str(folder))))
    (folder / "/".join("abcdefghijk")).mkdir(parents=True)
    with pytest.raises(ValueError, match="nested more than 10 levels deep"):
        list(walk(Folder.open(str(folder))))


def test_a_folder_that_was_replaced_is_walked_as_it_was(folder: Path) -> None:
    opened = Folder.open(str(folder))
    os.rename(folder, folder.parent / "moved")
    folder.symlink_to("/etc")
    assert "recipients.csv" in [name for name, _, _ in walk(opened)]


def test_a_list_is_opened_as_the_one_that_was_checked(folder: Path) -> None:
    opened = Folder.open(str(folder))
    reference = (str(folder), opened.id, "recipients.csv", id_inside(opened, "recipients.csv"), "", "To")
    path = ListPath.of(marshal.loads(marshal.dumps(ListPath.of(reference).plain)))
    assert (path, path.plain) == (str(folder / "recipients.csv"), reference)
    assert (path.sheet, path.email) == (None, "To")
    with os.fdopen(path.open(), "rb") as file:
        assert file.read().startswith(b"email,")
    (folder / "recipients.csv").unlink()
    (folder / "recipients.csv").symlink_to("unsubscribed.csv")
    with pytest.raises(ValueError, match="is another file than the one that was checked"):
        path.open()
    (folder / "recipients.csv").unlink()
    (folder / "recipients.csv").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="leads out of the campaign's folder"):
        path.open()
    os.rename(folder, folder.parent / "moved")
    folder.symlink_to("moved")
    (folder.parent / "other").mkdir()
    folder.unlink()
    folder.symlink_to("other")
    with pytest.raises(ValueError, match="another folder has taken the place"):
        path.open()


def test_a_list_of_the_operators_is_opened_by_its_path(folder: Path) -> None:
    path = ListPath.of(str(folder / "recipients.csv"))
    assert (path.plain, type(path.plain)) == (str(folder / "recipients.csv"), str)
    os.close(path.open())
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError, match="is not a regular file"):
        ListPath.of(str(folder / "pipe")).open()


@pytest.mark.parametrize(
    ("there", "named", "words"),
    [
        ("recipients.csv", "recipient.csv", "recipient.csv does not exist; did you mean 'recipients.csv'?"),
        ("Recipients.CSV", "recipients.csv", "; did you mean 'Recipients.CSV'? Capitals and small letters are not"),
        ("lists/members.csv", "lists/member.csv", "; did you mean 'lists/members.csv'?"),
        ("Mu\u0308ller.csv", "M\u00fcller.csv", "looks the same and is made of other characters"),
        ("logo.png", "recipients.csv", "recipients.csv does not exist"),
        (".recipients.csv", "recipients.csv", "recipients.csv does not exist"),
    ],
)
def test_a_name_that_is_nearly_right(tmp_path, there, named, words):
    (tmp_path / "lists").mkdir()
    (tmp_path / there).write_text("x")
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        size_inside(Folder.open(str(tmp_path)), named)
    if words.endswith("exist"):
        assert str(caught.value).endswith("exist")


def test_a_name_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"^no/such\.csv does not exist$"):
        size_inside(Folder.open(str(tmp_path)), "no/such.csv")
