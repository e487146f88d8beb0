from __future__ import annotations

import pytest

from bulkmail.content.hiding import GONE, SHOWN, Look, declarations, hides


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "color:red; DISPLAY : None ;",
        "display:none!important;display:block",
        "visibility: hidden",
        "opacity:0",
        "opacity: 0.0",
        "max-height:0;overflow:hidden",
        "height:0px; overflow: hidden;",
        "/* display:block */ display:none",
    ],
)
def test_what_hides(style):
    assert hides(style)


@pytest.mark.parametrize(
    "style",
    [
        "",
        "mso-hide:all",
        "display:block",
        "display:none;display:block",
        "x-display:none",
        "opacity:0.5",
        "max-height:0",
        "overflow:hidden;max-height:10px",
        "background:url(x;display:none",
        "/* display:none",
        "none",
    ],
)
def test_what_does_not_hide(style):
    assert hides(style) is (style == "background:url(x;display:none")


def test_the_last_declaration_counts():
    assert declarations("a:1;A:2 ;b:3 !important;b:4;c") == {"a": "2", "b": "3"}


@pytest.mark.parametrize(
    ("outer", "tag", "style", "styled", "inner"),
    [
        (SHOWN, "p", "", False, SHOWN),
        (GONE, "p", "display:block;visibility:visible", False, GONE),
        (SHOWN, "p", "visibility:hidden", False, Look(unseen=True)),
        (Look(unseen=True), "p", "color:red", False, Look(unseen=True)),
        (Look(unseen=True), "p", "visibility:visible", False, SHOWN),
        (SHOWN, "p", "font-size:0px", False, Look(tiny=True)),
        (Look(tiny=True), "p", "", False, Look(tiny=True)),
        (Look(tiny=True), "p", "font-size:2em", False, Look(tiny=True)),
        (Look(tiny=True), "p", "font-size:13px", False, SHOWN),
        (Look(tiny=True), "p", "", True, SHOWN),
        (Look(tiny=True), "table", "", False, SHOWN),
        (Look(tiny=True), "table", "color:red", False, SHOWN),
    ],
)
def test_what_an_element_hides_in_it(outer, tag, style, styled, inner):
    assert outer.inside(tag, style, styled=styled) == inner
    assert inner.lost is (inner.gone or inner.unseen)
    assert inner.tiny is (inner == Look(tiny=True))
