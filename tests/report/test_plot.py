from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.plot import _round_up, plot

NINE = 1796115600.0  # 2026-12-01T09:00:00Z


def test_nothing_yet_is_no_plot():
    assert plot([]) is None


def test_bars_in_per_cent():
    drawn = plot([(NINE, 3, 1, 0), (NINE + 1, 2, 0, 0)])
    assert drawn.parts == ["delivered", "failed"]
    assert drawn.bars[0].segments == (("delivered", 25.0, 75.0), ("failed", 0.0, 25.0))
    assert drawn.bars[0].words == "09:00:00: 3 delivered, 1 failed"
    assert drawn.levels == [(0.0, "4"), (50.0, "2")]
    assert drawn.caption == "Each bar is 1 second. Times are UTC."


def test_a_short_campaign_is_not_drawn_as_one_slab():
    bars = plot([(NINE, 3, 0, 0)]).bars
    assert [bar.place for bar in bars] == list(range(16))
    assert [bar.segments for bar in bars] == [(("delivered", 25.0, 75.0),), *[()] * 15]


def test_round_times_are_labelled():
    drawn = plot([(NINE + 30 * n, 5, 0, 0) for n in range(60)])
    assert drawn.caption.startswith("Each bar is 30 seconds")
    assert [tick.label for tick in drawn.times] == ["09:00", "09:10", "09:20"]


def test_over_days_the_label_has_the_day():
    drawn = plot([(NINE + 3600 * n, 5, 0, 1) for n in range(48)])
    assert drawn.caption.startswith("Each bar is 1 hour")
    assert drawn.times[0].label == "1 Dec 12:00"
    assert drawn.parts == ["delivered", "deferred"]


@pytest.mark.parametrize(
    ("number", "top"), [(1, 2), (3, 4), (5, 6), (7, 10), (10, 10), (11, 20), (41, 60), (1001, 2000)]
)
def test_the_scale_is_round_and_its_half_whole(number, top):
    assert _round_up(number) == top


count = st.integers(0, 10**6)


@given(st.lists(st.tuples(st.floats(0, 1e13), count, count, count), max_size=30))
def test_every_bar_stays_in_the_field(timeline):
    drawn = plot(timeline)
    if drawn is None:
        assert not any(sum(bucket[1:]) for bucket in timeline)
        return
    assert 16 <= len(drawn.bars) <= 90
    assert len(drawn.times) <= 8
    assert all(0 <= tick.at <= 100 for tick in drawn.times)
    for bar in drawn.bars:
        assert sum(segment.height for segment in bar.segments) <= 100.01
        assert all(segment.top >= 0 for segment in bar.segments)
