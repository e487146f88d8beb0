from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.in_parts import InParts


def test_few_things_are_all_there_at_once():
    parts, things = InParts(), {"a", "b"}
    assert [sorted(parts.next(things)) for _ in range(2)] == [["a", "b"], ["a", "b"]]
    assert parts.next([]) == []


@given(st.integers(0, 30_000))
def test_a_round_has_each_once_in_a_few_calls(count):
    parts, things = InParts(), range(count)
    calls = [parts.next(things) for _ in range(5 if count > 2000 else -(-count // 500))]
    assert sorted(n for part in calls for n in part) == list(things)
    assert max(map(len, calls), default=0) <= max(500, count // 5 + 1)


def test_what_comes_meanwhile_is_in_the_next_round():
    parts, things = InParts(), list(range(600))
    first = parts.next(things)
    things.append(600)
    assert sorted(first + parts.next(things)) == list(range(600))
    assert 600 in parts.next(things)
