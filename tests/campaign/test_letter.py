"""The key ``html`` of campaign.yaml."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bulkmail.campaign import Campaign
from bulkmail.mail import Refused


def test_what_is_done_to_the_html(read: Callable[..., Campaign]) -> None:
    assert read().html is None
    html = read("html: {inline_css: true}\n").html
    assert html is not None
    assert (html.inline_css, html.embed_images, html.preheader) == (True, False, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("html: {inline: true}\n", "did you mean `inline_css`?"),
        ("html: {inline_css: maybe}\n", "html.inline_css"),
        ('html: {preheader: "two\\nlines"}\n', "html.preheader"),
        ("html: true\n", "html"),
    ],
)
def test_mistakes_have_their_place(read: Callable[..., Campaign], text: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert words in str(problem)
