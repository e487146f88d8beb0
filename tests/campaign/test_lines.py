from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign import lines as module
from bulkmail.campaign.lines import LONGEST_LINE, Lines
from bulkmail.mail import Refused


@pytest.fixture
def opened(tmp_path):
    made = []

    def make(data, encoding="utf-8", cuts=()):
        path = tmp_path / "list.csv"
        path.write_bytes(data)
        made.append(Lines(str(path), encoding, cuts))
        return made[-1]

    yield make
    for lines in made:
        lines.close()


def walk(lines, step=1):
    """All lines, (number, text, what is wrong), and the offsets behind them."""
    found, offsets = [], []
    while lines.at < len(lines.texts) or lines.fill():
        at, number = lines.at, lines.line
        count = min(step, len(lines.texts) - at)
        found += [(number + i, lines.texts[at + i], lines.bad.get(at + i, (0, ""))[1]) for i in range(count)]
        lines.advance(count)
        offsets.append(lines.offset)
    return found, offsets


@given(
    st.lists(st.sampled_from([b"a,b", b"", b'"', b"\r", b"\xc3\xb6", b"\xff", b"\0", b"x" * 40]), max_size=30),
    st.booleans(),
    st.integers(1, 5),
    st.sampled_from([7, 16, 1000]),
    st.sets(st.integers(0, 60), max_size=3),
)
def test_lines_are_those_of_the_file_under_a_true_hash(tmp_path_factory, parts, ended, step, block, places):
    data = b"\n".join(parts) + b"\n" * ended
    ends = [0]
    for part in data.split(b"\n")[:-1]:
        ends.append(ends[-1] + len(part) + 1)
    cuts = [ends[place] for place in places if place < len(ends)]
    path = tmp_path_factory.mktemp("lines") / "list.csv"
    path.write_bytes(data)
    before, module._BLOCK = module._BLOCK, block
    try:
        lines = Lines(str(path), "utf-8", cuts)
        found, offsets = walk(lines, step)
        expected = data.split(b"\n")
        if expected[-1] == b"":
            expected.pop()
        texts = [raw.decode(errors="replace").removesuffix("\r") for raw in expected]
        assert [text.removesuffix("\r") for _, text, _ in found] == texts
        assert [number for number, _, _ in found] == list(range(1, len(texts) + 1))
        assert [bool(wrong) for _, _, wrong in found] == [b"\xff" in raw for raw in expected]
        assert lines.offset == len(data)
        assert lines.sha256 == hashlib.sha256(data).hexdigest()
        assert set(offsets) <= {*ends, len(data)}
        assert lines.unended == (bool(expected) and not data.endswith(b"\n"))
        lines.confirm()
        lines.close()
    finally:
        module._BLOCK = before


def test_what_a_window_promises(opened):
    assert opened(b"a,b\r\nc\n").fill()
    for data, plain, even in [
        (b"a,b\r\nc\n", True, False),
        (b'a,"b"\n', False, True),
        (b"a,b\0\n", False, False),
        (b"a\rb\n", False, False),
        (b"a,\xff\n", False, False),
        (b"a" * 131_073 + b"\n", False, False),
    ]:
        lines = opened(data)
        lines.fill()
        assert (lines.plain, lines.even) == (plain, even), data
        lines.close()


def test_the_mark_is_no_text_but_counts_in_offset_and_hash(opened):
    data = b"\xef\xbb\xbfemail\na@b.de\n"
    lines = opened(data)
    found, offsets = walk(lines)
    assert [text for _, text, _ in found] == ["email", "a@b.de"]
    assert offsets == [9, 16]
    assert lines.sha256 == hashlib.sha256(data).hexdigest()


def test_bytes_that_cannot_be_decoded_are_told_by_place(opened):
    lines = opened(b"ok\na,J\xf6rg\n")
    lines.fill()
    assert lines.bad == {1: (4, "byte 4 (0xF6) is not UTF-8")}
    assert lines.texts[1] == "a,J\ufffdrg"
    lines = opened(b"ok\na,\x81\n", "cp1252")
    lines.fill()
    assert lines.bad == {1: (3, "byte 3 (0x81) is not cp1252")}


