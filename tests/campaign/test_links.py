"""The key ``links`` of campaign.yaml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulkmail.campaign import Campaign
from bulkmail.campaign.links import plain_links
from bulkmail.mail import Problem, Refused
from bulkmail.settings import Public


def test_what_is_added(read: Callable[..., Campaign]) -> None:
    def plain(text: str, public: Public | None = None) -> tuple[dict[str, Any], list[Problem]]:
        campaign, problems = read(text), list[Problem]()
        return plain_links(campaign.links, public, campaign.file, problems), problems

    assert plain("") == plain("links: {clicks: none}\n") == ({}, [])
    utm = {"utm_source": "news", "utm_campaign": "{{ campaign }}"}
    assert plain('links: {utm: {source: news, campaign: "{{ campaign }}"}}\n') == ({"links": {"utm": utm}}, [])
    page = Public.model_construct(url="https://m.example")
    assert plain("links: {clicks: count}\n", page) == ({"links": {"clicks": "https://m.example/c/"}}, [])
    found, (problem,) = plain("links: {clicks: count}\n")
    assert found == {}
    assert "needs `public` in the operator's settings" in str(problem)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("links: {utm: {sorce: x}}\n", "did you mean `source`?"),
        ("links: {utm: {}}\n", "at least one of source"),
        ('links: {utm: {term: ""}}\n', "links.utm.term: must not be empty"),
        ("links: {clicks: all}\n", "links.clicks"),
    ],
)
def test_mistakes_have_their_place(read: Callable[..., Campaign], text: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert words in str(problem)
