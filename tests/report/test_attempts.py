from __future__ import annotations

import csv
import io
import os
import shutil
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import OwnFault
from bulkmail.report import ATTEMPT_COLUMNS, NOTHING, AttemptsFile
from tests.places import file_at

FILES = [("people.csv", ["email"])]
HEADER = (",".join(ATTEMPT_COLUMNS) + "\r\n").encode()


@pytest.fixture(scope="session")
def rows(attempt):
    return lambda *ids: [attempt(id=number, n=number, email=f"u{number}@example.com") for number in ids]


def ids(path):
    with open(path, encoding="utf-8", newline="") as file:
        header, *found = csv.reader(file, strict=True)
    assert header == list(ATTEMPT_COLUMNS)
    return [int(cells[1]) for cells in found]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report" / "attempts.csv"


def opened(path, position=NOTHING):
    return AttemptsFile(file_at(path), FILES, position)


def test_the_columns_are_the_contract():
    assert ",".join(ATTEMPT_COLUMNS) == (
        "at,row,email,attempt,result,category,smtp_code,enhanced_code,reply,stage,mx_host,mx_ip,source_ip,tls,"
        "duration_ms,next_attempt_at"
    )


def test_a_line_of_the_file(path, attempt):
    opened(path).append(
        [attempt(n=9, attempt=2, result="deferred", category="greylisted", smtp_code=451, reply="=wait\r\n5 minutes",
                 next_attempt_at=1796119500.123)]
    )  # fmt: skip
    line = list(csv.reader(io.StringIO(path.read_text(), newline="")))[1]
    assert line == [
        "2026-12-01T10:00:00.123Z", "9", "a@example.com", "2", "deferred", "greylisted", "451", "2.0.0",
        "'=wait 5 minutes", "dot", "mx.example.com", "192.0.2.1", "198.51.100.9", "TLSv1.3", "412",
        "2026-12-01T10:05:00.123Z",
    ]  # fmt: skip


def test_several_files_show_file_and_row(path, attempt):
    AttemptsFile(file_at(path), [("a.csv", []), ("b.csv", [])]).append([attempt(n=9, file_no=1, row_in_file=4)])
    assert b",b.csv:4,a@example.com," in path.read_bytes()


def test_a_new_file_has_the_header_and_people_can_read_it(path):
    before = os.umask(0o077)
    try:
        file = opened(path)
    finally:
        os.umask(before)
    assert path.read_bytes() == HEADER
    assert file.position == NOTHING
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_appending_moves_the_position(path, rows):
    file = opened(path)
    assert file.append(rows(1, 2)) == (path.stat().st_size, 2)
    assert file.append(rows(5)) == (path.stat().st_size, 5)
    assert file.append([]) == (path.stat().st_size, 5)
    assert ids(path) == [1, 2, 5]


def test_rows_handed_in_twice_are_written_once(path, rows):
    file = opened(path)
    file.append(rows(1, 2))
    file.append(rows(1, 2, 3))
    assert ids(path) == [1, 2, 3]


def test_a_restart_cuts_to_what_is_known_good_and_goes_on(path, rows):
    file = opened(path)
    known = file.append(rows(1, 2))
    file.append(rows(3, 4))  # written, but the position was never stored
    with open(path, "ab") as torn:
        torn.write(b"2026-12-01T10:0")
    again = opened(path, known)
    assert again.position == known
    assert ids(path) == [1, 2]
    again.append(rows(3, 4))
    assert ids(path) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: shutil.rmtree(path.parent),
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
        lambda path: path.write_bytes(b"x" * path.stat().st_size),
        lambda path: path.write_bytes(HEADER + b"\0" * (path.stat().st_size - len(HEADER) - 2) + b"\r\n"),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b" "),
    ],
    ids=["deleted", "folder gone", "shorter", "another file", "zeros", "no line end"],
)
def test_a_file_that_is_not_what_it_should_be_is_begun_again_at_the_start(path, spoil, rows):
    known = opened(path).append(rows(1, 2))
    spoil(path)
    file = opened(path, known)
    assert file.position == NOTHING
    file.append(rows(1, 2, 3))
    assert ids(path) == [1, 2, 3]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: shutil.rmtree(path.parent),
        lambda path: os.replace(shutil.copy(path, f"{path}.saved"), path),
        lambda path: path.write_bytes(path.read_bytes() + b"a note\n"),
        lambda path: os.truncate(path, 40),
    ],
    ids=["deleted", "folder gone", "saved by a spreadsheet", "edited", "cut"],
)
def test_a_file_lost_while_sending_is_asked_for_again_from_the_first_attempt(path, spoil, rows):
    file = opened(path)
    file.append(rows(1, 2))
    spoil(path)
    assert file.append(rows(3)) == NOTHING
    assert path.read_bytes() == HEADER
    file.append(rows(1, 2, 3))
    assert ids(path) == [1, 2, 3]


