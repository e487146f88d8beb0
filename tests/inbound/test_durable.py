"""Files that are durable when it is said so."""

from __future__ import annotations

import os

import pytest

from bulkmail.inbound import durable
from bulkmail.inbound.durable import DurableFiles, File, make_folders, store
from bulkmail.inbound.octets import Octets
from bulkmail.mail import OwnFault


@pytest.fixture
def place(tmp_path):
    make_folders(str(tmp_path / "new"), str(tmp_path / "tmp"))
    return lambda name, content=b"text": File(str(tmp_path / "new"), str(tmp_path / "tmp"), name, Octets(content))


def test_everything_is_written_synced_renamed_and_synced_in_this_order(place, monkeypatch, tmp_path):
    calls = []
    names = {}

    def opened(path, *rest):
        descriptor = real_open(path, *rest)
        names[descriptor] = os.path.relpath(path, tmp_path)
        return descriptor

    real_open, real_fsync, real_rename = os.open, os.fsync, os.rename
    monkeypatch.setattr(durable.os, "open", opened)
    monkeypatch.setattr(durable.os, "fsync", lambda one: (calls.append(f"sync {names[one]}"), real_fsync(one)))
    monkeypatch.setattr(durable.os, "rename", lambda a, b: (calls.append("rename"), real_rename(a, b)))
    assert store([place("a"), place("b")]) == {}
    assert calls == ["sync tmp/a", "rename", "sync tmp/b", "rename", "sync new"]


def test_many_at_once(place, loop, tmp_path):
    files = DurableFiles(loop)
    waiting = [files.write(place(f"f{n}", b"x" * n)) for n in range(200)]
    for each in waiting:
        loop.wait(each)
    files.close()
    assert sorted(os.stat(tmp_path / "new" / f"f{n}").st_size for n in range(200)) == list(range(200))
    assert os.listdir(tmp_path / "tmp") == []
    assert (tmp_path / "new" / "f1").stat().st_mode & 0o777 == 0o600


def test_a_fault_is_told_for_its_file_alone(place, loop, tmp_path):
    files = DurableFiles(loop)
    bad = File(str(tmp_path / "gone"), str(tmp_path / "tmp"), "bad", Octets(b""))
    failing, fine = files.write(bad), files.write(place("fine"))
    with pytest.raises(OwnFault, match=r"gone/bad cannot be written"):
        loop.wait(failing)
    loop.wait(fine)
    files.close()
    assert os.listdir(tmp_path / "tmp") == []


def test_where_a_folder_cannot_be_synced_its_files_are_not_durable(place, monkeypatch):
    def fails(folder):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "sync_folder", fails)
    assert "cannot be synced (Input/output error)" in str(store([place("a")])["a"])


def test_nothing_that_is_there_is_overwritten_on_the_way(place, tmp_path):
    (tmp_path / "tmp" / "a").write_text("another's")
    assert "File exists" in str(store([place("a")])["a"])


def test_folders_are_private_and_a_file_in_their_place_is_told(tmp_path):
    make_folders(str(tmp_path / "one" / "two"))
    assert (tmp_path / "one" / "two").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(OwnFault, match=r"the folder .*file cannot be used \(Not a directory\)"):
        make_folders(str(tmp_path / "file"))
