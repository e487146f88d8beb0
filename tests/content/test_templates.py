from __future__ import annotations

import pytest
from jinja2 import Environment, TemplateNotFound, TemplateSyntaxError

from bulkmail.content.templates import OUTPUT_CAP, RowError, TemplateSet


def render(source: str, *, html: bool = False, files: dict[str, str] | None = None, **variables: object) -> str:
    templates = TemplateSet({"body": source, **(files or {})}, html=html)
    return templates.file("body", "text body").render({**templates.globals, **variables})


def refusal(source: str, **variables: object) -> str:
    with pytest.raises(RowError) as caught:
        render(source, **variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_html_is_escaped_and_text_is_not():
    assert render("{{ x }}", html=True, x="<script>&") == "&lt;script&gt;&amp;"
    assert render("{{ x }}", x="<script>&") == "<script>&"
    files = {"part.txt": "{{ x }}"}
    assert render("{% include 'part.txt' %}", html=True, files=files, x="<b>") == "&lt;b&gt;"


def test_data_is_never_compiled():
    assert render("{{ x }}", x="{{7*7}}{% if %}") == "{{7*7}}{% if %}"


def test_the_variables_are_not_changed():
    variables = {"x": "1", "range": range}
    TemplateSet({"body": "{% set x = 2 %}{% set y = 3 %}{{ x }}"}, html=False).file("body", "b").render(variables)
    assert variables == {"x": "1", "range": range}


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ row.update({'a': 1}) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include '../secret' %}",
        "{% include '/etc/passwd' %}",
        "{{ undefined_name }}",
        "{{ row['nope'] }}",
    ],
)
def test_the_way_out_is_closed(source):
    assert refusal(source, x="1", row={"a": "b"}).startswith("text body")


@pytest.mark.parametrize(
    "source",
    [
        "{{ x.upper }}",
        "{{ x|map('upper') }}",
        "{{ range }}",
        "{{ row.get('nope') }}",
        "{{ none }}",
        "{{ row.items() }}",
    ],
)
def test_what_is_not_text_is_not_printed(source):
    refusal(source, x="ann", row={})


def test_what_is_printed():
    assert render("{{ x.upper() }} {{ 1.5 }} {{ [1, 'a'] }} {{ true }} {{ x|list|join('-') }}", x="ann") == (
        "ANN 1.5 [1, 'a'] True a-n-n"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ [1] * 10**8 }}",
        "{{ 10**(10**8) }}",
        "{{ range(10**9)|join }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxx{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'body' %}",
    ],
)
def test_what_never_ends_is_stopped(source):
    refusal(source)


def test_output_up_to_the_cap_is_taken():
    assert len(render("{{ 'x' * " + str(OUTPUT_CAP) + " }}")) == OUTPUT_CAP
    assert "longer than" in refusal("{{ 'x' * " + str(OUTPUT_CAP) + " }}y")


@pytest.mark.parametrize("source", ["{{ lipsum() }}"])
def test_there_are_no_dice(source):
    refusal(source)
    with pytest.raises(TemplateSyntaxError, match="random"):
        TemplateSet({}, html=False).text("{{ [1, 2]|random }}", "x")


def test_nothing_is_kept_from_one_recipient_to_the_next():
    files = {
        "count": "{% set seen = namespace(n=0) %}"
        "{% macro next() %}{% set seen.n = seen.n + 1 %}{{ seen.n }}{% endmacro %}",
        "body": "{% import 'count' as count %}{% from 'count' import next %}{{ count.next() }}{{ next() }}{{ next() }}",
    }
    templates = TemplateSet(files, html=False)
    template = templates.file("body", "text body")
    assert [template.render(templates.globals) for _ in range(3)] == ["112"] * 3


def test_an_error_says_where():
    source = "line 1\n{# #}\n{% if true %}\n{{ x }}\n{{ frist_name }}{% endif %}"
    assert refusal(source, x="1") == "text body line 5: 'frist_name' is undefined"
    assert refusal("\n{{ 1 // n }}", n=0).startswith("text body line 2: ")
    assert refusal("{{ 1 // n }}", n=0).endswith("(ZeroDivisionError)")


def test_an_error_in_another_file_names_it():
    templates = TemplateSet({"body": "\n{% include 'foot' %}", "foot": "\n\n{{ y }}"}, html=False)
    with pytest.raises(RowError, match=r"^text body: foot line 3: 'y' is undefined$"):
        templates.file("body", "text body").render(templates.globals)
    with pytest.raises(RowError, match=r"^subject: 'y' is undefined$"):
        templates.text("{{ y }}", "subject").render(templates.globals)


def test_hostile_words_in_an_error_stay_on_one_line_and_short():
    words = refusal("{{ x[y] }}", x={}, y="a\r\nb\u2028" * 200)
    assert words == ("text body line 1: 'dict object' has no attribute '" + r"a\r\nb\u2028" * 200)[:400]


def test_files_are_found_by_their_plain_path():
    templates = TemplateSet({"./parts/a.html": "A"}, html=False)
    assert templates.file("parts/../parts/a.html", "x").render({}) == "A"
    with pytest.raises(TemplateNotFound):
        templates.file("parts", "x")


