from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from bulkmail.files import Folder, MissingFileError, open_regular, read_regular


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00abc")
    assert read_regular(str(tmp_path / "a"), 4) == b"\x00abc"


@pytest.mark.parametrize(("limit", "words"), [(3, "is larger than 3 bytes"), (2_000_000, "is larger than 2 MB")])
def test_a_file_over_the_limit_is_refused(tmp_path: Path, limit: int, words: str) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(limit + 1)
    with pytest.raises(ValueError, match=words):
        read_regular(str(tmp_path / "a"), limit)


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name, words in (
            ("fifo", "is not a regular file"),
            ("socket", "is not a regular file"),
            ("folder", "is a folder, not a file"),
            ("missing", "does not exist"),
            ("folder/x/y", "does not exist"),
            ("x" * 300, "cannot be read"),
        ):
            with pytest.raises(ValueError, match=words):
                read_regular(str(tmp_path / name), 10)
    with pytest.raises(ValueError, match="is not a regular file"):
        open_regular("/dev/zero")


def test_links_are_followed_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")
    assert read_regular(str(tmp_path / "link"), 10) == b"abc"
    with pytest.raises(ValueError, match="cannot be read"):
        read_regular(str(tmp_path / "link"), 10, follow=False)


def test_a_file_that_may_not_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ValueError, match="may not be read by this user"):
        open_regular(str(tmp_path))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder, and beside it one with a file that nobody may have."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.txt").write_text("secret")
    place = tmp_path / "place"
    (place / "sub").mkdir(parents=True)
    (place / "sub/a.txt").write_text("ours")
    return place


def test_links_that_stay_inside_are_followed(place: Path) -> None:
    (place / "one").symlink_to("sub")
    (place / "sub/up").symlink_to("../one/a.txt")
    (place / "whole").symlink_to(place / "sub")
    folder = Folder.open(str(place))
    for name in ("sub/a.txt", "one/a.txt", "sub/up", "whole/up", "./sub//../sub/a.txt"):
        assert folder.read(name, 10) == b"ours"
        assert folder.status(name).st_size == 4


def test_nothing_outside_is_reached(place: Path) -> None:
    (place / "out").symlink_to("../outside")
    (place / "away").symlink_to(place.parent / "outside")
    (place / "round").symlink_to("round")
    folder = Folder.open(str(place))
    for name, words in (
        ("../outside/a.txt", "leads out"),
        ("none/../../outside/a.txt", "leads out"),
        ("out/a.txt", "leads out"),
        ("away/a.txt", "leads out"),
        ("round", "cannot be read"),
        ("sub/none", "does not exist"),
        ("sub/a.txt/more", "does not exist"),
        ("sub", "is a folder"),
        ("d/" * 200 + "x", "does not exist"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(name)} .*{words}"):
            folder.read(name, 10)
    with pytest.raises(MissingFileError):
        folder.open_file("none")


def swapping(first: Path, second: Path) -> AbstractContextManager[object]:
    """Another process that puts the two in each other's place, again and again."""
    text = (
        "import os, sys\na, b = sys.argv[1:]\nprint(flush=True)\n"
        "while True:\n    os.rename(a, a + '.x')\n    os.rename(b, a)\n"
        "    os.rename(a, b)\n    os.rename(a + '.x', a)\n"
    )
    command = [sys.executable, "-c", text, str(first), str(second)]

    @contextmanager
    def running() -> Iterator[None]:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.kill()

    return running()


def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere_else(place: Path) -> None:
    (place / "link").symlink_to("../outside")
    folder = Folder.open(str(place))
    read, refused = 0, 0
    with swapping(place / "sub", place / "link"):
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            try:
                assert folder.read("sub/a.txt", 10) == b"ours"
                read += 1
            except ValueError:
                refused += 1
    assert read
    assert refused


def test_a_folder_whose_path_leads_elsewhere_by_now_is_still_the_same(place: Path) -> None:
    folder = Folder.open(str(place))
    place.rename(place.parent / "moved")
    place.symlink_to("outside")
    assert folder.read("sub/a.txt", 10) == b"ours"
    with pytest.raises(OSError, match="another folder has taken the place"):
        Folder.open(str(place), known=folder.id)
    with pytest.raises(NotADirectoryError):
        Folder.open(str(place), follow=False)
    assert Folder.open(str(place.parent / "moved"), known=folder.id).id == folder.id


def test_only_what_is_made_gets_a_mode(place: Path) -> None:
    folder = Folder.open(str(place))
    (place / "old").mkdir(mode=0o700)
    (place / "link").symlink_to("../outside")
    (place.parent / "outside").chmod(0o700)
    before = os.umask(0o077)
    try:
        folder.subfolder("new", 0o755)
        folder.subfolder("old", 0o755)
        for name in ("link", "sub/a.txt"):
            with pytest.raises(OSError, match=r"Not a directory|must be a folder"):
                folder.subfolder(name, 0o755)
        os.close(folder.subfolder("new", 0o755).create("x", 0o644))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((place / name).stat().st_mode) for name in ("new", "old", "new/x", "../outside")]
    assert modes == [0o755, 0o700, 0o644, 0o700]


def test_what_is_removed_is_no_link(place: Path) -> None:
    folder = Folder.open(str(place))
    (place / "link").symlink_to("../outside")
    with pytest.raises(NotADirectoryError):
        folder.remove("link")
    folder.remove("sub")
    assert not (place / "sub").exists()
    assert (place.parent / "outside/a.txt").exists()


def test_it_is_closed_when_nothing_refers_to_it() -> None:
    folder = Folder.open("/")
    descriptor = folder.descriptor
    del folder
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