def test_a_header_alone_that_is_lost_needs_no_asking(path, rows):
    file = opened(path)
    path.unlink()
    assert file.append(rows(1))[1] == 1
    assert ids(path) == [1]


def test_a_full_disk_keeps_the_position_and_leaves_no_torn_line(path, monkeypatch, rows):
    file = opened(path)
    known = file.append(rows(1))
    real = os.pwrite

    def full(descriptor, data, start):
        real(descriptor, data[:10], start)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OwnFault, match="No space left"):
        file.append(rows(2))
    assert file.position == known
    assert path.stat().st_size == known[0]
    monkeypatch.setattr(os, "pwrite", real)
    file.append(rows(2))
    assert ids(path) == [1, 2]


def test_a_disk_that_takes_a_little_at_a_time(path, monkeypatch, rows):
    file = opened(path)
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, start: real(descriptor, data[:7], start))
    file.append(rows(1, 2))
    assert ids(path) == [1, 2]


def test_a_disk_that_takes_nothing_is_not_asked_for_ever(path, monkeypatch, rows):
    file = opened(path)
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    with pytest.raises(OwnFault):
        file.append(rows(1))


def test_a_link_is_not_followed(path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.parent.mkdir()
    path.symlink_to(victim)
    with pytest.raises(OwnFault):
        opened(path)
    assert victim.read_text() == "precious"


def test_closing_lets_go_and_appending_opens_again(path, rows):
    file = opened(path)
    file.append(rows(1))
    file.sync()
    file.close()
    file.close()
    file.sync()
    file.append(rows(2))
    assert ids(path) == [1, 2]


@given(st.lists(st.sampled_from(["append", "crash", "torn", "delete", "edit", "forget"]), max_size=25))
def test_whatever_happens_no_line_is_torn_missing_or_double(tmp_path_factory, rows, steps):
    path = tmp_path_factory.mktemp("law") / "attempts.csv"
    file = opened(path)
    stored = NOTHING
    made = 0
    for step in steps:
        if step == "append":
            made += 2
            for _ in range(2):  # the second time only where the first one asks for all of them again
                stored = file.append(rows(*range(file.position[1] + 1, made + 1)))
                if stored[1] == made:
                    break
            assert ids(path) == list(range(1, made + 1))
        elif step == "forget":  # written, killed before the position was stored
            made += 1
            file.append(rows(*range(file.position[1] + 1, made + 1)))
        elif step == "delete" and path.exists():
            path.unlink()
        elif step == "edit":
            path.write_bytes(b"edited")
        else:
            if step == "torn" and path.exists():
                with open(path, "ab") as torn:
                    torn.write(b"half a li")
            file.close()
            file = opened(path, stored)
    file.close()


def test_a_full_disk_at_the_start_is_told_and_tried_again(path, monkeypatch, rows):
    file = opened(path)
    file.close()
    real = os.pwrite

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OwnFault, match="No space left"):
        file.append(rows(1))
    monkeypatch.setattr(os, "pwrite", real)
    file.append(rows(1))
    assert ids(path) == [1]
    file.close()


def test_a_lost_file_is_noticed_without_any_new_attempt(path, rows):
    file = opened(path)
    file.append(rows(1))
    path.unlink()
    assert file.append([]) == NOTHING
    file.close()
