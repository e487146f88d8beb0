"""Clicks in the report."""

from __future__ import annotations

from bulkmail.mail import ClickCount
from bulkmail.report.clicks import MOST_LINKS, clicks_in_figures, clicks_in_words, clicks_of, clicks_to_show

COUNTS = [
    ClickCount("aaaa", "", 2, 5, "https://x.example/a"),
    ClickCount("bbbb", "b", 7, 0, "https://x.example/{{id}}"),
    ClickCount("cccc", "", 0, 0, ""),
]


def test_the_most_followed_first() -> None:
    links = clicks_of(COUNTS)
    assert [(one["link"], one["people"]) for one in links] == [
        ("https://x.example/{{id}}", 7),
        ("https://x.example/a", 2),
        ("cccc", 0),
    ]
    figures = clicks_in_figures(links)
    assert figures is not None
    assert (figures["people"], figures["scanners"], len(figures["links"])) == (9, 5, 3)
    shown = clicks_to_show(links)
    assert shown is not None
    assert shown["sentence"] == "9 clicks (and 5 by programs that look at links)"
    assert shown["links"][0] == {"link": "https://x.example/{{id}} (b)", "people": "7", "scanners": "0", "bar": 100.0}


def test_nothing_where_nothing_is_counted() -> None:
    assert clicks_in_figures(clicks_of([])) is None
    assert clicks_to_show([]) is None
    assert clicks_in_words(1, 0) == "1 click"


def test_the_list_of_links_is_bounded() -> None:
    figures = clicks_in_figures(clicks_of([ClickCount(str(at), "", at, 0) for at in range(500)]))
    assert figures is not None
    assert len(figures["links"]) == MOST_LINKS
    assert figures["people"] == sum(range(500))
