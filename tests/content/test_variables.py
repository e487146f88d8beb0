from __future__ import annotations

import pytest
from jinja2 import Environment

from bulkmail.content.variables import Use, assigned, column_of, needed, references


def names(source: str) -> list[str]:
    return [use.name for use in needed(Environment().parse(source))]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("{{ a }} {{ b|upper }} {{ a }}", ["a", "b"]),
        ("{{ a is defined }} {{ b is not defined }} {{ c is undefined }}", []),
        ("{{ a|default('x') }} {{ b|d }} {{ c|default('x')|upper }}", []),
        ("{{ a|trim|default('x') }} {{ b.c|default('x') }}", ["a", "b"]),
        ("{{ a|default(b) }}", ["b"]),
        ("{% if a is defined %}{{ a }}{% endif %}", []),
        ("{% if a is defined %}{{ b }}{% else %}{{ a }}{% endif %}", ["a", "b"]),
        ("{% if a is not defined %}-{% else %}{{ a }}{% endif %}", []),
        ("{% if not (a is undefined) and b is defined %}{{ a }}{{ b }}{% endif %}", []),
        ("{% if a is defined or b is defined %}{{ a }}{% endif %}", ["a"]),
        ("{% if a is undefined or a == 'x' %}-{% else %}{{ a }}{% endif %}", []),
        ("{% if a is defined and a %}{{ a }}{% endif %}{{ a }}", ["a"]),
        ("{% if x %}{% elif a is defined %}{{ a }}{% elif b %}{% endif %}", ["b", "x"]),
        ("{{ a if a is defined else 'x' }} {{ 'x' if b is undefined else b }}", []),
        ("{{ a if a is defined }}", []),
        ("{% if a is defined %}{% for i in a %}{% if i %}{{ a[i] }}{% endif %}{% endfor %}{% endif %}", []),
        ("{% if a %}{{ a }}{% endif %}", ["a"]),
        ("{% for i in xs %}{{ i }}{{ loop.index }}{% endfor %}", ["xs"]),
        ("{% for i in xs if i is defined %}{{ i }}{% else %}{{ n }}{% endfor %}{{ i }}", ["i", "n", "xs"]),
        ("{% set a = 1 %}{{ a }}{% set b %}{{ c }}{% endset %}{{ b }}", ["c"]),
        ("{% if x %}{% set a = 1 %}{% endif %}{{ a }}", ["a", "x"]),
        ("{% macro m(p, q=z) %}{{ p }}{{ q }}{{ caller() }}{% endmacro %}{{ m(a) }}", ["a", "z"]),
        ("{% import 'x' as lib %}{% from 'x' import f as g %}{{ lib.f(a) }}{{ g() }}", ["a"]),
        ("{% block b %}{{ a }}{{ super() }}{{ self.b() }}{% endblock %}", ["a"]),
        ("{% with a = b %}{{ a }}{% endwith %}{{ a }}", ["a", "b"]),
        ("{{ row['A B'] }} {{ row.c }} {{ row.get('x') }} {{ row.items() }}", ["row", 'row["A B"]', 'row["c"]']),
        ("{{ row['A B'] is defined }} {{ row['C']|default('x') }}", []),
        ("{% if row['A'] is defined %}{{ row['A'] }}{{ row.A }}{% endif %}", []),
        ("{% for row in xs %}{{ row['A'] }}{% endfor %}", ["xs"]),
        ("plain", []),
    ],
)
def test_needed(source, wanted):
    assert sorted(names(source)) == sorted(wanted)


def test_the_first_line_is_named():
    tree = Environment().parse("{{ b|default(1) }}\n{{ a }}\n\n{{ b }}\n{{ a }}")
    assert needed(tree) == [Use("a", 2), Use("b", 4)]


def test_columns():
    source = "name {{ name }}\n{% if\n first %}{{ row['A B'] }}{% endif %}"
    assert column_of(source, Use("name", 1)) == 9
    assert column_of(source, Use("first", 3)) == 2
    assert column_of(source, Use('row["A B"]', 3)) == 18
    assert column_of(source, Use("name", 9)) == 0
    assert column_of(source, Use("nowhere", 1)) == 0


def test_assigned():
    source = (
        "{% set a = 1 %}{% for b in x %}{% endfor %}{% macro c(d) %}{% endmacro %}"
        "{% import 'x' as e %}{% from 'x' import f as g, h %}{% with i = 1 %}{% endwith %}"
    )
    assert assigned(Environment().parse(source)) == set("abcdeghi")


def test_references():
    source = (
        "{% extends 'a' %}\n{% include ['b', 'c'] %}{% include 'd' ignore missing %}\n{% include name %}"
        "{% import 'e' as x %}{% from 'f' import y %}{% include ['g', name] %}"
    )
    found = sorted(references(Environment().parse(source)))
    assert [(one.names, one.line, one.required) for one in found] == [
        (("a",), 1, True),
        (("b", "c"), 2, True),
        (("d",), 2, False),
        (("e",), 3, True),
        (("f",), 3, True),
    ]
