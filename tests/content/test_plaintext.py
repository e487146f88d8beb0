from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError

from bulkmail.content.plaintext import adapt, fragment_text, plain_text
from bulkmail.content.templates import TemplateSet
from bulkmail.content.tidying import tidy_text


def text_of(html: str, **variables: object) -> str:
    """What a recipient reads."""
    templates = TemplateSet({"x": html}, html=False, convert=plain_text)
    adapt(templates.environment)
    return tidy_text(templates.file("x", "x").render({**templates.globals, **variables}))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
        ("a   b\n  c<br>d", "a b c\nd\n"),
        ("<h1>Title</h1>body", "Title\n\nbody\n"),
        ("<ul><li>a</li><li>b</li></ul>end", "- a\n- b\n\nend\n"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b\n"),
        ("<ol reversed start=3 type=a><li>a<li>b<li value=1>c</ol>", "c. a\nb. b\na. c\n"),
        ("<ol reversed><li>a<li>b</ol>", "- a\n- b\n"),
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
        # links
        ('<a href="https://e.example/?a=1&region=eu&lt=5">x</a>', "x (https://e.example/?a=1&region=eu&lt=5)\n"),
        ('<a href="https://e.example" style="color:#fff;mso-hide:all">Buy</a>', "Buy (https://e.example)\n"),
        ('<a href="u"><img alt="A"></a><a href="v">B</a>, <a href="w"></a>c', "A (u) B (v), w c\n"),
        ('<table><tr><td><a href="u">x<td>y</table>', "x (u)  y\n"),
        ('<map><area href="u" alt="left"></map>', "left (u)\n"),
        ('<body><a href="u">x</body></html> y', "x\ny (u)\n"),
        # cells
        ("<table><tr><th><p>A</p></th><th><p>B</p></th></tr></table>", "A  B\n"),
        ("<table><tr><td><p>A</p></td><td></td><td><div>B</div><td>C</table>d", "A  B  C\n\nd\n"),
        ("<table><tr><td>A<br>B</td><td>C</td></tr></table>", "A\nB\nC\n"),
        ("<table><tr><td>1.</td><td><p>a</p><p>b</p></td></tr></table>", "1.  a\n\nb\n"),
        ("<ul><li><p>one</p><li><div>two</div></ul>", "- one\n\n- two\n"),
        # what is not seen
        ("<p hidden>HID</p><span style='font-size:0;max-height:0;overflow:hidden'>PRE</span><p>Hi</p>", "Hi\n"),
        ("<div style='visibility:hidden'>a<b style='visibility:visible'>b</b></div><p style='opacity:0'>c", "b\n"),
        ("<div style='font-size:0'>a<div style='font-size:13px'>b</div> <i class=x>c</i></div>", "b\nc\n"),
        ("<td style='font-size:0'>a<a href='u'><img alt='b'></a> <a href='v'><img></a></td>", "b (u) v\n"),
        ("<p style='display:none'>a<p>b", "b\n"),
        ("<div><span style='display:none'>a</div>b", "b\n"),
        ("<b style='display:none'>a<i>b</b>c</i>d", "cd\n"),
        ("<i><span hidden>a</i>b<p hidden>c<hr>d<h1 hidden>e<h2>f", "b\n\n------------------------------\n\nd\n\nf\n"),
        ("<head><head>b", "b\n"),
        ("<img alt=a style='display:none'><br hidden>b", "b\n"),
        ("<iframe>f<p>g</iframe><textarea>t</textarea><noframes>n</noframes><xmp><b>x</b></xmp>z", "z\n"),
        ("<head><title>t</title><div>x", "x\n"),
        ("<head> <meta charset=utf-8> x", "x\n"),
        ("<p>a</p><table><tr><td>&nbsp;<tr><td>&zwj;<tr><td>&#8202;&#847;</table><p>b</p>", "a\n\nb\n"),
        ("<![if !mso]>x<![endif]><!--[if !mso]><!-->y<!--<![endif]-->", "xy\n"),
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
        ("<!-- {% if v %} -->x{% else %}y{% endif %}z", {"v": False}, "yz\n"),
        # addresses
        ("<a href='?a=1&region={{ c }}&param={{ c }}'>x</a>", {"c": 1}, "x (?a=1&region=1&param=1)\n"),
        ("{% set u %} x?a=1&region=2{% endset %}<a href='{{ u }}'>go</a>", {}, "go (x?a=1&region=2)\n"),
        ("<a href='{{ u|safe }}'>go</a>", {"u": "x?a=1&region=2&amp;c"}, "go (x?a=1&region=2&c)\n"),
        ("<a href='{% block u %}http://x/?a&region=2{% endblock %}'>go</a>", {}, "go (http://x/?a&region=2)\n"),
        ("{% for u in x %}<a href='{{ u }}'>go{% endfor %}", {"x": "ab"}, "go (a)\ngo (b)\n"),
        # branches
        ("<div>a</div>{% if v %}b{% endif %}c", {"v": False}, "a\nc\n"),
        ("<div>a</div>{% if v %}b{% endif %}c", {"v": True}, "a\nbc\n"),
        ("<div>a</div>{% if v %}b{% else %}c{% endif %}d", {"v": False}, "a\ncd\n"),
        ("<div>a</div>{% if v %}b{% elif w %}<p>c</p>{% endif %}d", {"v": True, "w": 0}, "a\nbd\n"),
        ("<div>a</div>{% if v %}b{% elif w %}<p>c</p>{% endif %}d", {"v": False, "w": 1}, "a\n\nc\n\nd\n"),
        ("<div>a</div>{% for i in x %}{{ i }}{% endfor %}c", {"x": ""}, "a\nc\n"),
        ("<div>a</div>{% for i in x %}<div>{{ i }}</div>{% endfor %}c", {"x": "12"}, "a\n1\n2\nc\n"),
        ("<div>a</div>{% for i in x %}{{ i }}{% else %}none{% endfor %}c", {"x": ""}, "a\nnonec\n"),
        # what only the row tells
        ("a<{{ t }}>T</{{ t }}>b<h{{ n }}>c</h{{ n }}>", {"t": "h1", "n": 2}, "a\nT\nb\nc\n"),
        ("5 <{{ x }} and <b>bold</b>", {"x": 7}, "5 <7 and bold\n"),
        ("<tr>{% for i in x %}<td><p>{{ i }}</p></td>{% endfor %}</tr>b", {"x": "12"}, "1  2\nb\n"),
        ("<p>a</p><p>&nbsp;{{ e }}</p><p>b</p>", {"e": ""}, "a\n\nb\n"),
        ("<img {% if v %}alt='a'{% else %}alt='b'{% endif %}>", {"v": False}, "b\n"),
        ("<img alt='a' style='{% if v %}display:none{% endif %}'>b", {"v": True}, "b\n"),
        # white space of what is printed elsewhere
        (
            "Click {% macro l(u) %}<a href='{{ u }}'>go</a>{% endmacro %}on {{ l('x') }} now",
            {},
            "Click on go (x) now\n",
        ),
        ("<head>{% macro m(x) %}<p>{{ x }}</p>{% endmacro %}</head>{{ m(1) }}{{ m(2) }}", {}, "1\n\n2\n"),
        ("<title>{% set t %}T &amp; {{ x }}{% endset %}{{ t }}</title>{{ t }}", {"x": 1}, "T & 1\n"),
    ],
)
def test_tags_keep_working(html, variables, text):
    assert text_of(html, **variables) == (text or "go (https://e.example)\n")


