from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import OwnFault
from bulkmail.spool import Journal, Journalled, read_journal
from bulkmail.spool.journal import read_segment

records = st.lists(
    st.tuples(st.integers(1, 2**63 - 1), st.integers(1, 65535), st.none() | st.binary(min_size=1, max_size=40)),
    max_size=8,
)


def written(directory, items):
    journal = Journal.open(str(directory))
    ends = [8]
    for identity, attempt, payload in items:
        if payload is None:
            journal.dot(identity, attempt)
            ends.append(ends[-1] + 16)
        else:
            journal.reply(identity, attempt, payload)
            ends.append(ends[-1] + 20 + len(payload))
    journal.close()
    path = directory / "000000000001.journal"
    return path.read_bytes(), ends


def expected(items):
    dots = {(identity, attempt) for identity, attempt, payload in items if payload is None}
    return dots, {(identity, attempt): payload for identity, attempt, payload in items if payload is not None}


@given(items=records)
def test_what_is_written_is_read(tmp_path_factory, items):
    directory = tmp_path_factory.mktemp("journal")
    data, ends = written(directory, items)
    assert len(data) == ends[-1]
    found = read_journal(str(directory))
    assert (found.dots, found.replies) == expected(items)
    assert (found.found, found.damaged) == (True, False)


def test_a_dot_that_is_taken_back_has_not_left(tmp_path):
    journal = Journal.open(str(tmp_path))
    for identity, attempt in ((1, 1), (2, 1), (2, 2)):
        journal.dot(identity, attempt)
    journal.free(1, 1)
    journal.free(2, 1)
    journal.free(3, 1)
    journal.dot(1, 1)
    journal.close()
    found = read_journal(str(tmp_path))
    assert (found.dots, found.replies, found.damaged) == ({(1, 1), (2, 2)}, {}, False)


@given(items=records, data=st.data())
def test_cut_anywhere_it_loses_no_more_than_the_tail(tmp_path_factory, items, data):
    content, ends = written(tmp_path_factory.mktemp("journal"), items)
    cut = data.draw(st.integers(0, len(content)))
    found = Journalled()
    read_segment(content[:cut], found)
    whole = sum(end <= cut for end in ends) - 1
    dots, replies = expected(items[: max(whole, 0)])
    torn = set()
    if whole >= 0 and whole < len(items) and cut - ends[whole] >= 16:
        torn = {items[whole][:2]}  # its head was read: a dot had been out
    assert found.dots == dots | torn
    assert found.replies == replies
    assert not found.damaged


@given(items=records.filter(bool), data=st.data())
@settings(max_examples=2 * settings.default.max_examples)
def test_a_flipped_bit_never_makes_up_a_record_and_is_noticed(tmp_path_factory, items, data):
    content, _ = written(tmp_path_factory.mktemp("journal"), items)
    at = data.draw(st.integers(0, len(content) - 1))
    broken = bytearray(content)
    broken[at] ^= 1 << data.draw(st.integers(0, 7))
    found = Journalled()
    read_segment(bytes(broken), found)
    assert found.damaged
    assert {(*key, payload) for key, payload in found.replies.items()} <= set(items)
    assert found.dots <= {item[:2] for item in items}


