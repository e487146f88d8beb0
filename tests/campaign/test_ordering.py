from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign import ordering as module
from bulkmail.campaign.ordering import Ordering, sort_key


def ordered(values, *, descending=False):
    ordering = Ordering(None, descending=descending)
    for number, value in enumerate(values, 1):
        ordering.add(0, number, (number + 1, [value], "[]", ""), value)
    found = []
    while placed := ordering.take(3):
        found += [row[1][0] for _, _, row in placed]
    ordering.close()
    return found


def test_numbers_then_texts_then_what_is_empty():
    values = ["b", "10", "", "9.5", "A", " ", "-1", "1e2"]
    assert ordered(values) == ["-1", "9.5", "10", "1e2", "A", "b", "", " "]
    assert ordered(values, descending=True) == ["b", "A", "1e2", "10", "9.5", "-1", "", " "]


def test_dates_as_they_are_written():
    days = ["2026-02-01", "31.01.2026", "1.12.2025 09:00", "2025-12-02"]
    assert ordered(days) == ["1.12.2025 09:00", "2025-12-02", "31.01.2026", "2026-02-01"]


def test_longer_texts_come_behind_and_in_the_other_direction_before():
    assert ordered(["abc", "ab"]) == ["ab", "abc"]
    assert ordered(["ab", "abc"], descending=True) == ["abc", "ab"]


@pytest.mark.parametrize("descending", [False, True])
@given(values=st.lists(st.sampled_from(["1", "2", "", "x", "X", "y\n", "\ud800"]), max_size=30))
def test_on_disk_as_in_memory_and_equal_ones_keep_their_order(values, descending):
    keys = [sort_key(value, descending=descending) for value in values]
    wanted = [values[at] for at in sorted(range(len(values)), key=keys.__getitem__)]
    together, module._TOGETHER = module._TOGETHER, 4
    try:
        assert ordered(values, descending=descending) == wanted
    finally:
        module._TOGETHER = together


def test_what_was_put_aside_is_the_same_row(monkeypatch):
    monkeypatch.setattr(module, "_TOGETHER", 1)
    ordering = Ordering(None, descending=False)
    row = (7, ["a\u2028", "\r\n"], '["a"]', "line 7: no")
    ordering.add(2, 5, row, "x")
    assert ordering.take(9) == [(2, 5, row)]
    assert ordering.take(9) == []
    ordering.close()
