"""The octets of a message, some of them in a file."""

from __future__ import annotations

import os
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.inbound.octets import Octets, OctetsFile, spill_in


@pytest.fixture
def made():
    """Make octets, so many of them in memory."""
    files = []

    def make(content, in_memory):
        file = None
        if len(content) > in_memory:
            file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed behind the test
            file.write(content[in_memory:])
            files.append(file)
        return Octets(content[:in_memory], file)

    yield make
    for file in files:
        file.close()


@given(content=st.binary(max_size=50), in_memory=st.integers(0, 50), start=st.integers(0, 60), most=st.integers(0, 60))
def test_it_does_not_matter_where_they_are(content, in_memory, start, most):
    with TemporaryFile(buffering=0) as file:
        file.write(content[in_memory:])
        octets = Octets(content[:in_memory], file)
        assert octets.at(start, most) == content[start : start + most]
        assert octets.first(most) == content[:most]
        assert octets.whole() == content
        assert len(octets) == len(content)
        above = octets.below(b"X: y\r\n")
        assert above.whole() == b"X: y\r\n" + content
        assert len(above) == len(content) + 6


def test_large_ones_come_in_pieces(made):
    content = os.urandom(300_000)
    octets = made(content, 1000)
    pieces = list(octets.pieces())
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 65_536
    assert (octets.in_memory, made(b"abc", 3).in_memory) == (False, True)


def test_a_library_reads_them_as_a_file(made):
    file = OctetsFile(made(b"0123456789", 4))
    assert file.seek(0, os.SEEK_END) == 10
    assert file.seek(2) == 2
    assert (file.read(5), file.tell(), file.read(), file.read(3)) == (b"23456", 7, b"789", b"")
    file.seek(-1, os.SEEK_CUR)
    assert file.read() == b"9"
    assert file.readable()
    assert file.seekable()


def test_a_file_has_no_name(tmp_path):
    with spill_in(str(tmp_path))() as file:
        file.write(b"x")
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="gone"):
        spill_in(str(tmp_path / "gone"))()


def test_what_is_closed_is_read_no_more(made):
    octets = made(b"0123456789", 4)
    octets.close()
    with pytest.raises(ValueError, match="closed"):
        octets.whole()