def test_segments_are_private_numbered_and_read_in_order(tmp_path):
    directory = tmp_path / "journal"
    first = Journal.open(str(directory))
    first.reply(1, 1, b"old")
    first.close()
    second = Journal.open(str(directory))
    second.reply(1, 1, b"new")
    second.close()
    assert sorted(os.listdir(directory)) == ["000000000001.journal", "000000000002.journal"]
    assert {os.stat(path).st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert read_journal(str(directory)).replies == {(1, 1): b"new"}


def test_no_journal_is_told_from_an_empty_one(tmp_path):
    assert not read_journal(str(tmp_path / "journal")).found
    Journal.open(str(tmp_path / "journal")).close()
    assert read_journal(str(tmp_path / "journal")) == Journalled(found=True)


def test_a_segment_goes_when_the_last_of_its_records_is_settled(tmp_path):
    journal = Journal.open(str(tmp_path), segment_bytes=100)
    for identity in range(1, 13):
        journal.dot(identity, 1)
    assert len(os.listdir(tmp_path)) == 2
    journal.settled([1, 2, 3, 4, 5])
    assert len(os.listdir(tmp_path)) == 2
    journal.settled([6, 6, 99])
    assert os.listdir(tmp_path) == ["000000000002.journal"]
    journal.settled(range(7, 13))
    assert os.listdir(tmp_path) == ["000000000002.journal"], "the one being written stays"
    for identity in range(20, 40):
        journal.dot(identity, 1)
        journal.settled([identity])
    assert len(os.listdir(tmp_path)) == 1
    journal.close()


def test_a_reply_releases_the_segment_of_its_dot(tmp_path):
    journal = Journal.open(str(tmp_path), segment_bytes=100)
    journal.dot(1, 1)
    for identity in range(2, 8):
        journal.dot(identity, 1)
    journal.settled(range(2, 7))
    assert len(os.listdir(tmp_path)) == 2
    journal.reply(1, 1, b"x" * 40)
    assert os.listdir(tmp_path) == ["000000000002.journal"]
    journal.close()
    assert read_journal(str(tmp_path)).replies == {(1, 1): b"x" * 40}


def test_what_takes_a_dot_back_is_there_as_long_as_the_dot(tmp_path):
    journal = Journal.open(str(tmp_path), segment_bytes=40)  # two records each
    journal.dot(1, 1)
    journal.dot(2, 1)
    journal.free(1, 1)
    journal.settled([1])  # given back: it may be claimed again, for the same attempt
    journal.dot(3, 1)
    journal.settled([3])
    journal.dot(4, 1)
    assert read_journal(str(tmp_path)).dots >= {(2, 1), (4, 1)}
    assert (1, 1) not in read_journal(str(tmp_path)).dots
    journal.settled([2])
    assert os.listdir(tmp_path) == ["000000000003.journal"]
    journal.close()


STEPS = st.lists(st.tuples(st.sampled_from(["dot", "dot", "reply", "free", "settled"]), st.integers(1, 4)), max_size=60)


@given(steps=STEPS, size=st.sampled_from([20, 40, 90]))
@settings(max_examples=2 * settings.default.max_examples)
def test_at_any_time_it_tells_what_became_of_each_attempt(tmp_path_factory, steps, size):
    """Whatever was settled, given back and claimed again meanwhile, and whichever segments went because of it."""
    directory = tmp_path_factory.mktemp("journal")
    journal = Journal.open(str(directory), segment_bytes=size)
    attempts = dict.fromkeys(range(1, 5), 1)
    said: dict[int, str] = {}  # of the attempt that is being made
    for step, who in steps:
        last = said.get(who, "nothing")
        if step == "dot" and last in ("nothing", "free"):
            journal.dot(who, attempts[who])
        elif step == "reply" and last in ("dot", "reply"):
            journal.reply(who, attempts[who], b"%d" % who)
        elif step == "free" and last == "dot":
            journal.free(who, attempts[who])
        elif step == "settled" and last != "dot":
            journal.settled([who])
            attempts[who] += last == "reply"  # else it is given back, and this attempt is still to be made
        else:
            continue
        said[who] = "nothing" if step == "settled" else step
        found = read_journal(str(directory))
        for each, number in attempts.items():
            assert ((each, number) in found.replies) == (said.get(each) == "reply")
            if said.get(each) != "reply":
                assert ((each, number) in found.dots) == (said.get(each) == "dot")
    journal.settled(attempts)
    assert len(os.listdir(directory)) == 1, "nothing is left behind"
    journal.close()


def test_older_segments_go_once_they_are_recovered_from(tmp_path):
    old = Journal.open(str(tmp_path))
    old.dot(1, 1)
    old.close()
    journal = Journal.open(str(tmp_path))
    journal.drop_older()
    assert os.listdir(tmp_path) == ["000000000002.journal"]
    journal.close()


@pytest.mark.parametrize("payload", [b"", b"x" * 65536])
def test_a_payload_of_no_or_too_many_bytes_is_a_mistake(tmp_path, payload):
    journal = Journal.open(str(tmp_path))
    with pytest.raises(ValueError, match="bytes"):
        journal.reply(1, 1, payload)
    journal.close()


class Disk:
    """os.write, with `room` bytes left and then an error; short writes as a real full disk does them."""

    def __init__(self, monkeypatch):
        self.room = None
        self.error = None
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd, data):
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        if self.room is not None:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            data = data[: self.room]
            self.room -= len(data)
        return self._write(fd, data)


