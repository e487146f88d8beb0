from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.naming import check_campaign_name, is_campaign_name, nearest_name


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("Spring Sale 2026", "spring-sale-2026"),
        ("  May / June  ", "may-june"),
        ("Frühjahr: Schluß!", "fruhjahr-schluss"),
        ("-draft", "draft"),
        ("../evil", "evil"),
        ("Q1.2026_final", "q1.2026_final"),
        ("Bread & Butter", "bread-and-butter"),
        ("x" * 300, "x" * 100),
        ("春の売り出し", ""),
        ("", ""),
    ],
)
def test_the_nearest_name(written, near):
    assert nearest_name(written) == near


@given(st.text(max_size=300))
def test_what_is_offered_is_allowed_and_stays_as_it_is(text):
    near = nearest_name(text)
    assert near == "" or (is_campaign_name(near) and nearest_name(near) == near)


def test_an_allowed_name_is_taken_as_it_is():
    assert check_campaign_name("Spring_Sale.2026") == "Spring_Sale.2026"


def test_the_refusal_offers_the_nearest_name():
    with pytest.raises(ValueError, match=r"not start with \. or -; write spring-sale-2026$"):
        check_campaign_name("Spring Sale 2026")
    with pytest.raises(ValueError, match=r"not start with \. or -$"):
        check_campaign_name("春")
