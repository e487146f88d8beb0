from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.holds import Holds
from bulkmail.spool import HeldTime, Hold


def test_a_hold_of_the_whole_holds_at_every_provider() -> None:
    holds = Holds([Hold(1, "paused", "", 0.0)])
    assert holds.whole
    assert holds.at("google")
    assert holds.at("")
    assert not Holds().at("")


def test_a_hold_at_a_provider_holds_there_alone() -> None:
    holds = Holds([Hold(1, "rule", "", 0.0, "google")])
    assert not holds.whole
    assert holds.at("google")
    assert not holds.at("yahoo")
    assert not holds.at("")
    assert holds.words == ""


def test_a_hold_at_a_provider_or_a_route_holds_at_the_groups_of_routes_there():
    google, route = Holds([Hold(1, "rule", "", 0.0, "google")]), Holds([Hold(1, "paused", "", 5.0, "b")])
    for provider in ("partner at google", "a+b at google"):
        assert google.at(provider)
        assert google.seconds(provider, 0.0, 9.0) == 9.0
    assert [route.at(name) for name in ("b", "a+b", "b at google", "google", "bb", "")] == [
        True,
        True,
        True,
        *[False] * 3,
    ]
    assert not Holds([Hold(1, "paused", "", 0.0, "b at google")]).at("google")
    assert not Holds([Hold(1, "paused", "", 0.0, "other")]).at("b")


def test_it_says_in_words_why_nothing_is_sent() -> None:
    holds = Holds([Hold(1, "paused", "wrong list", 0.0, who="ann"), Hold(1, "schedule", "", 0.0)])
    assert holds.words == "paused by ann: wrong list; waiting for its schedule"
    assert repr(holds) == "<Holds paused by ann: wrong list; waiting for its schedule>"
    assert holds.fault == ""
    assert Holds([Hold(1, "fault", "endless", 0.0)]).fault == "endless"


SPANS = st.lists(
    st.tuples(st.sampled_from(["", "google", "yahoo"]), st.integers(0, 50), st.integers(0, 20)), max_size=8
)


@given(SPANS, SPANS, st.integers(0, 60), st.integers(0, 60))
def test_the_seconds_of_a_provider_are_those_in_which_any_hold_was_there(active, over, since, now) -> None:
    holds = Holds(
        [Hold(1, "paused", "", float(began), provider) for provider, began, _ in active],
        [HeldTime(provider, float(began), float(began + seconds)) for provider, began, seconds in over],
    )
    for provider in ("google", ""):
        held = {s for p, began, _ in active if p in ("", provider) for s in range(began, 200)}
        held |= {s for p, began, n in over if p in ("", provider) for s in range(began, began + n)}
        assert holds.seconds(provider, since, now) == pytest.approx(len(held & set(range(since, now))))