def test_a_full_disk_is_told_before_the_dot_and_hides_nothing_behind_it(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    journal = Journal.open(str(tmp_path))
    journal.dot(1, 1)
    disk.room = 7
    for _ in range(2):
        with pytest.raises(OwnFault, match="space"):
            journal.dot(2, 1)
    disk.room = None
    journal.dot(3, 1)
    journal.close()
    assert read_journal(str(tmp_path)) == Journalled({(1, 1), (3, 1)}, {}, found=True)


def test_a_torn_record_that_cannot_be_cut_off_ends_its_segment(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    journal = Journal.open(str(tmp_path))
    journal.dot(1, 1)
    disk.room = 7

    def fails(fd, size):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", fails)
        with pytest.raises(OwnFault):
            journal.dot(2, 1)
    with pytest.raises(OwnFault):
        journal.dot(2, 1)
    disk.room = None
    journal.dot(3, 1)
    journal.close()
    assert len(os.listdir(tmp_path)) == 2
    assert read_journal(str(tmp_path)) == Journalled({(1, 1), (3, 1)}, {}, found=True)


def test_nothing_is_written_behind_a_torn_record(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    journal = Journal.open(str(tmp_path))
    disk.room = 7

    def fails(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", fails)
        patch.setattr(os, "open", fails)
        with pytest.raises(OwnFault):
            journal.dot(2, 1)
        disk.room = None
        with pytest.raises(OwnFault):
            journal.dot(2, 1)
    journal.dot(3, 1)
    journal.close()
    assert read_journal(str(tmp_path)) == Journalled({(3, 1)}, {}, found=True)


def test_an_io_error_is_our_own_fault(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    journal = Journal.open(str(tmp_path))
    disk.error = errno.EIO
    with pytest.raises(OwnFault, match="Input/output error"):
        journal.dot(1, 1)
    with pytest.raises(OwnFault):
        Journal.open(str(tmp_path))
    disk.error = None
    journal.dot(1, 1)
    journal.close()


def test_a_segment_that_cannot_be_followed_by_another_goes_on(tmp_path, monkeypatch):
    journal = Journal.open(str(tmp_path), segment_bytes=40)
    journal.dot(1, 1)
    journal.dot(2, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.EMFILE, "Too many open files")))
        journal.reply(1, 1, b"ok")
    journal.dot(3, 1)
    journal.close()
    assert len(os.listdir(tmp_path)) == 2
    assert read_journal(str(tmp_path)) == Journalled({(1, 1), (2, 1), (3, 1)}, {(1, 1): b"ok"}, found=True)


def test_a_directory_that_cannot_be_used_is_our_own_fault(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OwnFault, match="cannot be opened"):
        Journal.open(str(tmp_path / "file" / "journal"))
    with pytest.raises(OwnFault, match="cannot be read"):
        read_journal(str(tmp_path / "file" / "journal"))


def test_it_says_what_it_holds(tmp_path):
    journal = Journal.open(str(tmp_path))
    journal.dot(1, 1)
    assert "unsettled=1" in repr(journal)
    journal.close()
    journal.close()


def test_the_last_reply_of_an_attempt_counts(tmp_path):
    journal = Journal.open(str(tmp_path))
    journal.dot(7, 1)
    journal.reply(7, 1, b"taken, it seems")
    journal.reply(7, 1, b"or not")
    journal.close()
    assert read_journal(str(tmp_path)).replies == {(7, 1): b"or not"}
