"""Style sheets in elements: the author's text stays, tags of Jinja2 stay, and the row decides where it must."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("css_inline", reason="the extra `html` is not installed")

from bulkmail.content.inlining import inlined, inlined_letter
from bulkmail.content.templates import TemplateSet

ENVIRONMENT = TemplateSet({}, html=True).environment
DOCTYPE = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/xhtml1.dtd">'


def styled(body: str, css: str = "p{color:red} .a{margin:0}") -> str:
    return f"<html><head><style>{css}</style></head><body>{body}</body></html>"


def body_of(source: str) -> str:
    made = inlined(ENVIRONMENT, source)
    assert made.reason == ""
    return made.source.partition("<body>")[2].removesuffix("</body></html>")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>x", '<p style="color: red">x'),
        ("<P CLASS=a  ID='b' >x</P>", "<P CLASS=a  ID='b' style=\"color: red; margin: 0\" >x</P>"),
        ('<p style="color:blue">x</p>', '<p style="color: red; color:blue">x</p>'),
        ("<p style='color:{{ c }};'>x</p>", "<p style='color: red; color:{{ c }}'>x</p>"),
        ("<p style>x</p>", '<p style style="color: red">x</p>'),
        ("<td><br/><img src=a>&nbsp;&copy;", "<td><br/><img src=a>&nbsp;&copy;"),
        ("<!--[if mso]><p>x</p><![endif]--><![if !mso]>y<![endif]>",) * 2,
        (
            "<table>{% for x in y %}<td class='a'>{{ x > 1 }}</td>{% endfor %}</table>",
            "<table>{% for x in y %}<td class='a' style=\"margin: 0\">{{ x > 1 }}</td>{% endfor %}</table>",
        ),
        (
            "<p>{# a comment > #}{% raw %}{{ no }}{% endraw %}</p>",
            '<p style="color: red">{# a comment > #}{% raw %}{{ no }}{% endraw %}</p>',
        ),
        ('<p title="{{ a }}">{{ "<p>" }}</p>', '<p title="{{ a }}" style="color: red">{{ "<p>" }}</p>'),
    ],
)
def test_only_styles_are_written(before: str, after: str) -> None:
    assert body_of(styled(before)) == after


def test_what_was_written_is_taken_out_of_the_sheet_and_the_rest_stays() -> None:
    css = "p{color:red}\n a:hover{color:blue}\n@media (max-width:9px){\np{color:red!important}}"
    made = inlined(ENVIRONMENT, DOCTYPE + styled("<p>x</p>", css))
    assert made.source.startswith(DOCTYPE + "<html><head><style>a:hover { color: blue; } @media (max-width:9px){")
    assert "p{color:red}" not in made.source
    assert made.source.count("\n") == 3  # so that errors name the author's lines


def test_a_sheet_that_outlook_needs_stays_whole() -> None:
    source = styled("<!--[if mso]><p class=a>x</p><![endif]--><p>y</p>")
    assert "<style>p{color:red} .a{margin:0}</style>" in inlined(ENVIRONMENT, source).source


def test_a_sheet_for_print_stays_as_it_is() -> None:
    source = "<style media=print>p{color:black}</style><style>p{margin:0}</style><p>x</p>"
    assert inlined(ENVIRONMENT, source).source == (
        '<style media=print>p{color:black}</style><style></style><p style="margin: 0">x</p>'
    )


def test_important_wins_over_the_authors_own_style() -> None:
    assert body_of(styled('<p style="color:blue">x</p>', "p{color:red!important}")) == (
        '<p style="color:blue; color: red">x</p>'
    )


@pytest.mark.parametrize(
    ("body", "css", "why"),
    [
        ('<p class="{% if a %}a{% endif %}">x</p>', "p{color:red}", "the row decides the `class`"),
        ("<p {% if a %}class=a{% endif %}>x</p>", "p{color:red}", "inside of an element's tag"),
        ("{% if a %}<div>{% endif %}x{% if a %}</div>{% endif %}", "p{color:red}", "opened on one side of `{% endif"),
        ("{% if a %}<p>x</p>{% endif %}", "p:first-child{color:red}", "neighbours"),
        ("<p>{{ x }}</p>", "p:empty{color:red}", "empty"),
        ("<p align='{{ a }}'>x</p>", "[align=right]{color:red}", "the attribute `align`"),
        ("<p>{% if a %}x{% endif %}</p>", "p{ {% if a %}color:red{% endif %} }", "in a style sheet"),
        ("{% include 'foot.html' %}", "p{color:red}", "made of parts (`{% include %}`)"),
        ("{{ letter|safe }}", "p{color:red}", "elements of its own"),
        ("<div><p>x</p>", "p{color:red}", "`<div>` is not closed"),
        ("<p>x</p>", "p{color:red}}", "cannot be read"),
    ],
)
def test_what_cannot_be_told_of_all_rows_is_left_to_each_letter(body: str, css: str, why: str) -> None:
    source = styled(body, css)
    made = inlined(ENVIRONMENT, source)
    assert why in made.reason
    assert made.source == source


def test_texts_in_conditions_decide_nothing_about_neighbours() -> None:
    made = body_of(styled("<p>{% if a %}{{ a }}{% endif %}</p><p>x</p>", "p + p{color:red}"))
    assert made == '<p>{% if a %}{{ a }}{% endif %}</p><p style="color: red">x</p>'


def test_without_a_sheet_nothing_is_touched() -> None:
    assert inlined(ENVIRONMENT, "<p {% if").source == "<p {% if"


def test_a_letter_keeps_its_document_type_fallbacks_and_outlooks_comments() -> None:
    letter = (
        DOCTYPE + "<html><head><style>p{background:red;background:linear-gradient(red,blue)} a:hover{color:red}</style>"
        "</head><body><!--[if mso]><b>m</b><![endif]--><![if !mso]><p>x &amp; y</p><![endif]></body></html>"
    )
    made = inlined_letter(letter)
    assert made.startswith(DOCTYPE)
    assert '<p style="background: red; background: linear-gradient(red,blue)">x &amp; y</p>' in made
    assert "<!--[if mso]><b>m</b><![endif]--><![if !mso]>" in made
    assert made.count("<![endif]>") == 1
    assert re.search(r"<style>a:hover \{ color: red; \}</style>", made)


def test_a_letter_is_never_asked_for_a_sheet_from_elsewhere() -> None:
    letter = '<link rel="stylesheet" href="http://127.0.0.1:9/none.css"><style>p{color:red}</style><p>x</p>'
    assert '<p style="color: red;">x</p>' in inlined_letter(letter)
