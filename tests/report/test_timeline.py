from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.timeline import STEPS, Timeline, merged


def test_the_widths_divide_each_other():
    assert all(wide % narrow == 0 for narrow, wide in itertools.pairwise(STEPS))


def test_delivered_and_failed_are_counted_in_their_seconds():
    line = Timeline()
    line.add(["delivered", "bounced", "blocked", "expired", "duplicate", "delivered"], [10.9, 10.1, 10, 11, 11, None])
    assert line.buckets() == [(10.0, 1, 2, 0), (11.0, 0, 1, 0)]


@given(st.lists(st.tuples(st.sampled_from(["delivered", "bounced"]), st.floats(1, 4e9)), max_size=60))
def test_widening_loses_nobody_and_memory_is_bounded(rows):
    line = Timeline(most=8)
    for status, at in rows:
        line.add([status], [at])
    buckets = line.buckets()
    assert sum(bucket[1] for bucket in buckets) == sum(status == "delivered" for status, _ in rows)
    assert sum(bucket[2] for bucket in buckets) == sum(status == "bounced" for status, _ in rows)
    assert len(line._counts) <= 8 or line._step + 1 == len(STEPS)


count = st.integers(0, 1000)
buckets = st.lists(st.tuples(st.floats(0, 4e9), count, count, count), max_size=20)


@given(buckets, st.integers(2, 90))
def test_merging_keeps_the_sums_and_the_limit(given_buckets, most):
    width, found = merged(given_buckets, most)
    assert len(found) <= most
    assert [sum(bucket[n] for bucket in found) for n in (1, 2, 3)] == [
        sum(bucket[n] for bucket in given_buckets) for n in (1, 2, 3)
    ]
    starts = [bucket[0] for bucket in found]
    assert all(later - sooner == width for sooner, later in itertools.pairwise(starts))


def test_gaps_are_filled():
    assert merged([(100.0, 1, 0, 0), (103.0, 0, 2, 1)], 90) == (
        1,
        [(100.0, 1, 0, 0), (101.0, 0, 0, 0), (102.0, 0, 0, 0), (103.0, 0, 2, 1)],
    )


def test_nothing_yet():
    assert merged([(100.0, 0, 0, 0)], 90) == (1, [])
