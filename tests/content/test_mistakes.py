from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError

from bulkmail.content.mistakes import Places, explain, meant, shown, tags
from bulkmail.content.templates import TemplateSet

COLUMNS = frozenset({"email", "first_name", "city", "amount"})
ENVIRONMENT = TemplateSet({}, html=False).environment


def reads(source):
    try:
        ENVIRONMENT.parse(source)
    except TemplateSyntaxError:
        return False
    return True


def told(source):
    """Where and what, of a template that Jinja2 cannot read."""
    with pytest.raises(TemplateSyntaxError) as caught:
        ENVIRONMENT.parse(source)
    found = explain(source, caught.value.lineno, caught.value.message, COLUMNS, reads)
    return f"{found.line}:{found.column}: {found.words}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x\n {{ First Name }}", "2:2: `{{ First Name }}`: a column's name is written in small letters, with _ in"),
        ("{{ First Name|upper }}", "{{ first_name |upper }}"),
        ("{{ \u201cfirst_name\u201d }}", "1:1: the typographic quote \u201c stands in"),
        ("{{ city|default(\u201cx\u201d) }}", "write straight ones: ' or \""),
        ("{{&nbsp;first_name}}", "1:1: `&nbsp;` stands inside the tag `{{&nbsp;first_name}}`, put there by an editor"),
        ("{% if city &gt; 'a' %}x{% endif %}", "`&gt;` stands inside the tag"),
        ("{{ <b>city</b> }}", "the HTML `<b>` stands inside the tag `{{ <b>city</b> }}`; write {{ city }}"),
        ("{{ ci\u200bty }}", "a character that cannot be seen (U+200B) stands in"),
        ("a{{color:red}}", "1:2: `{{color:red}}` is taken for a template's tag; where it is a style sheet"),
        ("@media screen{#head{a:b}}", "1:14: {# begins a remark, and no #} ends it"),
        ("Hello {{ first_name }\nx", "1:7: `{{ first_name }` is not closed; write {{ first_name }}"),
        ("a\n{{ first_name\n{{ city }}", "2:1: `{{ first_name` is not closed; write {{ first_name }}"),
        ("{{ first_name|upper() }", "is not closed; write two braces, }}, at its end"),
        ("{% if city ", "1:1: `{% if city` is not closed; write %} at its end"),
        ("{% if city %}\n{% if amount %}x{% endif %}", "1:1: `{% if city %}` has no end; write {% endif %}"),
        ("a {% endfor %}", "1:3: `{% endfor %}` ends nothing: no {% for %} is open here"),
        ("{% if city = 'x' %}{% endif %}", "two equal signs compare: {% if city == 'x' %}"),
        ("{% if city %}{% else if amount %}{% endif %}", "1:14: `{% else if amount %}` is written {% elif amount %}"),
        ("{% if city %}{% elsif amount %}{% endif %}", "is written {% elif amount %}"),
        ("{{#if city}}x{{/if}}", "is written for another tool (Handlebars, Mustache)"),
        ("{{{ city }}}", "has three braces; write two: {{ city }}"),
        ("{{ .Subscriber.City }}", "is written for another tool; here a column is printed by its name: {{ city }}"),
        ("{{ }}", "1:1: `{{ }}` names nothing; write a column's name into it: {{ first_name }}"),
        ("{{ Postal Code }}", "is no column; the columns are amount, city, email, first_name"),
        ("{{ city and }}", "cannot be read; did you mean {{ city }}?"),
        ("{{ 1 st }}", "1:1: `{{ 1 st }}` cannot be read: expected token"),
        ("{{ city }} {{ \x1b[31m }}", "`{{ \\x1b[31m }}` cannot be read"),
    ],
)
def test_a_mistake_has_its_place_and_its_remedy(source, words):
    assert words in told(source)


def test_tags_and_raw_texts():
    source = "a{{ b }}{% raw %}{{ c }}{% endraw %}{# {{ d }} #}{{ e {{ f }}"
    assert [(tag.kind, tag.inner.strip(), tag.closed) for tag in tags(source)] == [
        ("{{", "b", True),
        ("{#", "{{ d }}", True),
        ("{{", "e", False),
        ("{{", "f", True),
    ]


@given(st.lists(st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "{% raw %}", "{% endraw %}", "a", "\n", " "])))
def test_tags_are_in_order_and_inside_the_text(pieces):
    source = "".join(pieces)
    at = 0
    for tag in tags(source):
        assert at <= tag.start < tag.end <= len(source)
        assert source.startswith(tag.kind, tag.start)
        at = tag.start + 1 if not tag.closed else tag.end


@given(st.text(alphabet="a\n\r", max_size=30))
def test_places(source):
    places = Places(source)
    for at in range(len(source)):
        assert places.of(at) == (source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at))


@pytest.mark.parametrize(
    ("text", "column"),
    [("First Name", "first_name"), ("FIRSTNAME", "first_name"), ("frist_name", "first_name"), ("x", ""), ("", "")],
)
def test_the_column_that_is_meant(text, column):
    assert meant(text, COLUMNS) == column


def test_what_is_shown_is_one_short_line():
    assert shown("a\n b\x1b[2J") == "a b\\x1b[2J"
    assert len(shown("x" * 1000)) == 60
