from __future__ import annotations

import pytest

from bulkmail.preflight.markup import MarkupCheck

TOKEN = "abcdefghijklmnopqrstuvwxyz"


def found(body, *, before="<p>Hello</p>"):
    return [kind[:2] for kind in MarkupCheck().kinds(f"<html><body>{before}{body}</body></html>", TOKEN)]


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ('<img src="logo.png" alt="">', ("error", "picture-unseen")),
        ('<img src="cid:logo" alt="">', ("error", "picture-unseen")),
        ('<img src="/a/logo.png" alt="">', ("error", "picture-unseen")),
        ('<img src="file:///C:/logo.png" alt="">', ("error", "picture-unseen")),
        ('<img alt="">', ("error", "picture-unseen")),
        ("<IMG SRC='' ALT=''>", ("error", "picture-unseen")),
        ('<img src="data:image/png;base64,AAAA" alt="">', ("warning", "picture-unseen")),
        ('<img src="http://x.example/a.png" alt="">', ("warning", "picture-not-https")),
        ('<img src="https://x.example/a.png">', ("warning", "picture-without-alt")),
        ('<img title="a > b" src=https://x.example/a.png />', ("warning", "picture-without-alt")),
        ('<a href="http://x.example/">x</a>', ("warning", "link-not-https")),
        ('<a href="">x</a>', ("warning", "link-empty")),
        ('<a href="#">x</a>', ("warning", "link-empty")),
        ('<a href="offers.html">x</a>', ("error", "link-broken")),
        ('<a href="www.x.example">x</a>', ("error", "link-broken")),
        ('<a href="https://">x</a>', ("error", "link-broken")),
        ('<a href="javascript:go()">x</a>', ("error", "link-broken")),
        ('<a href="https://one.example/">https://other.example/</a>', ("warning", "link-shows-another")),
        ('<a href="https://one.example/"><b>www.other.example</b></a>', ("warning", "link-shows-another")),
        ('<a href="https://one.example/">mybank.com</a>', ("warning", "link-shows-another")),
        ("<form action='https://x.example'></form>", ("warning", "not-shown")),
        ("<script>alert(1)</script>", ("warning", "not-shown")),
        ('<iframe src="https://x.example"></iframe>', ("warning", "not-shown")),
        ('<link rel="stylesheet" href="https://x.example/a.css">', ("warning", "not-shown")),
        ('<meta http-equiv="Refresh" content="0; url=https://x.example">', ("warning", "not-shown")),
        (f'<div style="display: none">{"secret " * 60}</div>', ("warning", "hidden-text")),
        (f'<p style="font-size:0px">{"secret " * 60}</p>', ("warning", "hidden-text")),
    ],
)
def test_what_is_odd(tag, code):
    assert found(tag) == [code]


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="https://x.example/a.png" alt="A lamp">',
        '<img src="https://x.example/open.gif" width="1" height="1">',
        '<a href="https://x.example/">x</a>',
        '<a href="mailto:a@x.example">a@x.example</a> <a href="tel:+49">x</a>',
        '<a name="top"></a><a href="#top">up</a>',
        '<a href="https://www.one.example/x?a=1&amp;b=2">one.example</a>',
        '<a href="https://shop.one.com/">one.com</a>',
        '<a href="https://x.example/">Version 2.0 is here</a>',
        '<!-- <img src="logo.png"> --><!--[if mso]><img src="a.png"><![endif]-->',
        '<div style="display:none;max-height:0">Three things for May &zwnj;&nbsp;&zwnj;&nbsp;</div>',
        '<div style="opacity:0.9">' + "shown " * 90 + "</div>",
        '<meta charset="utf-8"><meta http-equiv="Content-Type" content="text/html">',
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css?family=Lato">',
        "<p>5 < 6 and <3 and 1 > 0</p>",
    ],
)
def test_what_is_right(tag):
    assert found(tag) == []


@pytest.mark.parametrize("body", ["", "  \n ", "&nbsp;<br>", "<table><tr><td> </td></tr></table>"])
def test_an_empty_letter(body):
    assert found(body, before="") == [("error", "empty-letter")]
    assert found(body + '<img src="https://x.example/a.png" alt="">', before="") == []


def test_a_title_is_no_letter():
    html = "<html><head><title>Spring</title><style>p{color:red}</style></head><body> </body></html>"
    assert [kind[1] for kind in MarkupCheck().kinds(html, TOKEN)] == ["empty-letter"]


def test_a_tag_that_was_judged_before_is_told_for_every_row():
    check = MarkupCheck()
    html = f'<body><p>x</p><a href="http://x.example/{TOKEN}">x</a></body>'
    first = check.kinds(html, TOKEN)
    other = "b" * 26
    assert [kind[1] for kind in first] == ["link-not-https"]
    assert check.kinds(html.replace(TOKEN, other), other) == first


def test_unclosed_quotes_cost_no_time_without_end():
    html = "<body>x" + '<a href="' * 4000 + "</body>"
    assert [kind[1] for kind in MarkupCheck().kinds(html, TOKEN)] == ["link-broken"]


def test_memory_is_bounded():
    check = MarkupCheck()
    for n in range(25_000):
        check.kinds(f'<body>x<img alt="" src="a{n}.png"><b id="{n}"></body>', TOKEN)
    assert len(check._pieces) + len(check._fine) <= 20_000


def test_an_attribute_may_hold_what_looks_like_a_tag():
    assert found('<img title="<b>" src="logo.png" alt=""><b>x</b>') == [("error", "picture-unseen")]
