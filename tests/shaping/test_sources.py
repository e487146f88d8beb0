from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.shaping import ANY_SOURCE, Source, SourceChoice, without_source

A, B, C = Source("a", "192.0.2.10", "mta1.example.com", 3), Source("b", "192.0.2.11"), Source("c", "2001:db8::1")


def take(choice, candidates, turns, usable=lambda _: True):
    counted = Counter()
    for _ in range(turns):
        source = choice.next(candidates, usable)
        choice.used(source, 1, [one for one in candidates if usable(one)])
        counted[source.name] += 1
    return counted


def test_each_gets_the_part_of_its_weight():
    assert take(SourceChoice(), [A, B], 100) == {"a": 75, "b": 25}
    assert take(SourceChoice(), [A, B, C], 50) == {"a": 30, "b": 10, "c": 10}


def test_one_that_cannot_be_used_gets_nothing_and_not_all_of_it_later():
    choice = SourceChoice()
    assert take(choice, [A, B], 100, lambda source: source is B) == {"b": 100}
    assert take(choice, [A, B], 40) == {"a": 30, "b": 10}
    assert choice.next([A, B], lambda _: False) is None
    assert choice.next([]) is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.lists(st.integers(1, 50), max_size=60))
@settings(max_examples=40)
def test_claims_of_any_size_stay_within_one_claim_of_the_weights(weights, claims):
    sources = [Source(f"s{n}", f"192.0.2.{n}", weight=weight) for n, weight in enumerate(weights)]
    choice, got = SourceChoice(), Counter()
    for claim in claims:
        source = choice.next(sources)
        choice.used(source, claim, sources)
        got[source.name] += claim
    for source in sources:
        fair = sum(claims) * source.weight / sum(weights)
        assert abs(got[source.name] - fair) <= max(claims, default=0) * len(sources)


def test_what_is_owed_is_bounded():
    choice = SourceChoice()
    choice.used(B, 1_000_000, [A, B])
    assert (choice.credit(A), choice.credit(B)) == (1000.0, -1000.0)


@pytest.mark.parametrize(("source", "family", "v4", "v6"), [(A, 4, True, False), (C, 6, False, True)])
def test_a_source_reaches_its_own_family(source, family, v4, v6):
    assert (source.family, source.reaches("192.0.2.1"), source.reaches("2001:db8::2")) == (family, v4, v6)
    assert (ANY_SOURCE.family, ANY_SOURCE.reaches("192.0.2.1"), ANY_SOURCE.reaches("2001:db8::2")) == (0, True, True)


def test_keys_name_the_source_only_where_there_are_sources():
    assert ANY_SOURCE.key("provider google") == "provider google"
    assert A.key("provider google") == "provider google from a"
    assert without_source("provider google from a") == ("provider google", "a")
    assert without_source("mx.example.com~0a") == ("mx.example.com~0a", "")
    assert (str(A), str(ANY_SOURCE)) == ("a (192.0.2.10)", "the system's choice")
