from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.report.timeline import STEPS, Timeline, merged


def test_the_widths_divide_each_other():
    assert all(wide % narrow == 0 for narrow, wide in itertools.pairwise(STEPS))


def followed(line, attempts, most=2):
    """Add attempts, (at, provider, result), to a timeline; the number of each in the list is its id."""

    def read(after, width):
        rows = list(enumerate(attempts, 1))[after : after + most]
        return [(n, int(at) // width, provider, result, 10, 1) for n, (at, provider, result) in rows]

    line.follow(read)
    return line


def test_attempts_are_counted_in_their_seconds_and_by_provider():
    attempts = [(10.9, "google", "delivered"), (10.1, "other", "failed"), (11.0, "other", "deferred")]
    line = followed(Timeline(), attempts)
    assert line.buckets() == [(10.0, 1, 1, 0), (11.0, 0, 0, 1)]
    assert line.spans(1, "other") == (1, {10: {("failed", 10): 1}, 11: {("deferred", 10): 1}})
    assert line.spans(5, "google") == (5, {2: {("delivered", 10): 1}})
    assert line.spans(5, "yahoo") == (5, {})


def test_each_is_counted_once_and_what_came_back_later_is_left_out():
    attempts = [(10.0, "other", "delivered"), *[(12.0, "other", "returned")] * 5]
    line = followed(Timeline(), attempts)
    assert followed(line, attempts).buckets() == [(10.0, 1, 0, 0)]
    assert followed(line, [*attempts, (13.0, "other", "unknown")]).spans(60) == (
        60,
        {0: {("delivered", 10): 1, ("unknown", 10): 1}},
    )


def test_the_best_minute_and_hour_are_those_with_the_most_that_was_accepted():
    assert (Timeline().best_minute, Timeline().best_hour) == (None, None)
    at = [3599.0, 3600.0, 3659.0, 7100.0, 7199.9, 7200.0, 7201.0, 7259.0]
    attempts = [(one, "google", "delivered") for one in at] + [(30.0, "google", "deferred")] * 9
    line = followed(Timeline(most=2), attempts)
    assert line.best_minute == (7200.0, 3)
    assert line.best_hour == (3600.0, 4)
    again = followed(line, [*attempts, (7202.0, "other", "delivered"), (3610.0, "other", "delivered")])
    assert (again.best_minute, again.best_hour) == ((7200.0, 4), (3600.0, 5))


def test_the_best_minute_is_found_however_wide_the_spans_are_and_takes_no_memory():
    attempts = [(n * 90_000.0, "other", "delivered") for n in range(2000)]
    attempts[1500:1500] = [(1499 * 90_000.0 + 7.0, "other", "delivered")] * 2
    line = followed(Timeline(most=8), attempts, most=100)
    assert line.best_minute == (1499 * 90_000.0, 3)
    assert line.best_hour == (1499 * 90_000.0, 3)
    assert max(len(peak._recent) for peak in (line._minutes, line._hours)) <= 256


AT = st.tuples(st.floats(1, 4e9), st.sampled_from(["google", "other"]), st.sampled_from(["delivered", "failed"]))


@given(st.lists(AT, max_size=60), st.integers(0, 60))
def test_widening_loses_nobody_memory_is_bounded_and_it_is_the_same_read_at_once(attempts, until):
    line = followed(followed(Timeline(most=8), attempts[:until]), attempts)
    for n, result in enumerate(("delivered", "failed"), 1):
        assert sum(bucket[n] for bucket in line.buckets()) == sum(one[2] == result for one in attempts)
    width, spans = line.spans(1)
    assert len(spans) <= 8 or width == STEPS[-1]
    again = followed(Timeline(most=8), attempts, 60)
    assert again.spans(width, "google") == line.spans(width, "google")


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