def test_texts_between_the_tags():
    templates = TemplateSet(
        {"a": "one {{ x }} two\n{# c #}three{% raw %}{{{% endraw %}", "broken": "{% if"}, html=False
    )
    assert templates.texts() == ["one ", " two\n", "three", "{{"]


def test_pieces_are_the_texts_and_the_values():
    templates = TemplateSet({"a": "one {{ x }} two\n"}, html=True)
    assert templates.file("a", "a").pieces({"x": "<"}) == ["one ", "&lt;", " two"]


def test_sources_can_be_converted():
    templates = TemplateSet({"a": "<{% include 'b' %}>", "b": "b"}, html=False, convert=str.upper)
    with pytest.raises(TemplateSyntaxError):
        templates.file("a", "a")
    assert templates.file("b", "b").render({}) == "B"


@pytest.mark.parametrize("html", [True, False])
@pytest.mark.parametrize(
    "source",
    [
        "{{ x }}{{ x|safe }}{{ x|e }}{{ 1 }}{{ 1.5 }}{{ [x] }}{{ {'a': x} }}{{ true }}{{ x ~ '<' }}{{ '<' }}",
        "{% macro m(a) %}<i>{{ a }}{{ caller() }}</i>{% endmacro %}{% call m(x) %}{{ x }}{% endcall %}",
        "{% set y %}<b>{{ x }}</b>{% endset %}{{ y }}{{ y|upper }}{{ y|length }}",
        "{% filter upper %}{{ x }}<{% endfilter %}",
        "{% autoescape true %}{{ x }}{% endautoescape %}{% autoescape false %}{{ x }}{% endautoescape %}",
        "{% autoescape x == 'a' %}{{ x }}{{ 7 }}{% endautoescape %}",
        "{% for c in x %}{{ loop.index }}{{ c }}{% endfor %}{{ x if x else '&' }}{{ x.split('&') }}",
    ],
)
@pytest.mark.parametrize("x", ["plain", "<a href='x'>&amp;\"", "a", "", "Ü & 'ß'"])
def test_what_is_printed_is_what_jinja2_prints(source, x, html):
    assert render(source, html=html, x=x) == Environment(autoescape=html).from_string(source).render(x=x)


def test_a_macro_that_is_printed_keeps_its_pieces():
    source = '{% macro b(x) %}<b>{{ x }}</b>{% endmacro %}{{ b(name) }}{{ b(b("i")) }}{{ b(name)|upper }}{{ "<b>" }}'
    templates = TemplateSet({"a": source}, html=True)
    pieces = templates.file("a", "a").pieces({**templates.globals, "name": "<Ann>"})
    assert pieces == ["<b>&lt;Ann&gt;</b>", "<b><b>i</b></b>", "<B>&LT;ANN&GT;</B>", "&lt;b&gt;"]
    assert [getattr(piece, "pieces", None) for piece in pieces] == [
        ("<b>", "&lt;Ann&gt;", "</b>"),
        ("<b>", "<b>i</b>", "</b>"),
        None,
        None,
    ]


def test_methods_of_values_are_called_as_the_sandbox_would():
    templates = TemplateSet({}, html=False)

    def said(source: str, **variables: object) -> str:
        return templates.text(source, "x").render({**templates.globals, **variables})

    assert said("{% for x in 'b a'.split() %}{{ x.upper() }}{% endfor %}") == "BA"
    assert said("{{ '{0}!'.format('a') }}{{ '{x}'.format_map({'x': 1}) }}") == "a!1"
    for source in ["{{ '{0.__class__}'.format(1) }}", "{{ x.append(1) }}", "{{ ''.__class__ }}", "{{ x.sort() }}"]:
        for _ in range(2):  # what is remembered is no other answer
            with pytest.raises(RowError, match=r"unsafe|not safe"):
                said(source, x=[])
    assert said("{{ x.count(1) }}", x=[1]) == "1"


def test_output_is_counted_while_it_comes():
    """Two hundred pieces of 2 MB each: the third is one too many, and the others are never made."""
    made = []

    def piece():
        made.append(1)
        return "x" * 2_000_000

    template = TemplateSet({}, html=False).text("{% for _ in range(200) %}{{ piece() }}{% endfor %}", "text")
    with pytest.raises(RowError, match="longer than 5,000,000"):
        template.render({**TemplateSet({}, html=False).globals, "piece": piece})
    assert len(made) == 3


@pytest.mark.parametrize("many", [0, 1, 2, 3, 4, 98, 99, 100, 195, 196, 1000])
def test_no_piece_is_lost_however_many_there_are(many):
    """Pieces are counted some at a time: the last one of each step, and the first of the next, are printed."""
    text = TemplateSet({}, html=False).text("{% for n in range(many) %}{{ n }}{% endfor %}", "text")
    names = TemplateSet({}, html=False).globals
    assert text.pieces({**names, "many": many}) == [str(n) for n in range(many)]
    long = TemplateSet({}, html=False).text("{% for n in range(many) %}{{ 'x' * 40000 }}{% endfor %}", "text")
    if many * 40_000 <= OUTPUT_CAP:
        assert len(long.render({**names, "many": many})) == many * 40_000
    else:
        with pytest.raises(RowError, match="longer than"):
            long.render({**names, "many": many})
