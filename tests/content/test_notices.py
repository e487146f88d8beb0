from __future__ import annotations

import time

import pytest

from bulkmail.content.check import check_content
from bulkmail.content.notices import content_notices


@pytest.fixture
def told(make):
    """The notices about a content that the check takes, as text."""

    def told(**changes):
        content = make(**changes)
        assert check_content(content) == []
        return [str(problem).removeprefix(": ") for problem in content_notices(content)]

    return told


@pytest.mark.parametrize(
    "source",
    [
        "<p>{% if first_name %}Dear {{ first_name }}{% endif %}</p>",
        "{% if first_name %}{% else %}Hello{% endif %}",
        "{% if not first_name %}{% elif email %}x{% endif %}",
        "{% for a in [1, 2] %}{% if not loop.last %} {% endif %}{{ a }}{% endfor %}",
        "{% if first_name %}{% set name = first_name %}{% endif %}{% for a in [1] %}{% set b = a %}{% endfor %}",
        "{% block content %}{% endblock %}{% macro m() %}{% endmacro %}",
        '<p class="a {{ first_name }}">{% if first_name %}x{% endif %}</p>',
        '<p class="a" style="{% if first_name %}color:red{% endif %}">x</p>',
        "<a href='https://a.example/?q=%7Bx%7D'>{{ first_name }}</a>",
    ],
)
def test_what_may_well_be_meant_is_not_told(told, source):
    assert told(html=source) == []


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ("<p>a</p>\n  {% if first_name %}{% endif %}<table>", "2:3", "there is nothing in this `if`"),
        ("{%- for a in [1] -%}\n{% endfor %}<tr></tr>", "1:1", "there is nothing in this `for`"),
        ("{% if first_name %}\n{% else %}\n{% endif %}", "1:1", "there is nothing in this `if`"),
        ("{% if first_name %}{% elif email %}{% endif %}", "1:1", "there is nothing in this `if`"),
        ("{% if first_name %}{# gone #}{% endif %}", "1:1", "there is nothing in this `if`"),
        ('<p class="a {% if first_name %}star{% endif %}">x</p>', "1:13", "stands in a class attribute"),
        ("<p\nCLASS = '{% if first_name == \"a\" %}b{% endif %}'>x</p>", "2:10", "stands in a class attribute"),
        ('<p class="{{ first_name }} {% if email %}b{% endif %}">x</p>', "1:28", "stands in a class attribute"),
        ('<a href="https://a.example/%7B%7B%20token%20%7D%7D">x</a>', "1:28", "`%7B%7B` is an encoded brace"),
        ("<p>&#123;&#123; first_name }}</p>", "1:4", "is an encoded brace"),
        ("<p>&lbrace;% if x %}</p>", "1:4", "is an encoded brace"),
    ],
)
def test_what_another_program_has_done_is_told_with_its_place(told, source, place, words):
    (notice,) = told(html=source)
    assert notice.startswith(f"body.html.j2:{place}: ")
    assert words in notice


def test_mjml_that_was_not_compiled(told):
    source = "<mjml><mj-body>\n<mj-raw>{% if first_name %}</mj-raw><mj-text>{% if email %}x{% endif %}</mj-text>\n"
    end = "<mj-raw>{% endif %}</mj-raw></mj-body></mjml>"
    (notice,) = told(html=source + end)
    assert notice.startswith("body.html.j2:1:1: <mjml> is MJML, which mail programs do not know; compile it")
    middle = "<mj-section>\n {% if first_name %}<mj-column>x</mj-column>{% endif %}</mj-section>"
    compiler, between = told(html=source + middle + end)
    assert compiler == notice
    assert between.startswith("body.html.j2:4:2: a {% %} tag stands between MJML components")


def test_includes_are_looked_at_and_the_text_is_no_html(told):
    found = told(
        html="{% include 'a.html' %}",
        text='{% if first_name %}{% endif %} class="{% if email %}x{% endif %}"',
        includes={"a.html": "x\n{% if email %}{% endif %}"},
    )
    assert [notice.partition(": ")[0] for notice in found] == ["a.html:2:1", "body.txt.j2:1:1"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.example/u?e={{ email }}&t={{ token }}", "email"),
        ("https://a.example/{{ first_name|lower }}/{{ campaign }}", "first_name"),
        ('https://a.example/{{ row["First Name"] }}', "row['First Name']"),
        ("https://a.example/{% if first_name %}{{ email }}{% endif %}", "email"),
        ("https://a.example/{{ 'x' ~ email }}", "email"),
    ],
)
def test_a_column_in_the_unsubscribe_url_wants_urlencode(told, url, name):
    (notice,) = told(unsubscribe={"url": url, "mailto": None}, columns=[["email", "First Name"]])
    assert notice.startswith(f"unsubscribe.url: `{name}` is printed without urlencode")
    assert notice.endswith(f"write {{{{ {name}|urlencode }}}}")


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/u/{{ token }}/{{ campaign }}",
        "https://a.example/u?e={{ email|urlencode }}",
        "https://a.example/{% if first_name %}a{% endif %}/{{ token }}",
        "https://a.example/{% set e = email|urlencode %}{{ e }}",
        "{{ first_name }}",
    ],
)
def test_what_needs_no_urlencode_is_not_told(told, url):
    assert told(unsubscribe={"url": url, "mailto": None}) == []


def test_a_token_behind_a_hash_is_told(told):
    (notice,) = told(unsubscribe={"url": "https://a.example/#/u/{{ token }}", "mailto": None})
    assert "behind # is not sent to the server" in notice


@pytest.mark.heavy
@pytest.mark.parametrize(
    "piece", ['class="', "<mj-raw>", "{% if email %}{% endif %}", "&#123;", '<p class="{{ email }}', "%7B"]
)
def test_a_large_template_costs_no_more_than_its_length(make, piece):
    began = time.process_time()
    content_notices(make(html=piece * (200_000 // len(piece)) + ("" if "%" in piece else "{% if email %}x{% endif %}")))
    assert time.process_time() - began < 20


def test_a_columns_name_in_quotes_is_told(told):
    (notice,) = told(html='{{ first_name }}\n{{ "first_name" }}{{ "Hello" }}')
    assert notice == "body.html.j2:2: 'first_name' in quotes prints these letters; the column is {{ first_name }}"
