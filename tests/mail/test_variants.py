from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import REST, WHOLE, Choice, Variants, choice
from bulkmail.mail.variants import place_of

KEYS = [f"reader-{number}@example.org" for number in range(5_000)]


@st.composite
def shares(draw: st.DrawFn) -> list[tuple[str, int, bool]]:
    left, found = WHOLE, []
    for name in "abcde"[: draw(st.integers(1, 5))]:
        share = draw(st.integers(0, left))
        left -= share
        found.append((name, share, draw(st.booleans())))
    return found


@given(shares())
def test_every_place_has_one_variant_and_each_as_many_as_its_share(given):
    variants = Variants(given)
    ends = sorted({0, WHOLE} | {end for end, _ in variants._ends} | {begin for begin, _ in variants._from})
    counted: Counter[str] = Counter()
    for first, behind in pairwise(ends):
        names = {variants.at(first), variants.at((first + behind) // 2), variants.at(behind - 1)}
        assert len(names) == 1, "between two ends nothing changes"
        counted[names.pop()] += behind - first
    assert counted.total() == WHOLE
    assert {name: counted[name] for name, _, _ in given} == {name: share for name, share, _ in given}
    assert variants.has_rest == bool(counted[REST])


@given(shares(), st.integers(0, WHOLE - 1), st.data())
def test_other_shares_of_letters_change_nobody_in_a_group_that_is_held_out(given, place, data):
    held = sum(share for _, share, hold_out in given if hold_out)
    changed, left = [], WHOLE - held
    for name, share, hold_out in given:
        other = share if hold_out else data.draw(st.integers(0, left))
        left -= 0 if hold_out else other
        changed.append((name, other, hold_out))
    before, after = Variants(given), Variants(changed)
    assert (before.at(place) in before.held_out) == (after.at(place) in after.held_out)


@given(st.text(max_size=40))
def test_a_place_is_one_of_the_whole(key):
    assert 0 <= place_of(key) < WHOLE


def test_places_are_stable_over_releases():
    assert [place_of(f"{name}@example.org") for name in ("ann", "bob")] == [602325, 11036]


def test_a_share_has_about_as_many_people_as_it_says():
    counted = Counter(map(Variants([("a", 100_000, False), ("b", 300_000, False), ("c", 50_000, True)]).of_key, KEYS))
    for name, share in {"a": 0.1, "b": 0.3, "c": 0.05, REST: 0.55}.items():
        expected = share * len(KEYS)
        assert abs(counted[name] - expected) < 4 * (expected * (1 - share)) ** 0.5, name


def test_an_address_counts_and_not_how_it_is_written():
    variants = Variants([("a", 500_000, False), ("b", 500_000, False)])
    for key in KEYS[:50]:
        assert variants.of(key.upper()) == variants.of_key(key)
    assert variants.of("nobody") == ""


def test_more_than_the_whole_is_no_set_of_shares():
    with pytest.raises(ValueError, match="more than the whole"):
        Variants([("a", WHOLE, False), ("b", 1, True)])


def of(delivered: int, unsubscribed: int = 0, clicked: int = 0) -> dict[str, int]:
    return {"delivered": delivered, "unsubscribed": unsubscribed, "clicked": clicked}


def test_the_fewest_who_unsubscribe_and_the_most_who_click_are_the_best():
    counts = {"a": of(100, 2, 10), "b": of(50, 2, 6), "rest": of(0)}
    assert choice(["a", "b"], counts, "unsubscribes") == Choice(
        "a", "a has the fewest (a: 2 of 100 unsubscribed, b: 2 of 50 unsubscribed)"
    )
    assert choice(["a", "b"], counts, "clicks", "a").variant == "b"


def test_without_a_difference_it_says_which_was_taken_and_why():
    counts = {"a": of(100), "b": of(98), "c": of(10, 1)}
    found = choice(["a", "b", "c"], counts, "unsubscribes")
    assert found.variant == "a"
    assert found.why.startswith("there is no difference between a and b (a: 0 of 100 unsubscribed, ")
    assert found.why.endswith("; a was taken, which stands first")
    drawn = choice(["a", "b", "c"], counts, "unsubscribes", "b")
    assert (drawn.variant, drawn.why.endswith("b was taken, as `winner.rest` says")) == ("b", True)
    assert choice(["a", "b", "c"], counts, "unsubscribes", "c").variant == "a", "c is worse"
    assert choice(["a", "b"], {}, "unsubscribes", "b") == Choice(
        "b", "nothing of a variant was delivered, so there is nothing to compare; b was taken"
    )


COUNTED = st.builds(
    lambda delivered, some: of(delivered, min(some, delivered), min(some, delivered)),
    st.integers(0, 1000),
    st.integers(0, 1000),
)


@given(st.lists(COUNTED, min_size=2, max_size=5), st.sampled_from(["unsubscribes", "clicks"]))
def test_no_variant_is_better_than_the_one_that_is_chosen(counted, by):
    counts = dict(zip("abcde", counted, strict=False))
    found = counts[choice(list(counts), counts, by).variant]
    key = "clicked" if by == "clicks" else "unsubscribed"
    for other in counts.values():
        if other["delivered"]:
            assert found["delivered"]
            mine, theirs = found[key] * other["delivered"], other[key] * found["delivered"]
            assert mine >= theirs if by == "clicks" else mine <= theirs
