"""Style sheets before and behind an inliner."""

from __future__ import annotations

import pytest

pytest.importorskip("tinycss2", reason="the extra `html` is not installed")

from bulkmail.content.sheets import parted, prepared, rest_of


def test_a_fallback_goes_through_under_a_name_of_its_own() -> None:
    sheet = prepared("p{background:red;background:linear-gradient(red,blue);color:#333}")
    assert sheet.text == "p{--bulkmail-fallback-0-background:red;background:linear-gradient(red,blue);color:#333}"
    usual, important = parted("background: linear-gradient(red,blue);--bulkmail-fallback-0-background: red;color: #333")
    assert usual == "background: red; background: linear-gradient(red,blue); color: #333"
    assert important == ""


def test_important_is_for_the_cascade_alone() -> None:
    assert parted("margin: 0 !important;color: red") == ("color: red", "margin: 0")


def test_what_is_left_of_a_sheet_has_its_own_names() -> None:
    assert (
        rest_of("a:hover { --bulkmail-fallback-3-color: red;color: blue; }\n") == "a:hover { color: red;color: blue; }"
    )


def test_rules_for_media_stay_as_they_are() -> None:
    css = "@media (max-width:600px){p{color:red;color:blue}}"
    assert prepared(css).text == css


@pytest.mark.parametrize(
    ("css", "attributes", "siblings", "empty"),
    [
        ("p .a, #b > td{color:red}", set(), False, False),
        ("a[href^='x'], td[ALIGN=right]{color:red}", {"href", "align"}, False, False),
        ("a[title='a+b~c']{color:red}", {"title"}, False, False),
        ("h1 + p{color:red}", set(), True, False),
        ("tr:nth-child(2n+1){color:red}", set(), True, False),
        ("td:empty{color:red}", set(), False, True),
        ("p:not(.a){color:red}", set(), True, False),
        ("@media print{h1 + p{color:red}}", set(), False, False),
    ],
)
def test_what_selectors_ask_for(css: str, attributes: set[str], siblings: bool, empty: bool) -> None:
    sheet = prepared(css)
    assert (set(sheet.attributes), sheet.siblings, sheet.empty) == (attributes, siblings, empty)


def test_a_sheet_that_cannot_be_read_says_where() -> None:
    assert "line 2" in prepared("p{color:red}\n} td{color:blue").problem
