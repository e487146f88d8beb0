"""The key ``links`` of campaign.yaml."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bulkmail.campaign import Campaign
from bulkmail.campaign.links import plain_links
from bulkmail.mail import Refused


def test_what_is_added(read: Callable[..., Campaign]) -> None:
    assert plain_links(read().links) == {}
    assert plain_links(read("links: {clicks: none}\n").links) == {}
    links = read('links: {utm: {source: news, campaign: "{{ campaign }}"}}\n').links
    assert plain_links(links) == {"links": {"utm": {"utm_source": "news", "utm_campaign": "{{ campaign }}"}}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("links: {utm: {sorce: x}}\n", "did you mean `source`?"),
        ("links: {utm: {}}\n", "at least one of source"),
        ('links: {utm: {term: ""}}\n', "links.utm.term: must not be empty"),
        ("links: {clicks: count}\n", "links.clicks: not supported yet"),
        ("links: {clicks: all}\n", "links.clicks"),
    ],
)
def test_mistakes_have_their_place(read: Callable[..., Campaign], text: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert words in str(problem)