def test_an_overlong_line_is_skipped_in_bounded_memory(opened):
    data = b"a\n" + b"x" * (3 * LONGEST_LINE) + b"\nb\n" + b"y" * (2 * LONGEST_LINE)
    lines = opened(data)
    found, offsets = walk(lines)
    assert [(number, text[:3], wrong) for number, text, wrong in found] == [
        (1, "a", ""),
        (2, "xxx", "the line is longer than 1 MiB"),
        (3, "b", ""),
        (4, "yyy", "the line is longer than 1 MiB"),
    ]
    assert all(len(text) <= 512 for _, text, _ in found)
    assert offsets[1] == 3 * LONGEST_LINE + 3
    assert lines.sha256 == hashlib.sha256(data).hexdigest()


def test_no_more_is_held_than_allowed(opened):
    lines = opened(b"a\n" + b"b\n" * LONGEST_LINE)
    while lines.fill():
        assert len(lines._data) < 2 * LONGEST_LINE
    assert not lines.final


def test_at_a_cut_the_file_seems_to_end(opened):
    lines = opened(b"a\nb\nc\n", cuts=[4])
    lines.fill()
    lines.fill()
    assert (lines.texts, lines.final) == (["a", "b"], True)
    assert not lines.fill()
    lines.advance(2)
    assert lines.fill()
    assert lines.texts == ["c"]
    assert lines.cuts == [4]


def test_doubts_are_kept_until_what_they_rest_on_is_read(opened):
    lines = opened(b"a\nb\nc")
    lines.fill()
    lines.doubt()
    lines.advance(1)
    assert lines.cuts == [2]
    lines.advance(1)
    lines.fill()
    lines.doubt()
    lines.advance(1)
    assert lines.cuts == [5], "the first rests on what was read meanwhile, the second on the end of the file"


@pytest.mark.parametrize("how", ["shorter", "replaced", "removed"])
def test_a_file_that_changes_while_it_is_read_is_refused(opened, tmp_path, how):
    lines = opened(b"a\n" * 200_000)
    lines.fill()
    lines.advance(len(lines.texts))
    path = tmp_path / "list.csv"
    if how == "shorter":
        os.truncate(path, 100)
    elif how == "replaced":
        (tmp_path / "new").write_bytes(b"a\n" * 200_000)
        os.replace(tmp_path / "new", path)
    else:
        os.unlink(path)
    with pytest.raises(Refused, match="changed while it was being read"):
        lines.fill()


def test_a_file_written_to_in_place_is_refused_at_its_end(opened, tmp_path):
    lines = opened(b"a\nb\n")
    walk(lines)
    path = tmp_path / "list.csv"
    with open(path, "r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(1, 1))
    with pytest.raises(Refused, match="it was written to"):
        lines.confirm()


def test_a_file_that_only_grew_is_not(opened, tmp_path):
    lines = opened(b"a\nb\n")
    walk(lines)
    path = tmp_path / "list.csv"
    with open(path, "ab") as file:
        file.write(b"c\n")
    os.utime(path, ns=(1, 1))
    lines.confirm()
    assert (lines.offset, lines.sha256) == (4, hashlib.sha256(b"a\nb\n").hexdigest()), (
        "the place is behind what was read"
    )


def test_a_disk_that_fails_is_refused_with_the_line(opened, monkeypatch):
    class Broken:
        def __init__(self, file):
            self.fileno, self.tell, self.close = file.fileno, file.tell, file.close

        def read(self, size):
            raise OSError(5, "Input/output error")

    lines = opened(b"a\n" * 100_000)
    lines.fill()
    lines.advance(len(lines.texts))
    lines._file = Broken(lines._file)
    with pytest.raises(Refused, match=r"list.csv:65537: cannot be read on: Input/output error"):
        lines.fill()


def test_controls_are_looked_for_in_the_text(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"a\\x00b\n")
    lines = Lines(str(path), "unicode_escape")  # no list is read so; each of its control characters is made of letters
    assert lines.fill()
    assert (lines.has_controls, lines.plain) == (True, False)
    lines.close()
