"""Parameters added to a URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.links import addition, encoded, tagged, tagged_in_html
from bulkmail.content.markup import attribute_value

ADDED = {"utm_source": "news", "utm_campaign": "spring%20sale"}
BOTH = "utm_source=news&utm_campaign=spring%20sale"

CASES = [
    ("https://x.example", f"https://x.example?{BOTH}"),
    ("https://x.example/", f"https://x.example/?{BOTH}"),
    ("https://x.example/a#part", f"https://x.example/a?{BOTH}#part"),
    ("https://x.example/#/page?id=1", f"https://x.example/?{BOTH}#/page?id=1"),
    ("https://x.example/a?b=1", f"https://x.example/a?b=1&{BOTH}"),
    ("https://x.example/a?", f"https://x.example/a?{BOTH}"),
    ("https://x.example/a?b=1&", f"https://x.example/a?b=1&{BOTH}"),
    ("https://x.example/a?c[0]=2&d=%2F%20+&e=%C3%BC", f"https://x.example/a?c[0]=2&d=%2F%20+&e=%C3%BC&{BOTH}"),
    ("https://x.example/a?u=https://y.example/?z", f"https://x.example/a?u=https://y.example/?z&{BOTH}"),
    ("https://x.example/?utm_source=shop", "https://x.example/?utm_source=shop&utm_campaign=spring%20sale"),
    ("https://x.example/?UTM_Source=&a", "https://x.example/?UTM_Source=&a&utm_campaign=spring%20sale"),
    ("https://x.example/?utm%5Fsource=1;utm_campaign=2", "https://x.example/?utm%5Fsource=1;utm_campaign=2"),
    ("HTTP://x.example/ü ", f"HTTP://x.example/ü?{BOTH} "),
    ("mailto:a@x.example?subject=b", "mailto:a@x.example?subject=b"),
    ("tel:+49123", "tel:+49123"),
    ("#top", "#top"),
    ("/page", "/page"),
    ("https:///nothing", "https:///nothing"),
    ("https://x.example/unsubscribe?u=1", "https://x.example/unsubscribe?u=1"),
]


@pytest.mark.parametrize(("url", "expected"), CASES, ids=[url for url, _ in CASES])
def test_where_they_go(url: str, expected: str) -> None:
    assert tagged(url, ADDED) == expected
    assert tagged(expected, ADDED) == expected, "twice is once"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://x.example/?a=1&amp;b=2#c", "https://x.example/?a=1&amp;b=2&amp;utm_source=news#c"),
        ("https://x.example/?a=1&b=2", "https://x.example/?a=1&b=2&amp;utm_source=news"),
        ("https://x.example/?a=1&copy=2&#35;c", "https://x.example/?a=1&copy=2&amp;utm_source=news&#35;c"),
        ("https://x.example/&quest;a&amp", "https://x.example/&quest;a&amp&amp;utm_source=news"),
        ("https://x.example/?a&amp;", "https://x.example/?a&amp;utm_source=news"),
        ("https://x.example/?q=&quot;&unknown;", "https://x.example/?q=&quot;&unknown;&amp;utm_source=news"),
    ],
    ids=["amp", "bare", "legacy", "open", "end", "others"],
)
def test_in_html_the_references_stay_as_they_are_written(raw: str, expected: str) -> None:
    assert tagged_in_html(raw, {"utm_source": "news"}) == expected


def test_a_value_is_encoded_for_every_place() -> None:
    assert encoded("R&D <ü> 50%") == "R%26D%20%3C%C3%BC%3E%2050%25"


urls = st.text(alphabet="ab?&=;#/%2F[]. ü+é&amp;utm_source", max_size=40).map("https://x.example".__add__)


@given(urls)
def test_a_url_without_what_was_added_is_what_it_was(url: str) -> None:
    at, text = addition(url, ADDED)
    made = url[:at] + text + url[at:]
    assert made[:at] + made[at + len(text) :] == url
    assert addition(made, ADDED).text == ""
    assert "#" not in made[:at]


@given(urls)
def test_html_and_text_get_the_same(raw: str) -> None:
    made = tagged_in_html(raw, ADDED)
    assert attribute_value(made).replace("&&", "&") == tagged(attribute_value(raw), ADDED).replace("&&", "&")
    start = next((at for at, (old, new) in enumerate(zip(raw, made, strict=False)) if old != new), len(raw))
    assert made.startswith(raw[:start])
    assert made.endswith(raw[start:])
