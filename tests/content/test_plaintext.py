from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError

from bulkmail.content.plaintext import adapt, fragment_text, plain_text, tidy_text
from bulkmail.content.templates import Library


def text_of(html: str, **variables: object) -> str:
    """What a recipient reads."""
    library = Library({"x": html}, html=False, convert=plain_text)
    adapt(library.environment)
    return tidy_text(library.file("x", "x").render({**library.globals, **variables}))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
        ("a   b\n  c<br>d", "a b c\nd\n"),
        ("<h1>Title</h1>body", "Title\n\nbody\n"),
        ("<ul><li>a</li><li>b</li></ul>end", "- a\n- b\n\nend\n"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b\n"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c\n"),
        (
            'see <a href="https://e.example/?a=1&amp;b=2">the <b>shop</b></a>.',
            "see the shop (https://e.example/?a=1&b=2).\n",
        ),
        ('<a href="https://e.example">https://e.example</a>', "https://e.example\n"),
        ('<a href="mailto:a@b.example">a@b.example</a> <a href="#top">up</a> <a>x</a>', "a@b.example up x\n"),
        ('<a href="https://e.example"><img src="x" alt="Shop now"></a>', "Shop now (https://e.example)\n"),
        ('<a href="https://e.example"><img src="x"></a>', "https://e.example\n"),
        ("<table><tr><td>A</td><td>B</td></tr><tr><th>C</th></tr></table>", "A  B\nC\n"),
        ("a<hr>b", "a\n\n------------------------------\n\nb\n"),
        ("&copy; &lt;b&gt; &amp;amp; &euro;&nbsp;5", "© <b> &amp; €\xa05\n"),
        ("<pre>a\n  b\n</pre>", "a\n  b\n"),
        ("<head><title>t</title><style>p{}</style></head><body>x<script>var a='<p>'</script></body>", "x\n"),
        ("<head><meta charset=utf-8><body>x", "x\n"),
        ('<div style="color:red; display: none">preview</div>x', "x\n"),
        ("<!-- note --><!--[if mso]><p>old</p><![endif]-->x<![CDATA[y]]><?php z ?>", "x\n"),
        ("a < b and {x}", "a < b and {x}\n"),
        ("", "\n"),
        ("</p></li></ul></td></a></pre>x", "x\n"),
    ],
)
def test_html_as_text(html, text):
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "variables", "text"),
    [
        ("<p>Dear {{ name }},</p>", {"name": "<Ann>"}, "Dear <Ann>,\n"),
        ("<ul>\n{% for i in x %}\n <li>{{ i }}</li>\n{% endfor %}\n</ul>", {"x": "ab"}, "- a\n- b\n"),
        ("<ul>{%- for i in x -%}\n<li>{{- i -}}</li>{%- endfor -%}</ul>", {"x": "ab"}, "- a\n- b\n"),
        ("<ol>{% for i in x %}<li>{{ i }}</li>{% endfor %}</ol>", {"x": "ab"}, "- a\n- b\n"),
        ("<p>{% for i in x %}{{ i }}<br>{% endfor %}</p>", {"x": "ab"}, "a\nb\n"),
        ("a {% if v %}VIP {% endif %}b", {"v": True}, "a VIP b\n"),
        ("a {% if v %}VIP {% endif %}b", {"v": False}, "a b\n"),
        ("<p>a</p>{% if v %}<p>b</p>{% endif %}<p>c</p>", {"v": False}, "a\n\nc\n"),
        ("<p>a</p>{% if v %}<p>b</p>{% endif %}<p>c</p>", {"v": True}, "a\n\nb\n\nc\n"),
        ("<style>{% set v = 'kept' %}</style><p {% if v %}class=x{% endif %}>{{ v }}", {}, "kept\n"),
        ('<a href="{{ u }}">go</a>', {"u": "https://e.example/?a&b"}, "go (https://e.example/?a&b)\n"),
        ('<a href="{% if u %}A{% else %}B{% endif %}">go</a>', {"u": ""}, "go (B)\n"),
        ('<a href="{{ u }}">{% if u %}go{% endif %}</a>', {"u": "https://e.example"}, "go (https://e.example)\n"),
        ("{# secret #}x{% raw %}{{ y }}{% endraw %}", {}, "x{{ y }}\n"),
        ("&#123;&#123; 7*7 }} &#123;% if %}", {}, "{{ 7*7 }} {% if %}\n"),
        ("{{ s|safe }}", {"s": "<p>Fish &amp; <b>chips</b></p>"}, "Fish & chips\n"),
        ("{{ s|e }} {{ s|escape }} {{ s|striptags }}", {"s": "a & b"}, "a & b a & b a & b\n"),
        ("{% autoescape true %}{{ s }}{% endautoescape %}", {"s": "a & b"}, "a & b\n"),
        ("{% macro b(u) %}<a href='{{ u }}'>go</a>{% endmacro %}<p>{{ b('https://e.example') }}</p>", {}, None),
        ("<!-- {% if v %} -->x<!-- {% endif %} -->", {"v": True}, "x\n"),
    ],
)
def test_tags_keep_working(html, variables, text):
    assert text_of(html, **variables) == (text or "go (https://e.example)\n")


def test_blocks_and_includes_are_converted_too():
    files = {
        "body": "{% extends 'base' %}{% block main %}<p>Hi {{ n }}</p>{% include 'foot' %}{% endblock %}",
        "base": "<html><head><title>x</title></head><body>{% block main %}{% endblock %}</body></html>",
        "foot": "<hr><p>bye</p>",
    }
    library = Library(files, html=False, convert=plain_text)
    text = tidy_text(library.file("body", "x").render({"n": "Ann"}))
    assert text == "Hi Ann\n\n------------------------------\n\nbye\n"


def test_a_broken_template_is_not_guessed_at():
    with pytest.raises(TemplateSyntaxError):
        plain_text("{{ x ")


def test_fragments_and_tidying():
    assert fragment_text("<p>a {b}</p><p>c</p>") == "a {b}\n\nc"
    assert tidy_text("\n\n\na\n\n\n\n\nb\n\n") == "a\n\nb\n"


HTML = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</p>",
            "<a href='u'>",
            "</a>",
            "<ul>",
            "<li>",
            "</ul>",
            "<td>",
            "</td>",
            "<br>",
            "<pre>",
            "</pre>",
            "<style>",
            "</style>",
            "<head>",
            "<body>",
            "<div style='display:none'>",
            "</div>",
            "<img alt='i'>",
            "<!--",
            "-->",
            "{{ x }}",
            "{% set y = x %}",
            "{% if x %}yes{% endif %}",
            "{% for i in x %}",
            "{% endfor %}",
            "{",
            "%}",
            "#}",
            "word",
            " ",
            "\n",
            "&#123;",
            "&lt;",
            "\ufdd00\ufdd1",
            "<",
            "<a href='{{ x }}'",
            "'",
            ">",
            "<svg>",
            "<![x",
            "<?",
        ]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=200)
@given(HTML)
def test_what_jinja2_could_read_it_can_read_afterwards(html):
    try:
        Environment().parse(html)
    except TemplateSyntaxError:
        return
    text = plain_text(html)
    Environment().parse(text)
    assert "\ufdd0" not in text


def test_marked_sections_that_never_end_cost_no_more_than_their_length():
    began = process_time()
    fragment_text("<![if" * 40_000 + "<p>end</p>")
    assert process_time() - began < 2.0  # 30 s when each was looked for to the end of the text
