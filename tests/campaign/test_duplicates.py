from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.campaign import duplicates as module
from bulkmail.campaign.duplicates import Duplicates, words_for
from bulkmail.campaign.keys import digest_of
from bulkmail.mail import OwnFault


def run(values, words, after=0):
    dedupe = Duplicates(words)
    held = [number for number, value in enumerate(values, 1) if dedupe.add(digest_of(str(value)), number)]
    settled = dict(pair for pair in dedupe.settle(after) if pair is not None)
    dedupe.close()
    return held, settled


@settings(max_examples=60)
@given(st.lists(st.integers(0, 40), max_size=200), st.sampled_from([1, 3, 64, 4096]), st.integers(0, 100))
def test_the_end_is_exact_however_small_the_filter(values, words, after):
    held, settled = run(values, words, after)
    first = {}
    for number, value in enumerate(values, 1):
        earlier = first.setdefault(value, number)
        if earlier != number:
            assert number in held, "a repeated value must never be passed as new"
        if number in held and number > after:
            assert settled.pop(number) == (earlier if earlier != number else 0)
    assert not settled, "only held rows beyond `after` are settled, each once"


def test_a_filter_of_the_right_size_holds_few_new_ones():
    held, settled = run(range(40_000), 40_000 * 24 // 64)
    assert len(held) < 40
    assert set(settled.values()) <= {0}


def test_segments_go_to_the_file_and_come_back(monkeypatch):
    monkeypatch.setattr(module, "_SEGMENT", 48)
    values = [number % 700 for number in range(3000)]
    held, settled = run(values, 4096)
    assert {number: (number - 1) % 700 + 1 for number in range(701, 3001)}.items() <= settled.items()
    assert set(held) == set(settled)


def test_long_settling_pauses_for_breath(monkeypatch):
    monkeypatch.setattr(module, "_BREATH", 10)
    dedupe = Duplicates(1)
    for number in range(1, 101):
        dedupe.add(digest_of("same"), number)
    found = list(dedupe.settle(0))
    dedupe.close()
    assert found.count(None) >= 10
    assert [pair for pair in found if pair] == [(number, 1) for number in range(2, 101)]


def test_the_size_follows_the_rows_within_bounds():
    assert words_for(0) == words_for(1000) == 1 << 19
    assert words_for(10_000_000) == 3_750_000
    assert words_for(10**12) * 8 == 48 << 20


def test_the_scratch_file_leaves_nothing_behind(tmp_path):
    dedupe = Duplicates(64, str(tmp_path))
    for number in range(1, 2000):
        dedupe.add(digest_of(str(number)), number)
    assert os.listdir(tmp_path) == []
    dedupe.close()


def test_no_room_is_a_fault_of_our_own(tmp_path):
    with pytest.raises(OwnFault, match="scratch file"):
        Duplicates(64, str(tmp_path / "missing"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_full_disk_is_a_fault_of_our_own(monkeypatch):
    dedupe = Duplicates(64)
    dedupe._file.close()
    monkeypatch.setattr(module, "_SEGMENT", 24)
    with open("/dev/full", "r+b", buffering=0) as full:
        dedupe._file = full
        with pytest.raises(OwnFault, match="cannot be written"):
            dedupe.add(digest_of("a"), 1)