@pytest.mark.parametrize("vip", [False, True])
@pytest.mark.parametrize(
    "html",
    [
        '<div style="{% if not vip %}display:none{% endif %}">Your <b>code</b> is {{ 5 }}</div>',
        "<div style=\"color:red;{{ '' if vip else 'display:none' }}\">Your <b>code</b> is {{ 5 }}</div>",
        '<div style="display:{{ "block" if vip else "none" }}">Your code is {{ 5 }}</div>',
        '<div {% if not vip %}style="display:none"{% endif %}>Your code is {{ 5 }}</div>',
        "<div {% if not vip %}hidden{% endif %}>Your code is {{ 5 }}</div>",
        '{% if vip %}<div>{% else %}<div style="display:none">{% endif %}Your code is {{ 5 }}</div>',
        "{% if not vip %}<div hidden>{% endif %}Your <div>code</div> is 5{% if not vip %}</div>{% endif %}",
        '<div style="{% if vip %}{% else %}visibility:hidden{% endif %}">{% set x = 5 %}Your code is {{ x }}</div>',
        '<table><tr style="{% if not vip %}display:none{% endif %}"><td>Your code is<td>{{ 5 }}</table>',
        '<div style="{% include hide %}">Your code is 5</div>',
        '{% for i in [1, 2] %}<p style="{% if i<2 or not vip %}display:none{% endif %}">Your code is 5{% endfor %}<p>',
        '{% if 1 %}<p style="{% if not vip %}display:none{% endif %}">Your code is 5{% endif %}<p>',
    ],
)
def test_only_the_row_tells_whether_it_is_seen(html, vip):
    files = {"x": f"<p>before {html} after", "hide": "{% if not vip %}display:none{% endif %}"}
    templates = TemplateSet(files, html=False, convert=plain_text)
    text = tidy_text(templates.file("x", "x").render({**templates.globals, "vip": vip, "hide": "hide"}))
    assert text.split() == ["before", *(["Your", "code", "is", "5"] if vip else []), "after"]


