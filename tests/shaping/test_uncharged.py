from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import UnchargedTime


def test_a_pause_counts_for_those_who_were_waiting() -> None:
    uncharged = UnchargedTime()
    uncharged.add(1000.0, 30.0)
    uncharged.add(5000.0, 5.0)
    assert uncharged.since(900.0) == 35.0
    assert uncharged.since(1000.0) == 5.0
    assert uncharged.since(6000.0) == 0.0
    assert repr(uncharged) == "<UnchargedTime 2, 35 s>"


@given(st.lists(st.tuples(st.floats(0.1, 1e6), st.floats(0, 1e4)), max_size=300))
def test_no_second_is_forgotten_and_memory_is_bounded(given: list[tuple[float, float]]) -> None:
    uncharged, now = UnchargedTime(), 0.0
    for later, seconds in given:
        now += later
        uncharged.add(now, seconds)
    assert uncharged.since(0.0) == pytest.approx(sum(seconds for _, seconds in given))
    assert len(uncharged._ended) <= 100
