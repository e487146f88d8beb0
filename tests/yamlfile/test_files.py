from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bulkmail.yamlfile import open_regular, read_regular


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