@pytest.mark.parametrize("vip", [False, True])
@pytest.mark.parametrize(
    ("html", "shown", "else_shown"),
    [
        ('<a {% if vip %}href="x"{% else %}href="y"{% endif %}>go</a> on', "go (x) on", "go (y) on"),
        ('<a {% if vip %}href="x"{% endif %}>go</a> on', "go (x) on", "go on"),
        ('<a href="{% if vip %}x{% endif %}"><img src="i"></a> on', "x on", "on"),
        ('{% if vip %}<a href="x">{% else %}<a href="y">{% endif %}go</a> on', "go (x) on", "go (y) on"),
        ('{% if vip %}<a href="x">{% endif %}go{% if vip %}</a>{% endif %} on', "go (x) on", "go on"),
        ('<a href="x">{% if vip %}go</a>{% else %}stay</a>{% endif %} on', "go (x) on", "stay (x) on"),
        ('<a {% if vip %}class="c"{% endif %} href="{% block u %}x{% endblock %}">go</a> on', "go (x) on", "go (x) on"),
    ],
)
def test_only_the_row_tells_where_a_link_leads(html, shown, else_shown, vip):
    assert text_of(html, vip=vip).strip() == (shown if vip else else_shown)


@pytest.mark.parametrize(
    "place",
    [
        "<style>{}</style>",
        "<title>{}</title>",
        "<head><style>{}</style></head>",
        "<script>{}</script>",
        "<!-- {} -->",
        "<!--[if mso]>{}<![endif]-->",
        "<div style='display:none'>{}</div>",
        "<textarea>{}</textarea>",
        "<p class='{}'></p>",
    ],
)
@pytest.mark.parametrize(
    "printing",
    [
        "{% include 'css' %}",
        "{% block style %}p{}{% endblock %}",
        "{% block style %}{% endblock %}",
        "{% call m() %}p{}{% endcall %}",
        "{% filter upper %}p{}{% endfilter %}",
        "{{ m() }}{{ self.own() }}",
        "{% for i in [1, 2] %}{% if i %}{% include 'css' %}{% endif %}{% endfor %}",
        "{% from 'macros' import n %}{{ n() }}",
    ],
)
def test_what_is_not_seen_prints_nothing(place, printing):
    body = "{% extends 'base' %}{% block style %}p { color: #333 }{% endblock %}{% block own %}<p>own</p>{% endblock %}"
    base = "{% macro m() %}p { m } {{ caller is defined }}{% endmacro %}<html>" + place.replace("{}", printing)
    files = {
        "body": body,
        "base": base + "<body>{{ self.own() }}<i>{% block own %}{% endblock %}</i></body></html>",
        "css": "p { color: #333 }",
        "macros": "{% macro n() %}p { n }{% endmacro %}",
    }
    templates = TemplateSet(files, html=False, convert=plain_text)
    adapt(templates.environment)
    assert tidy_text(templates.file("body", "x").render(templates.globals)).split() == ["own", "own"]


def test_in_a_part_without_size_what_may_have_one_is_printed():
    card = "{% macro card(x) %}<div style='font-size:13px'>{{ x }}</div>{% endmacro %}"
    files = {
        "x": card + "<div style='font-size:0'>{{ p }} {{ card(1) }} {% include 'y' %}{{ s|safe }}</div>",
        "y": "<p style='font-size:13px'>2</p>",
    }
    templates = TemplateSet(files, html=False, convert=plain_text)
    adapt(templates.environment)
    assert tidy_text(templates.file("x", "x").render({"p": "preview", "s": "<b>3</b>"})).split() == ["1", "2", "3"]


