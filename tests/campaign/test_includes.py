from __future__ import annotations

import pytest

from bulkmail.campaign.includes import includes_used, names_used


@pytest.mark.parametrize(
    ("source", "names", "computed"),
    [
        ("no statement {{ x }}", set(), False),
        ("{% include 'a' %}", {"a"}, False),
        ('{%- include "a/b.j2" ignore missing with context -%}', {"a/b.j2"}, False),
        ("{% include ['a', 'b'] without context %}", {"a", "b"}, False),
        ("{% extends 'a' %}", {"a"}, False),
        ("{% import 'a' as x %}{% from 'b' import y as z, w %}", {"a", "b"}, False),
        ("{%\n include\n 'a'\n%}", {"a"}, False),
        ("{% include 'a' if x else 'b' %}", {"a", "b"}, True),
        ("{% include 'a' ~ x %}", {"a"}, True),
        ("{% include x %}", set(), True),
        ("{% include '\\x61' %}", set(), True),
        ("{% includes 'a' %}", set(), False),
        ("{% include 'a{%b' %}", set(), True),
        ("{%+ include 'a' +%}{% set x = 1 %}", {"a"}, False),
    ],
)
def test_the_names_a_template_uses(source: str, names: set[str], computed: bool) -> None:
    assert names_used(source) == (names, computed)


@pytest.mark.heavy
def test_a_hostile_template_is_read_in_one_pass() -> None:
    assert names_used("{% include" * 200_000) == (set(), True)
    assert names_used("{% include " + "'" * 1_999_999 + " %}")[1]


def test_what_the_templates_of_all_letters_reach() -> None:
    content = {
        "unsubscribe": None,
        "headers": {},
        "subject": "Hi",
        "html": "{% include 'a' %}",
        "text": None,
        "includes": {"a": "{% include 'b' %}", "b": "", "c": "", "d": ""},
        "variants": {"letters": {"x": {"subject": "Hi", "html": "{% include 'c' %}", "text": None}}},
    }
    assert list(includes_used(content)) == ["a", "b", "c"]
