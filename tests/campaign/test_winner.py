from __future__ import annotations

from collections.abc import Callable

import pytest

from bulkmail.campaign.model import Campaign
from bulkmail.campaign.reading import snapshot
from bulkmail.settings import Settings

TWO = "variants: {a: {share: 10%}, b: {share: 10%, subject: x}, c: {share: 5%, hold_out: true}}\n"


def test_the_content_has_what_the_rest_waits_for(read: Callable[..., Campaign]) -> None:
    campaign = read(TWO + "winner: {after: 4h, by: manual, rest: b}\n")
    content = snapshot(campaign, Settings(), [["email", "first_name"]], bytes(32))
    assert content["variants"]["contest"] == {"after": 14400.0, "by": "manual", "rest": "b"}
    assert content["variants"]["winner"] == ""


def test_clicks_decide_where_they_are_counted(read: Callable[..., Campaign]) -> None:
    campaign = read(TWO + "winner: {after: 4h, by: clicks}\nlinks: {clicks: count}\n")
    assert campaign.winner is not None
    assert campaign.winner.by == "clicks"


@pytest.mark.parametrize(
    ("variants", "winner", "words"),
    [
        ("", "{after: 4h, by: manual}", "winner: needs at least two `variants` with a letter"),
        ("variants: {a: {share: 10%}, b: {share: 5%, hold_out: true}}\n", "{after: 4h, by: manual}", "at least two"),
        ("variants: {a: {share: 10%}, b: {}}\n", "{after: 4h, by: manual}", "winner: nobody is left"),
        ("variants: {a: {share: 50%}, b: {share: 50%}}\n", "{after: 4h, by: manual}", "winner: nobody is left"),
        (TWO, "{after: 4h, by: clicks}", "winner.by: clicks are not counted, so"),
        (TWO, "{after: 4h, by: opens}", "winner.by: must be clicks, unsubscribes or manual"),
        (TWO, "{after: 0s, by: manual}", "winner.after: '0s' is too short"),
        (TWO, "{after: 4, by: manual}", "winner.after: 4 is not a duration"),
        (TWO, "{after: 4h, by: manual, rest: c}", "winner.rest: 'c' is not a variant with a letter; there are: a, b"),
    ],
)
def test_what_cannot_be_decided_is_told(
    refusal: Callable[..., list[str]], variants: str, winner: str, words: str
) -> None:
    assert any(words in told for told in refusal(f"{variants}winner: {winner}\n")), words