def test_what_files_print_runs_neither_together_nor_apart():
    files = {
        "body": "{% extends 'base' %}{% block a %}one{% endblock %}\n{% block b %}two{% endblock %}"
        "{% block c %}<p>three</p>{% endblock %}{% block d %}four{% endblock %}",
        "base": "<div>{% block a %}{% endblock %}</div><div>{% block b %}{% endblock %}</div>"
        "{% block c %}{% endblock %}(<b>{% block d %}{% endblock %}</b>) {% include 'name' %}! {% include 'p' %}"
        "five<div>{% include 'name' %}</div>",
        "name": "Ann",
        "p": "<p>p</p>",
    }
    templates = TemplateSet(files, html=False, convert=plain_text)
    text = tidy_text(templates.file("body", "x").render({}))
    assert text == "one\ntwo\n\nthree\n\n(four)\nAnn!\n\np\n\nfive\n\nAnn\n"


def test_a_block_that_is_not_seen_is_printed_elsewhere():
    files = {
        "body": "{% extends 'base' %}{% block title %}Tom &amp; {{ n }}{% endblock %}",
        "base": "<head><title>{% block title %}none{% endblock %}</title></head><h1>{{ self.title() }}</h1>{{ n }}",
    }
    templates = TemplateSet(files, html=False, convert=plain_text)
    assert tidy_text(templates.file("body", "x").render({"n": "Jo"})) == "Tom & Jo\n\nJo\n"


def test_blocks_and_includes_are_converted_too():
    files = {
        "body": "{% extends 'base' %}{% block main %}<p>Hi {{ n }}</p>{% include 'foot' %}{% endblock %}",
        "base": "<html><head><title>x</title></head><body>{% block main %}{% endblock %}</body></html>",
        "foot": "<hr><p>bye</p>",
    }
    templates = TemplateSet(files, html=False, convert=plain_text)
    text = tidy_text(templates.file("body", "x").render({"n": "Ann"}))
    assert text == "Hi Ann\n\n------------------------------\n\nbye\n"


def test_a_broken_template_is_not_guessed_at():
    with pytest.raises(TemplateSyntaxError):
        plain_text("{{ x ")


def test_fragments_and_tidying():
    assert fragment_text("<p>a {b}</p><p>c</p>") == "a {b}\n\nc"
    assert tidy_text("\n\n\na\n\n\n\n\nb\n\n") == "a\n\nb\n"


PIECES = ["<![", "<!--", "<?", "</", "<a ", '<a href="', "<a href=", "<", "&", "&#", "<style>", "<p>", "<div></span>"]
PIECES += ["<b><p></b>", "<span><table><td><b>", "<tr><td>", "<ul><li>", "<a href=x>y", "<td>x</td>", "<p style='/*"]
PIECES += ["&nbsp; ", " ", "<pre> ", "<br>", "<div hidden><b></b>", "\ufdd2", "<h\ufdd0"]
TAGGED = ["{{ x }}", "{% if x %}{% endif %}", "<p {% if x %}a{% endif %}>", "<a href={{ x }}>q", "<{{ x }} "]
TAGGED += ["<p style='{{ x }}'>", "{% if x %}<p hidden>{% endif %}", "{% if x %}<a href=y>{% endif %}"]


@pytest.mark.heavy
@pytest.mark.parametrize("piece", [*PIECES, *TAGGED])
def test_the_time_grows_with_the_length_alone(piece):
    for convert in (plain_text, fragment_text) if piece in PIECES else (plain_text,):
        took = []
        for length in (8_000, 32_000):
            begun = time.process_time()
            convert(piece * (length // len(piece)))
            took.append(time.process_time() - begun)
        assert took[1] < 10 * took[0] + 0.2, took  # four times as long; the square would be sixteen times


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
            "</b>",
            "<b hidden>",
            "<title>",
            "</title>",
            "<p style='{{ x }}'>",
            "<p style='display:none",
            "{% if x %}",
            "{% else %}",
            "{% endif %}",
            "<a {% if x %}href='u'{% endif %}>",
            "<{{ x }}>",
            "</{{ x }}>",
            "{% macro m() %}",
            "{% endmacro %}",
            "{% set z %}",
            "{% endset %}",
            "{% filter upper %}",
            "{% endfilter %}",
            "{% block b %}{% endblock %}",
            "class='{% if x %}",
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
    began = time.process_time()
    fragment_text("<![if" * 40_000 + "<p>end</p>")
    assert time.process_time() - began < 2.0  # 30 s when each was looked for to the end of the text
