from __future__ import annotations

import pytest
from jinja2 import Environment

from bulkmail.content.attributes import Attributes
from bulkmail.content.markup import tokens
from bulkmail.content.shield import Tags, shielded


def read(source):
    """The attributes of the first tag in a template, and the tags that must stay."""
    hidden, tags = shielded(Environment(), source)
    token = next(iter(tokens(hidden)))
    found = Attributes(Tags(tags), token.data, token.attributes)
    return found, Tags(tags).blocks(found.rest)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("<a href=' x&amp;y '>", "x&y"),
        ("<a href=x href=y>", "x"),
        ("<a href='{{ u }}?{'>", "{{ u }}?{{ '{' }}"),
        ("<a href='{% if v %}x{% else %}y{% endif %}'>", "{% if v %}x{% else %}y{% endif %}"),
        ("<a {% if v %}href='x'{% else %}href='y'{% endif %}>", "{% if v %}x{% else %}y{% endif %}"),
        ("<a {% if v %}href=x{% endif %}>", "{% if v %}x{% endif %}"),
        ("<a {% if v %}class=c{% endif %} href=x>", "{% if v %}{% endif %}x"),
        ("<a href='{% if v %}x'>{% endif %}", ""),
        ("<p href=x>", ""),
    ],
)
def test_where_a_link_leads(source, target):
    assert read(source)[0].target == target


@pytest.mark.parametrize(
    ("source", "style", "varying"),
    [
        ("<p style='color:red'>", "color:red;", ""),
        ("<p hidden>", "display:none;", ""),
        ("<p style='display:none;color:{{ c }}'>", "", "display:none;color:{{ c }};"),
        ("<p style='text-decoration:none;color:{{ c }}'>", "text-decoration:none;color: ;", ""),
        ("<p style='color:{{ c }};{{ more }}'>", "", "color:{{ c }};{{ more }};"),
        ("<p style='{% if v %}display:none{% endif %}'>", "", "{% if v %}display:none{% endif %};"),
        ("<p {% if v %}style='display:none'{% endif %}>", "", "{% if v %}display:none;{% endif %}"),
        ("<p {% if v %}hidden{% endif %}>", "", "{% if v %}display:none;{% endif %}"),
        ("<p {% if v %}class=x{% endif %}>", " " * 2, ""),
    ],
)
def test_what_may_hide(source, style, varying):
    found, _rest = read(source)
    assert (found.style, found.varying) == (style, varying)


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ("<p class='{% if v %}x{% endif %}'>", []),
        ("<p class='{% set v = 1 %}x'>", ["{% set v = 1 %}"]),
        ("<a href='{% block u %}x{% endblock %}' {% if v %}class=x{% endif %}>", []),
        ("<p class='{% if v %}'>{% endif %}", ["{% if v %}"]),
        ("<p {% if v %}>{% endif %}", ["{% if v %}"]),
    ],
)
def test_what_must_stay(source, rest):
    assert read(source)[1] == rest
