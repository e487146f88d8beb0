from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.markup import Token, attribute_value, text_value, tokens


def text(data):
    return Token("text", data)


def start(name, *attributes):
    return Token("start", name, attributes)


def end(name):
    return Token("end", name)


def comment(data):
    return Token("comment", data)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("a &amp; b", [text("a &amp; b")]),
        ("<P CLASS=x>y</P >", [start("p", ("class", "x")), text("y"), end("p")]),
        ("<a href = 'x>y' b c=\"'\"/>", [start("a", ("href", "x>y"), ("b", ""), ("c", "'"))]),
        ("<a href=x/y?a=1&amp;b>", [start("a", ("href", "x/y?a=1&b"))]),
        ("<a =b=c>", [start("a", ("=b", "c"))]),
        ("a < b <3 </ >", [text("a "), text("<"), text(" b "), text("<"), text("3 "), comment("</ >")]),
        ("x<", [text("x"), text("<")]),
        ("<!-- a -->b<!-->c<!--->d<!-- e --!>f", [comment(" a -->"), text("b"), comment(">"), text("c"),
                                                comment("->"), text("d"), comment(" e --!>"), text("f")]),
        ("<!--[if mso]><p>old</p><![endif]-->", [comment("[if mso]><p>old</p><![endif]-->")]),
        ("<![if !mso]>x<![endif]>", [comment("<![if !mso]>"), text("x"), comment("<![endif]>")]),
        ("<!DOCTYPE html><?php x ?>y", [comment("<!DOCTYPE html>"), comment("<?php x ?>"), text("y")]),
        ("<style>a<b></styles></STYLE >c", [start("style"), text("a<b></styles>"), end("style"), text("c")]),
        ("<title>a <b></title>", [start("title"), text("a <b>"), end("title")]),
        ("<textarea><p></textarea>", [start("textarea"), text("<p>"), end("textarea")]),
        ("<svg/>x", [start("svg"), end("svg"), text("x")]),
        # never closed: to the end
        ("a<!-- b <p>", [text("a"), comment(" b <p>")]),
        ("a<p class='x>y", [text("a"), comment("<p class='x>y")]),
        ("a<p ", [text("a"), comment("<p ")]),
        ("<script>a</p>", [start("script"), text("a</p>")]),
        ("a<![x", [text("a"), comment("<![x")]),
        # signs
        ("<\ufdd00\ufdd1 a=b>", [start("\ufdd00\ufdd1", ("a", "b"))]),
        ("<h\ufdd00\ufdd1>x</h\ufdd00\ufdd1>", [start("h\ufdd00\ufdd1"), text("x"), end("h\ufdd00\ufdd1")]),
        ("5 <\ufdd00\ufdd1 and <b>", [text("5 "), text("<"), text("\ufdd00\ufdd1 and "), start("b")]),
        ("<p \ufdd00\ufdd1a=b\ufdd01\ufdd1>", [start("p", ("\ufdd00\ufdd1", ""), ("a", "b\ufdd01\ufdd1"))]),
    ],
)  # fmt: skip
def test_documents_are_cut_as_the_standard_says(source, expected):
    assert [token for token in tokens(source) if token.data or token.kind != "text"] == expected


@pytest.mark.parametrize("name", ["region", "section", "param", "currency", "notify", "timestamp", "copy", "lt", "shy"])
def test_a_parameter_is_no_character(name):
    assert attribute_value(f"?a=1&{name}=eu&amp;b") == f"?a=1&{name}=eu&b"
    assert attribute_value(f"?a=1&{name}\ufdd00\ufdd1") == f"?a=1&{name}\ufdd00\ufdd1"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("&copy", "©"),
        ("&copy;=", "©="),
        ("&copy &copy2", "© &copy2"),
        ("&notit; &not;it &nosuch;", "&notit; ¬it &nosuch;"),
        ("&#233;&#xE9;&#233=", "éé" + "é="),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("a&b&&", "a&b&&"),
    ],
)
def test_references_in_attributes(source, value):
    assert attribute_value(source) == value


def test_references_in_texts():
    assert text_value("&copy2024 &notit; &#233;") == "©2024 ¬it; é"
    assert text_value("&#x" + "f" * 5000) == "\ufffd"


@given(st.text(st.sampled_from("ab <>=\"'/!-?&;\ufdd0\ufdd10"), max_size=40))
def test_nothing_is_lost_and_nothing_is_refused(source):
    kept = "".join(token.data + "".join(map("".join, token.attributes)) for token in tokens(source))
    # names in lower case, references resolved: what remains is made of the same letters
    assert {character for character in html.unescape(source) if character in "ab"} >= {
        character for character in kept if character in "ab"
    }
